package org.tare.correct;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.prepare.LinearLayer;
import org.tare.qconfig.QConfigMapping;

/**
 * The layers of a float model whose biases can be corrected in sequence (the empirical bias
 * correction of Nagel et al. 2019, Data-Free Quantization): by how much the mean of an output
 * channel is greater in the quantized model than in the float one is taken off the bias, layer
 * after layer, each after those before it are corrected.
 *
 * <p>Layers are Conv, ConvTranspose, Gemm and MatMul that the configuration quantizes and that have
 * a place for a bias: of a MatMul, the Add of a constant vector after it.
 */
public final class BiasSequence {
  private final Graph graph;
  private final Map<String, List<Node>> consumers;
  private final Map<String, LinearLayer> layers = new LinkedHashMap<>();
  private final Map<Integer, List<String>> levels = new TreeMap<>();

  private BiasSequence(Graph graph, QConfigMapping mapping) {
    this.graph = graph;
    this.consumers = graph.consumers();
    Map<String, Integer> depths = new HashMap<>();
    for (Node node : graph.nodes()) {
      int depth =
          Stream.concat(node.inputs().stream(), node.captured().stream())
              .mapToInt(input -> depths.getOrDefault(input, 0))
              .max()
              .orElse(0);
      Optional<LinearLayer> layer = layer(node, mapping);
      if (layer.isPresent()) {
        layers.put(layer.get().output(), layer.get());
        levels.computeIfAbsent(depth, d -> new ArrayList<>()).add(layer.get().output());
        depth++;
      }
      for (String output : node.outputs()) {
        depths.put(output, depth);
      }
    }
  }

  private Optional<LinearLayer> layer(Node node, QConfigMapping mapping) {
    boolean isQuantized = mapping.of(node.opType(), node.label(), node.output(0)).quantized();
    if (!isQuantized || graph.isConstant(node.input(0))) {
      return Optional.empty();
    }
    return LinearLayer.of(graph, consumers, node)
        .filter(layer -> layer.takesBias() && layer.bias().isPresent());
  }

  /**
   * The tensors that the layers of a model give, bias included, in the order of their correction:
   * those of one level do not depend on each other.
   */
  public static List<List<String>> levels(OnnxModel prepared, QConfigMapping mapping) {
    return List.copyOf(new BiasSequence(prepared.graph(), mapping).levels.values());
  }

  /**
   * The axis of the channels of each layer's result, counted from the end.
   *
   * @param outputs as {@link #levels} gives them
   */
  public static Map<String, Integer> axes(
      OnnxModel prepared, QConfigMapping mapping, List<String> outputs) {
    BiasSequence sequence = new BiasSequence(prepared.graph(), mapping);
    Map<String, Integer> axes = new LinkedHashMap<>();
    for (String output : outputs) {
      LinearLayer layer = sequence.layers.get(output);
      axes.put(output, layer.hasChannelsLast() ? -1 : 1 - layer.weightRank());
    }
    return axes;
  }

  /**
   * The tensor of the quantized model that holds what the layer gives there, before an activation
   * function that went into its integers.
   */
  public static String inQuantized(OnnxModel prepared, OnnxModel quantized, String output) {
    Map<String, Node> written = quantized.graph().producers();
    Map<String, List<Node>> readers = prepared.graph().consumers();
    String current = output;
    while (!written.containsKey(current)) {
      String missing = current;
      current =
          prepared
              .graph()
              .soleReader(readers, current)
              .map(function -> function.output(0))
              .orElseThrow(
                  () -> new IllegalStateException("no tensor stands for \"" + missing + "\""));
    }
    // An output of the model has its name after the rounding.
    Node writer = written.get(current);
    if (writer.opType().equals("DequantizeLinear")) {
      Node rounds = written.get(writer.input(0));
      boolean isPair = rounds != null && rounds.opType().equals("QuantizeLinear");
      return isPair ? rounds.input(0) : current;
    }
    return current;
  }

  /**
   * A copy of the float model with these shifts taken off the biases of layers; its digest is the
   * given one's, so that states stay its.
   *
   * @param shifts one value per channel, by the layer's tensor
   */
  public static OnnxModel correct(
      OnnxModel prepared, QConfigMapping mapping, Map<String, double[]> shifts) {
    OnnxModel copy = prepared.copy();
    BiasSequence sequence = new BiasSequence(copy.graph(), mapping);
    shifts.forEach(
        (output, shift) -> {
          LinearLayer layer = sequence.layers.get(output);
          double[] bias = layer.bias().orElseThrow();
          for (int c = 0; c < bias.length; c++) {
            bias[c] -= shift[c];
          }
          layer.setBias(bias);
        });
    copy.graph().removeUnused();
    return copy;
  }
}
