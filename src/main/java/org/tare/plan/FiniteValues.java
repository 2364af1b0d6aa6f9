package org.tare.plan;

import org.tare.TareException;
import org.tare.onnx.Node;

/** Checks constants before they are quantized. */
public final class FiniteValues {
  private FiniteValues() {}

  /**
   * Does nothing if all values are finite.
   *
   * @param node reads the constant
   * @throws TareException that names node, constant and value if one is NaN or infinite
   */
  public static void check(Node node, String constant, float[] values) {
    for (float value : values) {
      // NaN for NaN and infinities. Float.isFinite is a call to native code until Java's second
      // compiler has come to it.
      if (value * 0 != 0) {
        throw TareException.badInput(
            "Cannot quantize %s: its constant \"%s\" holds %s", node, constant, value);
      }
    }
  }
}
