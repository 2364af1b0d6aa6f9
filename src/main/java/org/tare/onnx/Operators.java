package org.tare.onnx;

import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;

/**
 * The catalogue of operators: what Tare knows of them by name, whatever it is used for. How an
 * operator takes part in quantization follows from it and stands in the rules of the plan. Names
 * are of ONNX's own operators, unless it is said.
 */
public enum Operators {
  /** Layers with a state, whose weights are in inputs 1 and 2. */
  RECURRENT("LSTM", "GRU", "RNN"),
  /** Convolutions, transposed ones included. */
  CONVOLUTION("Conv", "ConvTranspose"),
  /** Products with a weight in input 1. */
  WEIGHTED("MatMul", "Gemm", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN"),
  /** Products with an integer form whose activations are quantized as the model runs. */
  DYNAMIC_INTEGERS("MatMul", "Gemm", "Conv", "LSTM", "Attention"),
  /** Operators whose tensors have their channels on the last axis. */
  CHANNELS_LAST("MatMul", "Gemm", "LayerNormalization", "Attention"),
  /** The four operations. */
  ARITHMETIC("Add", "Sub", "Mul", "Div"),
  /** Activation functions that saturation can stand in for. */
  BOUNDS("Relu", "Clip"),
  /** Operators that move values of input 0, and have a kernel for integers of 8 bits. */
  MOVES_INTEGERS(
      "MaxPool",
      "Resize",
      "Reshape",
      "Flatten",
      "Transpose",
      "Squeeze",
      "Unsqueeze",
      "Slice",
      "Split",
      "Pad",
      "Gather",
      "GatherElements",
      "Expand",
      "Tile",
      "Identity"),
  /** Operators whose result holds the values of input 0, all or some, in other places. */
  MOVES_VALUES(
      "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather"),
  /** Operators whose result has the shape of input 0. */
  SAME_SHAPE(
      "Abs",
      "Cast",
      "Ceil",
      "Celu",
      "Clip",
      "Dropout",
      "Elu",
      "Erf",
      "Exp",
      "Floor",
      "Gelu",
      "HardSigmoid",
      "HardSwish",
      "Identity",
      "InstanceNormalization",
      "LayerNormalization",
      "LeakyRelu",
      "Log",
      "LogSoftmax",
      "Mish",
      "Neg",
      "Not",
      "PRelu",
      "Reciprocal",
      "Relu",
      "Round",
      "Selu",
      "Sigmoid",
      "Sign",
      "Softmax",
      "Softplus",
      "Softsign",
      "Sqrt",
      "Tanh",
      "ThresholdedRelu",
      "BatchNormalization"),
  /** Operators that spread their inputs over each other. */
  BROADCASTS(
      "Add",
      "And",
      "Div",
      "Equal",
      "Greater",
      "GreaterOrEqual",
      "Less",
      "LessOrEqual",
      "Max",
      "Min",
      "Mul",
      "Or",
      "Pow",
      "Sub",
      "Where"),
  /** Operators that give one value for the places along some axes. */
  REDUCES(
      "ReduceL1",
      "ReduceL2",
      "ReduceMax",
      "ReduceMean",
      "ReduceMin",
      "ReduceProd",
      "ReduceSum",
      "ReduceSumSquare"),
  /** Operators that give no floats. */
  WITHOUT_FLOAT_RESULT(
      "Shape",
      "Size",
      "NonZero",
      "ArgMax",
      "ArgMin",
      "Equal",
      "Greater",
      "Less",
      "GreaterOrEqual",
      "LessOrEqual",
      "And",
      "Or",
      "Xor",
      "Not",
      "IsNaN",
      "IsInf",
      "NonMaxSuppression",
      "QuantizeLinear",
      "DynamicQuantizeLinear",
      "ConvInteger",
      "MatMulInteger"),
  /** Operators of which a constant operand has to be quantized too. */
  QUANTIZED_OPERANDS("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Mul", "Concat", "Where"),
  /** Operators around which ONNX Runtime fuses pairs, or which it moves pairs past. */
  FUSES_PAIRS(
      MOVES_INTEGERS,
      "Conv",
      "ConvTranspose",
      "Gemm",
      "MatMul",
      "Add",
      "Mul",
      "Concat",
      "Where",
      "AveragePool",
      "GlobalAveragePool",
      "ReduceMean",
      "Relu",
      "Clip",
      "LeakyRelu",
      "Sigmoid",
      "Softmax",
      "DepthToSpace",
      "SpaceToDepth"),
  /** Operators of com.microsoft that multiply floats by stored integers. */
  STORED_WEIGHT("MatMulNBits", "MatMulBnb4", "GatherBlockQuantized", "QEmbedLayerNormalization");

  @SuppressWarnings("ImmutableEnumChecker") // Set.copyOf cannot be changed.
  private final Set<String> names;

  Operators(String... names) {
    this.names = Set.copyOf(new TreeSet<>(Arrays.asList(names)));
  }

  /** All of another kind, and more. */
  Operators(Operators others, String... more) {
    Set<String> all = new TreeSet<>(others.names);
    all.addAll(Arrays.asList(more));
    this.names = Set.copyOf(all);
  }

  /** Whether an operator of this name is one of them. */
  public boolean contains(String opType) {
    return names.contains(opType);
  }
}
