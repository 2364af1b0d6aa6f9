package org.tare.plan;

import java.util.Map;
import java.util.Optional;
import org.tare.onnx.Attention;
import org.tare.onnx.Node;

/**
 * How an operator takes part in static QDQ quantization. An operator without a rule stays float32.
 * The rules follow what ONNX Runtime's CPU kernels fuse.
 */
public enum OpRule {
  /** Data in input 0, weight in input 1, bias in input 2: integer products, int32 sums. */
  WEIGHTED,
  /** The outputs hold values of input 0 (and perhaps zeros), so they share its qparams. */
  SAME_VALUES,
  /** Every float input and output has qparams of its own. */
  ELEMENTWISE,
  /** Removed where saturation has the same effect, otherwise as {@link #ELEMENTWISE}. */
  ACTIVATION,
  /**
   * Computed in floats by ONNX Runtime; like {@link #ELEMENTWISE} for backends that round every
   * result. Its constants (slopes, scales of a normalization) stay float.
   */
  FLOAT_FUNCTION,
  /** Computed in floats by every backend. */
  MEAN,
  /** Data in input 0, weight in input 1, the result float: see {@link Attention}. */
  ATTENTION,
  /** Products of activations alone, computed in floats by every backend. */
  WITHOUT_WEIGHT;

  /** Of ONNX's own operators. */
  private static final Map<String, OpRule> RULES =
      Map.ofEntries(
          Map.entry("Conv", WEIGHTED),
          Map.entry("ConvTranspose", WEIGHTED),
          Map.entry("Gemm", WEIGHTED),
          Map.entry("MatMul", WEIGHTED),
          Map.entry("Add", ELEMENTWISE),
          Map.entry("Mul", ELEMENTWISE),
          Map.entry("Concat", ELEMENTWISE),
          Map.entry("AveragePool", ELEMENTWISE),
          Map.entry("GlobalAveragePool", ELEMENTWISE),
          Map.entry("Sigmoid", ELEMENTWISE),
          Map.entry("Softmax", ELEMENTWISE),
          Map.entry("LeakyRelu", ELEMENTWISE),
          Map.entry("Where", ELEMENTWISE),
          Map.entry("PRelu", FLOAT_FUNCTION),
          Map.entry("HardSigmoid", FLOAT_FUNCTION),
          Map.entry("HardSwish", FLOAT_FUNCTION),
          Map.entry("Tanh", FLOAT_FUNCTION),
          Map.entry("Erf", FLOAT_FUNCTION),
          Map.entry("Gelu", FLOAT_FUNCTION),
          Map.entry("InstanceNormalization", FLOAT_FUNCTION),
          Map.entry("LayerNormalization", FLOAT_FUNCTION),
          Map.entry("ReduceMean", MEAN),
          Map.entry("Attention", WITHOUT_WEIGHT),
          Map.entry("Relu", ACTIVATION),
          Map.entry("Clip", ACTIVATION),
          Map.entry("MaxPool", SAME_VALUES),
          Map.entry("Resize", SAME_VALUES),
          Map.entry("Reshape", SAME_VALUES),
          Map.entry("Flatten", SAME_VALUES),
          Map.entry("Transpose", SAME_VALUES),
          Map.entry("Squeeze", SAME_VALUES),
          Map.entry("Unsqueeze", SAME_VALUES),
          Map.entry("Slice", SAME_VALUES),
          Map.entry("Split", SAME_VALUES),
          Map.entry("Pad", SAME_VALUES),
          Map.entry("Gather", SAME_VALUES),
          Map.entry("GatherElements", SAME_VALUES),
          Map.entry("TopK", SAME_VALUES),
          Map.entry("Expand", SAME_VALUES),
          Map.entry("Tile", SAME_VALUES),
          Map.entry("Identity", SAME_VALUES),
          Map.entry("Dropout", SAME_VALUES),
          Map.entry("DepthToSpace", SAME_VALUES),
          Map.entry("SpaceToDepth", SAME_VALUES));

  private static final Map<String, OpRule> MICROSOFT_RULES =
      Map.of("Attention", ATTENTION, "MultiHeadAttention", WITHOUT_WEIGHT);

  public static Optional<OpRule> of(Node node) {
    return switch (node.domain()) {
      case "" -> Optional.ofNullable(RULES.get(node.opType()));
      case Node.MICROSOFT -> Optional.ofNullable(MICROSOFT_RULES.get(node.opType()));
      default -> Optional.empty();
    };
  }
}
