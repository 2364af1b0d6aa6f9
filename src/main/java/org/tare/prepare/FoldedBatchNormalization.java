package org.tare.prepare;

/**
 * A BatchNormalization that was folded into the layer before it, with all that it was made of:
 *
 * <pre>
 *   folded weight = weight * gamma / sqrt(variance + epsilon)
 *   folded bias   = (bias - mean) * gamma / sqrt(variance + epsilon) + beta
 * </pre>
 *
 * @param label of the normalization, for messages
 * @param output the tensor that it gave, which the layer gives now
 * @param weight of the layer as it was, row-major
 * @param bias of the layer as it was, for each channel; zeros where it had none
 * @param channels which output channel each value of the weight belongs to
 * @param foldedWeight what the layer has in its place
 * @param foldedBias what the layer has in its place
 */
public record FoldedBatchNormalization(
    String label,
    String output,
    float[] weight,
    double[] bias,
    float[] gamma,
    float[] beta,
    float[] mean,
    float[] variance,
    double epsilon,
    WeightChannels channels,
    float[] foldedWeight,
    float[] foldedBias) {}
