package org.tare.qconfig;

import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.range.RangeMethod;

/**
 * How one kind of tensor, activation or weight, is quantized: PyTorch's observer with its
 * arguments.
 *
 * @param block how many values along the summed axis share qparams, for 4-bit weights; 0 for none
 * @param bits how many bits of the type are used; all of them, or fewer in a type of 8 bits
 */
public record TensorQConfig(RangeMethod method, DType dtype, QScheme scheme, int block, int bits) {
  public TensorQConfig {
    if (bits != dtype.bits() && (bits < 2 || bits > 8 || dtype.bits() != 8)) {
      throw TareException.usage(
          "bits cannot be %d for %s: from 2 to 8 bits of uint8 or int8 can be used",
          bits, dtype.id());
    }
    if (block != 0 && (block < 16 || Integer.bitCount(block) != 1)) {
      throw TareException.usage(
          "quantize.weight.block cannot be %d: it is a power of two from 16 on", block);
    }
  }

  /** With all bits of the type. */
  public TensorQConfig(RangeMethod method, DType dtype, QScheme scheme, int block) {
    this(method, dtype, scheme, block, dtype.bits());
  }

  /** Without blocks. */
  public TensorQConfig(RangeMethod method, DType dtype, QScheme scheme) {
    this(method, dtype, scheme, 0);
  }

  /**
   * What ranges are chosen for.
   *
   * @param reduceRange whether one more bit stays free, where all are used
   */
  public QuantSpec spec(boolean reduceRange) {
    QuantSpec whole = QParamsRule.ONNXRUNTIME.spec(dtype, scheme.isSymmetric(), reduceRange);
    return bits == dtype.bits() ? whole : whole.ofBits(bits);
  }
}
