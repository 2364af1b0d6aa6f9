package org.tare.prepare;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;

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
  private final Map<String, Moments> moments;
  private final Consumer<FoldedBatchNormalization> folded;

  /** What a normalization says of its result: each channel's standard deviation and mean. */
  record Moments(float[] gamma, float[] beta) {}

  private FoldBatchNormalization(
      Graph graph, Map<String, Moments> moments, Consumer<FoldedBatchNormalization> folded) {
    this.graph = graph;
    this.producers = graph.producers();
    this.consumers = graph.consumers();
    this.moments = moments;
    this.folded = folded;
  }

  /** Folds all it can; returns how many. */
  static int apply(Graph graph) {
    return apply(graph, new HashMap<>(), one -> {});
  }

  /**
   * Folds all it can; returns how many.
   *
   * @param moments gets those of each result, by the tensor's name
   * @param folded gets what each was made of
   */
  static int apply(
      Graph graph, Map<String, Moments> moments, Consumer<FoldedBatchNormalization> folded) {
    FoldBatchNormalization fold = new FoldBatchNormalization(graph, moments, folded);
    List<Node> rest = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (node.isStandard() && node.opType().equals("BatchNormalization") && fold.fold(node)) {
        continue;
      }
      rest.add(node);
    }
    int count = graph.nodes().size() - rest.size();
    graph.setNodes(rest);
    graph.removeUnused();
    return count;
  }

  private boolean fold(Node norm) {
    Node linear = producers.get(norm.input(0));
    boolean trains = norm.intAttribute("training_mode", 0) != 0;
    boolean hasStatisticsOutputs =
        norm.outputs().stream().skip(1).anyMatch(output -> !output.isEmpty());
    if (linear == null
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
    Optional<LinearLayer> layer = LinearLayer.of(graph, linear);
    if (gamma.isEmpty()
        || beta.isEmpty()
        || mean.isEmpty()
        || variance.isEmpty()
        || layer.isEmpty()) {
      return false;
    }
    double epsilon = norm.floatAttribute("epsilon", 1e-5f);
    int channels = gamma.get().length;
    double[] factor = new double[channels];
    for (int c = 0; c < channels; c++) {
      factor[c] = gamma.get()[c] / Math.sqrt(variance.get()[c] + epsilon);
    }
    float[] weight = layer.get().weight();
    Optional<double[]> bias = layer.get().bias();
    if (!layer.get().foldAffine(doubles(mean.get()), factor, doubles(beta.get()))) {
      return false;
    }
    folded.accept(
        new FoldedBatchNormalization(
            norm.label(),
            norm.output(0),
            weight,
            bias.orElseThrow(),
            gamma.get(),
            beta.get(),
            mean.get(),
            variance.get(),
            epsilon,
            layer.get().outputChannels(),
            graph.floatConstant(linear.input(1)).orElseThrow(),
            graph.floatConstant(linear.input(2)).orElseThrow()));
    linear.setOutput(0, norm.output(0));
    producers.put(norm.output(0), linear);
    moments.put(norm.output(0), new Moments(gamma.get(), beta.get()));
    return true;
  }

  private static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    Arrays.setAll(doubles, i -> values[i]);
    return doubles;
  }
}
