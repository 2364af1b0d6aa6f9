package org.tare.prepare;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;

/**
 * Writes {@code x * Clip(x + 3, 0, 6) / 6} as {@code x * HardSigmoid(x)} with alpha 1/6 and beta
 * 1/2: the same up to float32 rounding, in two operators for four, so that fewer tensors lie
 * between two convolutions.
 */
final class FuseHardSwish {
  private final Graph graph;
  private final Map<String, Node> producers;
  private final Map<String, List<Node>> consumers;

  private FuseHardSwish(Graph graph) {
    this.graph = graph;
    this.producers = graph.producers();
    this.consumers = graph.consumers();
  }

  /** Fuses all it finds; returns how many. */
  static int apply(Graph graph) {
    FuseHardSwish fuse = new FuseHardSwish(graph);
    Map<Node, Node> gates = new HashMap<>();
    Set<Node> gone = new HashSet<>();
    for (Node node : graph.nodes()) {
      fuse.match(node, gates, gone);
    }
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (gates.containsKey(node)) {
        nodes.add(gates.get(node));
      }
      if (!gone.contains(node)) {
        nodes.add(node);
      }
    }
    graph.setNodes(nodes);
    graph.removeUnused();
    return gates.size();
  }

  /** Matches from the division backwards. */
  private void match(Node divide, Map<Node, Node> gates, Set<Node> gone) {
    if (!is(divide, "Div") || !isScalar(divide.input(1), 6f)) {
      return;
    }
    Node product = producers.get(divide.input(0));
    if (product == null || !is(product, "Mul") || !isOnlyReadBy(product, divide)) {
      return;
    }
    for (int i = 0; i < 2; i++) {
      Node clip = producers.get(product.input(i));
      String x = product.input(1 - i);
      if (clip == null
          || !is(clip, "Clip")
          || !isScalar(clip.input(1), 0f)
          || !isScalar(clip.input(2), 6f)
          || !isOnlyReadBy(clip, product)) {
        continue;
      }
      Node sum = producers.get(clip.input(0));
      boolean isShifted =
          sum != null
              && is(sum, "Add")
              && isOnlyReadBy(sum, clip)
              && ((sum.input(0).equals(x) && isScalar(sum.input(1), 3f))
                  || (sum.input(1).equals(x) && isScalar(sum.input(0), 3f)));
      if (isShifted) {
        Node gate = Node.of("HardSigmoid", sum.name(), List.of(x), List.of(clip.output(0)));
        gate.setFloat("alpha", 1f / 6);
        gate.setFloat("beta", 0.5f);
        product.setOutput(0, divide.output(0));
        gates.put(product, gate);
        gone.addAll(List.of(sum, clip, divide));
        return;
      }
    }
  }

  private static boolean is(Node node, String opType) {
    return node.isStandard() && node.opType().equals(opType);
  }

  private boolean isOnlyReadBy(Node node, Node reader) {
    List<Node> readers = consumers.getOrDefault(node.output(0), List.of());
    return readers.size() == 1 && readers.get(0) == reader && !graph.isOutput(node.output(0));
  }

  private boolean isScalar(String tensor, float value) {
    Optional<float[]> constant = graph.floatConstant(tensor);
    return constant.isPresent() && constant.get().length == 1 && constant.get()[0] == value;
  }
}
