package org.tare.infer;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class OutputTensorTest {
  /** A release of ONNX Runtime without the private members would turn to copies in silence. */
  @Test
  void resultsAreReadWithoutACopy() {
    assertTrue(OutputTensor.isZeroCopy());
  }
}
