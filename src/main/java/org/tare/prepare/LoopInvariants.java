package org.tare.prepare;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;

/**
 * Lets the body of a Loop or Scan read constants from outside, where exporters carry them from one
 * iteration to the next unchanged:
 *
 * <pre>
 *   Loop(n, c, h, W) { (i, c, h, W) -> (.., f(h, W), Identity(W)) }
 *   Loop(n, c, h)    { (i, c, h)    -> (.., f(h, W)) }
 * </pre>
 *
 * Only then can W be seen to be a weight. Bodies inside of bodies are gone through too.
 */
public final class LoopInvariants {
  private final Graph graph;

  private LoopInvariants(Graph graph) {
    this.graph = graph;
  }

  /** Changes the graph. */
  public static void apply(Graph graph) {
    LoopInvariants invariants = new LoopInvariants(graph);
    List<Node> written = new ArrayList<>();
    for (Node node : graph.nodes()) {
      written.add(node);
      if (node.isStandard() && node.opType().equals("Loop")) {
        invariants.apply(node, 2, 2, 1, written);
      } else if (node.isStandard() && node.opType().equals("Scan")) {
        invariants.apply(node, 0, 0, 0, written);
      }
    }
    graph.setNodes(written);
    graph.editSubgraphs(LoopInvariants::apply);
  }

  /**
   * @param inputs of the node that stand before the carried ones
   * @param bodyInputs of its body that do
   * @param bodyOutputs of its body that do
   */
  private void apply(Node node, int inputs, int bodyInputs, int bodyOutputs, List<Node> written) {
    List<String> values = List.copyOf(node.inputs());
    int scanned = (int) node.intAttribute("num_scan_inputs", 0);
    List<Integer> dropped = new ArrayList<>();
    graph.editSubgraphs(
        node,
        body -> {
          Map<String, Node> producers = body.producers();
          Map<String, String> outer = new HashMap<>();
          // The Scan of set 8 has other inputs.
          boolean isKnown = body.inputNames().size() == bodyInputs + values.size() - inputs;
          for (int i = inputs; isKnown && i < values.size() - scanned; i++) {
            int carried = i - inputs;
            String inside = body.inputNames().get(bodyInputs + carried);
            String given = body.outputNames().get(bodyOutputs + carried);
            boolean hasOtherOutputs = dropped.size() + 1 < node.outputs().size();
            boolean isInvariant =
                hasOtherOutputs
                    && graph.isConstant(values.get(i))
                    && source(producers, given).equals(inside)
                    && !body.defines(values.get(i));
            if (isInvariant) {
              outer.put(inside, values.get(i));
              dropped.add(carried);
            }
          }
          for (int i = dropped.size() - 1; i >= 0; i--) {
            body.dropOutput(bodyOutputs + dropped.get(i));
          }
          outer.forEach(
              (inside, value) -> {
                body.dropInput(inside);
                // In place of renaming all readers, those in inner graphs included.
                List<Node> nodes = new ArrayList<>(body.nodes());
                nodes.add(Node.of("Identity", "", List.of(value), List.of(inside)));
                body.setNodes(nodes);
              });
          body.removeUnused();
        });
    for (int i = dropped.size() - 1; i >= 0; i--) {
      int carried = dropped.get(i);
      String result = node.output(carried);
      String value = values.get(inputs + carried);
      node.dropInput(inputs + carried);
      node.dropOutput(carried);
      if (!result.isEmpty()) {
        written.add(Node.of("Identity", "", List.of(value), List.of(result)));
      }
    }
  }

  /** The tensor that this one is, behind any Identity. */
  private static String source(Map<String, Node> producers, String tensor) {
    String source = tensor;
    Optional<Node> node = identity(producers, source);
    while (node.isPresent()) {
      source = node.get().input(0);
      node = identity(producers, source);
    }
    return source;
  }

  private static Optional<Node> identity(Map<String, Node> producers, String tensor) {
    return Optional.ofNullable(producers.get(tensor))
        .filter(node -> node.isStandard() && node.opType().equals("Identity"));
  }
}
