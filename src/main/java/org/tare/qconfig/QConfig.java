package org.tare.qconfig;

import org.tare.quant.DType;
import org.tare.quant.QScheme;

/**
 * What applies to a node: PyTorch's QConfig. Which of these a runtime can carry out is {@link
 * Backend}'s to say.
 *
 * @param quantized false leaves the node in float32
 * @param activation for the tensors that the node writes, and for inputs of the model
 * @param weight for its constant weights
 * @param reduceRange weights keep one bit free, for CPUs whose 8-bit products saturate in 16 bits;
 *     ONNX Runtime's way
 * @param reduceActivations activations keep one bit free, for the same reason; PyTorch's way
 * @param preserveSums convolutions' weights are rounded so that the errors of a kernel add up to
 *     nothing, see {@link org.tare.quant.KernelSums}; else each to the nearest
 * @param products on which CPUs products of int8 weights are exact
 */
public record QConfig(
    boolean quantized,
    TensorQConfig activation,
    TensorQConfig weight,
    boolean reduceRange,
    boolean reduceActivations,
    boolean preserveSums,
    WeightProducts products) {
  /**
   * With activations of the whole range, and weights that are rounded to the nearest and exact on
   * every CPU.
   */
  public QConfig(
      boolean quantized, TensorQConfig activation, TensorQConfig weight, boolean reduceRange) {
    this(quantized, activation, weight, reduceRange, false, false, WeightProducts.PORTABLE);
  }

  /**
   * Least expected squared error for uint8 affine activations, int8 symmetric weights per channel.
   */
  public static QConfig standard() {
    return Backend.ONNXRUNTIME_CPU.standard(Mode.STATIC);
  }

  /** The same for weights of another type, without blocks. */
  public QConfig withWeightType(DType dtype) {
    return new QConfig(
        quantized,
        activation,
        dtype == weight.dtype() && weight.block() == 0
            ? weight
            : new TensorQConfig(weight.method(), dtype, QScheme.PER_CHANNEL_SYMMETRIC),
        reduceRange,
        reduceActivations,
        preserveSums,
        products);
  }

  /** The same, with weights of the whole 8 bits. */
  public QConfig withoutReducedRange() {
    return new QConfig(
        quantized, activation, weight, false, reduceActivations, preserveSums, products);
  }

  /** The same for other products. */
  public QConfig withProducts(WeightProducts other) {
    return new QConfig(
        quantized, activation, weight, reduceRange, reduceActivations, preserveSums, other);
  }

  /** The same, with weights rounded each to the nearest. */
  public QConfig withoutKernelSums() {
    return new QConfig(
        quantized, activation, weight, reduceRange, reduceActivations, false, products);
  }

  /** The same, left in float32. */
  public QConfig asFloat() {
    return new QConfig(
        false, activation, weight, reduceRange, reduceActivations, preserveSums, products);
  }
}
