package org.tare.graph;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.graph.proto.Onnx.TensorProto;

/**
 * Folds a BatchNormalization into the Conv, ConvTranspose or Gemm before it:
 *
 * <pre>
 *   w' = w * gamma / sqrt(var + eps)
 *   b' = (b - mean) * gamma / sqrt(var + eps) + beta
 * </pre>
 *
 * per output channel, computed in float64. Only where the normalization is the single reader of the
 * result, its statistics are constants and it does not train.
 */
final class FoldBatchNormalization {
  private final Graph graph;
  private final Map<String, Node> producers;
  private final Map<String, List<Node>> consumers;

  private FoldBatchNormalization(Graph graph) {
    this.graph = graph;
    this.producers = graph.producers();
    this.consumers = graph.consumers();
  }

  /** Folds all it can; returns how many. */
  static int apply(Graph graph) {
    FoldBatchNormalization fold = new FoldBatchNormalization(graph);
    List<Node> rest = new ArrayList<>();
    int folded = 0;
    for (Node node : graph.nodes()) {
      if (node.isStandard() && node.opType().equals("BatchNormalization") && fold.fold(node)) {
        folded++;
      } else {
        rest.add(node);
      }
    }
    graph.setNodes(rest);
    graph.removeUnused();
    return folded;
  }

  private boolean fold(Node norm) {
    Node linear = producers.get(norm.input(0));
    boolean trains = norm.intAttribute("training_mode", 0) != 0;
    boolean hasStatisticsOutputs =
        norm.outputs().stream().skip(1).anyMatch(output -> !output.isEmpty());
    if (linear == null
        || !linear.isStandard()
        || trains
        || hasStatisticsOutputs
        || consumers.get(norm.input(0)).size() != 1
        || graph.isOutput(norm.input(0))) {
      return false;
    }
    Optional<float[]> gamma = graph.floatConstant(norm.input(1));
    Optional<float[]> beta = graph.floatConstant(norm.input(2));
    Optional<float[]> mean = graph.floatConstant(norm.input(3));
    Optional<float[]> variance = graph.floatConstant(norm.input(4));
    Optional<TensorProto> weight = graph.constant(linear.input(1)).filter(Tensors::isFloat);
    if (gamma.isEmpty()
        || beta.isEmpty()
        || mean.isEmpty()
        || variance.isEmpty()
        || weight.isEmpty()) {
      return false;
    }
    double epsilon = norm.floatAttribute("epsilon", 1e-5f);
    int channels = gamma.get().length;
    double[] factor = new double[channels];
    for (int c = 0; c < channels; c++) {
      factor[c] = gamma.get()[c] / Math.sqrt(variance.get()[c] + epsilon);
    }
    Optional<double[]> bias = bias(linear, channels);
    Optional<int[]> channelOf = channelOf(linear, Tensors.shape(weight.get()), channels);
    if (bias.isEmpty() || channelOf.isEmpty()) {
      return false;
    }

    float[] values = Tensors.floats(weight.get());
    double alpha = linear.opType().equals("Gemm") ? linear.floatAttribute("alpha", 1f) : 1;
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (values[i] * alpha * factor[channelOf.get()[i]]);
    }
    float[] folded = new float[channels];
    for (int c = 0; c < channels; c++) {
      folded[c] = (float) ((bias.get()[c] - mean.get()[c]) * factor[c] + beta.get()[c]);
    }
    String weightName = graph.freshName(linear.input(1) + "_folded");
    String biasName = graph.freshName(linear.label() + "_bias");
    graph.addConstant(Tensors.ofFloats(weightName, Tensors.shape(weight.get()), values));
    graph.addConstant(Tensors.ofFloats(biasName, new long[] {channels}, folded));
    linear.setInput(1, weightName);
    linear.setInput(2, biasName);
    if (linear.opType().equals("Gemm")) {
      linear.setFloat("alpha", 1f);
      linear.setFloat("beta", 1f);
    }
    linear.setOutput(0, norm.output(0));
    producers.put(norm.output(0), linear);
    return true;
  }

  /** The bias in effect, zeros where there is none; empty if it is no constant of a known form. */
  private Optional<double[]> bias(Node linear, int channels) {
    double[] bias = new double[channels];
    if (linear.input(2).isEmpty()) {
      return Optional.of(bias);
    }
    Optional<float[]> given = graph.floatConstant(linear.input(2));
    if (given.isEmpty() || (given.get().length != channels && given.get().length != 1)) {
      return Optional.empty();
    }
    double beta = linear.opType().equals("Gemm") ? linear.floatAttribute("beta", 1f) : 1;
    for (int c = 0; c < channels; c++) {
      bias[c] = beta * given.get()[given.get().length == 1 ? 0 : c];
    }
    return Optional.of(bias);
  }

  /**
   * For each weight, row-major, the output channel it belongs to; empty if the shapes do not fit.
   */
  private static Optional<int[]> channelOf(Node linear, long[] shape, int channels) {
    int size = 1;
    for (long dim : shape) {
      size *= (int) dim;
    }
    int[] channelOf = new int[size];
    switch (linear.opType()) {
      case "Conv" -> {
        if (shape[0] != channels) {
          return Optional.empty();
        }
        for (int i = 0; i < size; i++) {
          channelOf[i] = i / (size / channels);
        }
      }
      case "ConvTranspose" -> {
        // [input channels, output channels of one group, kernel...]
        int groups = (int) linear.intAttribute("group", 1);
        int perGroup = (int) shape[1];
        if (perGroup * groups != channels) {
          return Optional.empty();
        }
        int kernel = size / (int) (shape[0] * shape[1]);
        int inputsPerGroup = (int) shape[0] / groups;
        for (int i = 0; i < size; i++) {
          int input = i / kernel / perGroup;
          channelOf[i] = input / inputsPerGroup * perGroup + i / kernel % perGroup;
        }
      }
      case "Gemm" -> {
        boolean transposed = linear.intAttribute("transB", 0) != 0;
        if (shape[transposed ? 0 : 1] != channels) {
          return Optional.empty();
        }
        for (int i = 0; i < size; i++) {
          channelOf[i] = transposed ? i / (int) shape[1] : i % channels;
        }
      }
      default -> {
        return Optional.empty();
      }
    }
    return Optional.of(channelOf);
  }
}
