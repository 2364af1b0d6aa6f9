package org.tare.onnx.beside;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;

/**
 * The tensors of a float model that a quantized form of it computes too, under the same names.
 * Quantizers keep these names: what they add (integers, pairs) is named anew, and what they take
 * away (a Relu whose clipping the rounding does) is missing.
 */
public final class SharedTensors {
  private SharedTensors() {}

  /** Inputs and results of nodes that both graphs have, in the order of the float graph. */
  public static Set<String> of(Graph floats, Graph quantized) {
    Set<String> shared = new LinkedHashSet<>(tensors(floats));
    shared.retainAll(tensors(quantized));
    return shared;
  }

  private static Set<String> tensors(Graph graph) {
    Set<String> all = new LinkedHashSet<>(graph.inputNames());
    graph.nodes().forEach(node -> all.addAll(node.outputs()));
    all.remove("");
    return all;
  }

  /**
   * The nodes that round a tensor for those that read it: QuantizeLinear, perhaps a Clip of the
   * integers, DequantizeLinear.
   *
   * @param nodes in order; the last one's output is what readers see
   */
  public record Rounding(List<Node> nodes) {
    public Rounding {
      nodes = List.copyOf(nodes);
    }

    /** What readers see. */
    public String seen() {
      return nodes.get(nodes.size() - 1).output(0);
    }
  }

  /** The roundings of a quantized graph, by the tensor that they round. */
  public static Map<String, Rounding> roundings(Graph quantized) {
    Map<String, List<Node>> consumers = quantized.consumers();
    Map<String, Rounding> roundings = new LinkedHashMap<>();
    for (Node node : quantized.nodes()) {
      boolean rounds = is(node, "QuantizeLinear") && !quantized.isConstant(node.input(0));
      if (rounds && !roundings.containsKey(node.input(0))) {
        List<Node> chain = chain(node, consumers);
        if (!chain.isEmpty()) {
          roundings.put(node.input(0), new Rounding(chain));
        }
      }
    }
    return roundings;
  }

  private static List<Node> chain(Node quantize, Map<String, List<Node>> consumers) {
    List<Node> chain = new ArrayList<>(List.of(quantize));
    String integers = quantize.output(0);
    while (true) {
      List<Node> readers = consumers.getOrDefault(integers, List.of());
      Node next =
          readers.stream().filter(one -> is(one, "DequantizeLinear")).findFirst().orElse(null);
      if (next != null) {
        chain.add(next);
        return chain;
      }
      Node clip = readers.stream().filter(one -> is(one, "Clip")).findFirst().orElse(null);
      if (clip == null) {
        return List.of();
      }
      chain.add(clip);
      integers = clip.output(0);
    }
  }

  private static boolean is(Node node, String opType) {
    boolean isKnown = node.isStandard() || node.domain().equals(Node.MICROSOFT);
    return isKnown && node.opType().equals(opType);
  }
}
