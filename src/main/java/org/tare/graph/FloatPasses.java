package org.tare.graph;

/**
 * What is done to the float model before it is calibrated. The result computes the same function,
 * up to float32 rounding; calibration and quantization both start from it, so that the names of
 * tensors in a state are those of the quantized model's rewriting.
 */
public final class FloatPasses {
  private FloatPasses() {}

  /**
   * A copy of the model with its operator set raised to {@value OnnxModel#MINIMUM_OPSET} if it is
   * older, constants as initializers, and batch normalizations folded.
   */
  public static OnnxModel prepare(OnnxModel model) {
    OnnxModel prepared = model.copy();
    OpsetUpgrade.apply(prepared);
    ConstantNodes.apply(prepared.graph());
    FoldBatchNormalization.apply(prepared.graph());
    return prepared;
  }
}
