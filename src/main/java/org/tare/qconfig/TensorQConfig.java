package org.tare.qconfig;

import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

/**
 * How one kind of tensor, activation or weight, is quantized: PyTorch's observer with its
 * arguments.
 *
 * @param block how many values along the summed axis share qparams, for 4-bit weights; 0 for none
 */
public record TensorQConfig(RangeMethod method, DType dtype, QScheme scheme, int block) {
  public TensorQConfig {
    if (block != 0 && (block < 16 || Integer.bitCount(block) != 1)) {
      throw TareException.usage(
          "quantize.weight.block cannot be %d: it is a power of two from 16 on", block);
    }
  }

  /** Without blocks. */
  public TensorQConfig(RangeMethod method, DType dtype, QScheme scheme) {
    this(method, dtype, scheme, 0);
  }
}
