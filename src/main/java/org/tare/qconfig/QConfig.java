package org.tare.qconfig;

import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

/**
 * What applies to a node: PyTorch's QConfig.
 *
 * @param quantized false leaves the node in float32
 * @param activation for the tensors that the node writes, and for inputs of the model
 * @param weight for its constant weights
 * @param reduceRange weights keep one bit free, for CPUs whose 8-bit products saturate in 16 bits
 */
public record QConfig(
    boolean quantized, TensorQConfig activation, TensorQConfig weight, boolean reduceRange) {
  public QConfig {
    if (activation.scheme().isPerChannel()) {
      throw TareException.usage(
          "quantize.activation.scheme cannot be %s: activations are quantized per tensor",
          activation.scheme().id());
    }
    if (activation.dtype() != DType.UINT8 && activation.dtype() != DType.INT8) {
      throw TareException.usage(
          "quantize.activation.dtype cannot be %s: static quantization takes uint8 or int8",
          activation.dtype().id());
    }
    if (weight.dtype() != DType.INT8 || !weight.scheme().isSymmetric()) {
      throw TareException.usage(
          "quantize.weight cannot be %s %s: static quantization takes int8, symmetric",
          weight.dtype().id(), weight.scheme().id());
    }
    if (!(weight.method() instanceof RangeMethod.MinMax)) {
      throw TareException.usage(
          "quantize.weight.method cannot be %s: weights take minmax", weight.method().id());
    }
  }

  /**
   * Least expected squared error for uint8 affine activations, int8 symmetric weights per channel.
   */
  public static QConfig standard() {
    return new QConfig(
        true,
        new TensorQConfig(new RangeMethod.Mse(), DType.UINT8, QScheme.PER_TENSOR_AFFINE),
        new TensorQConfig(new RangeMethod.MinMax(), DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC),
        false);
  }
}
