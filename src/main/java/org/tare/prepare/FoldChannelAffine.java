package org.tare.prepare;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/**
 * Folds arithmetic with a constant per channel, or with one for all, into the Conv, ConvTranspose
 * or Gemm before it: {@code Mul}, {@code Add}, {@code x - c} and {@code x / c}.
 *
 * <pre>
 *   w' = w * factor
 *   b' = b * factor + offset
 * </pre>
 *
 * per output channel, computed in float64: the same function, up to float32 rounding. Exporters
 * write a layer's bias so, or a learned affine after it. Only where the node is the single reader
 * of the result, its constant spreads over nothing but the result's own shape, and the factor is a
 * normal number: 0 times an infinity is not 0.
 */
final class FoldChannelAffine {
  private final Graph graph;
  private final Map<String, Node> producers;
  private final Map<String, List<Node>> consumers;

  /** A float32 constant, or a constant that a Reshape gives another shape. */
  private record Constant(long[] shape, float[] values) {}

  private FoldChannelAffine(Graph graph) {
    this.graph = graph;
    this.producers = graph.producers();
    this.consumers = graph.consumers();
  }

  /** Folds all it can; returns how many nodes. */
  static int apply(Graph graph) {
    FoldChannelAffine fold = new FoldChannelAffine(graph);
    List<Node> rest = new ArrayList<>();
    int folded = 0;
    for (Node node : graph.nodes()) {
      if (fold.fold(node)) {
        folded++;
      } else {
        rest.add(node);
      }
    }
    if (folded > 0) {
      graph.setNodes(rest);
      graph.removeUnused();
    }
    return folded;
  }

  private boolean fold(Node node) {
    if (!node.isStandard()) {
      return false;
    }
    return switch (node.opType()) {
      case "Mul", "Add" -> fold(node, 0) || fold(node, 1);
      case "Sub", "Div" -> fold(node, 0);
      default -> false;
    };
  }

  private boolean fold(Node node, int layerInput) {
    String result = node.input(layerInput);
    Node linear = producers.get(result);
    if (linear == null || consumers.get(result).size() != 1 || graph.isOutput(result)) {
      return false;
    }
    Optional<LinearLayer> layer = LinearLayer.of(graph, linear);
    Optional<double[]> operand = layer.flatMap(l -> perChannel(l, node.input(1 - layerInput)));
    if (operand.isEmpty()) {
      return false;
    }
    double[] factor = LinearLayer.ones(operand.get().length);
    double[] offset = new double[factor.length];
    for (int c = 0; c < factor.length; c++) {
      double value = operand.get()[c];
      switch (node.opType()) {
        case "Mul" -> factor[c] = value;
        case "Div" -> factor[c] = 1 / value;
        case "Sub" -> offset[c] = -value;
        default -> offset[c] = value;
      }
      double magnitude = Math.abs(factor[c]);
      boolean isNormal = magnitude >= Float.MIN_NORMAL && magnitude <= Float.MAX_VALUE;
      if (!isNormal || !Double.isFinite(offset[c])) {
        return false;
      }
    }
    if (!layer.get().foldAffine(new double[factor.length], factor, offset)) {
      return false;
    }
    linear.setOutput(0, node.output(0));
    producers.put(node.output(0), linear);
    return true;
  }

  /** The constant's value for each output channel of the layer, if it is one per channel. */
  private Optional<double[]> perChannel(LinearLayer layer, String tensor) {
    Constant constant = constant(tensor).orElse(null);
    if (constant == null) {
      return Optional.empty();
    }
    int rank = layer.hasChannelsLast() ? 2 : layer.weightRank();
    int missing = rank - constant.shape().length;
    boolean isOfChannels = missing >= 0;
    for (int i = 0; i < constant.shape().length; i++) {
      long size = constant.shape()[i];
      isOfChannels &= size == 1 || (i + missing == 1 && size == layer.outputs());
    }
    if (!isOfChannels) {
      return Optional.empty();
    }
    double[] values = new double[layer.outputs()];
    for (int c = 0; c < values.length; c++) {
      values[c] = constant.values()[constant.values().length == 1 ? 0 : c];
    }
    return Optional.of(values);
  }

  private Optional<Constant> constant(String tensor) {
    Tensor stored = graph.constant(tensor).filter(Tensor::isFloat).orElse(null);
    if (stored != null) {
      return Optional.of(new Constant(stored.shape(), stored.floats()));
    }
    Node reshape = producers.get(tensor);
    if (reshape == null || !reshape.isStandard() || !reshape.opType().equals("Reshape")) {
      return Optional.empty();
    }
    Tensor data = graph.constant(reshape.input(0)).filter(Tensor::isFloat).orElse(null);
    Tensor wanted = graph.constant(reshape.input(1)).orElse(null);
    if (data == null || wanted == null) {
      return Optional.empty();
    }
    long[] shape = wanted.longs();
    long known = 1;
    for (long size : shape) {
      known *= size == -1 ? 1 : size;
    }
    // A size of 0, which copies one of the data's, is left alone.
    long all = data.size();
    if (known <= 0 || all % known != 0) {
      return Optional.empty();
    }
    long rest = all / known;
    return Optional.of(
        new Constant(
            Arrays.stream(shape).map(size -> size == -1 ? rest : size).toArray(), data.floats()));
  }
}
