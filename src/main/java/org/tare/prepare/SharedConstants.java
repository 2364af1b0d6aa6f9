package org.tare.prepare;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/**
 * Keeps each constant once: readers of an Identity of a constant read the constant itself, and
 * large constants of the same type, shape and bytes become the first of them. Graphs inside of
 * nodes are gone through too; constants that they take from outside keep their names.
 */
public final class SharedConstants {
  /** Of smaller ones, the name says more than the bytes cost. */
  private static final int LEAST_BYTES = 1024;

  private final Graph graph;
  private final Set<String> captured = new HashSet<>();

  /** The name that is read instead of each other one. */
  private final Map<String, String> instead = new HashMap<>();

  private SharedConstants(Graph graph) {
    this.graph = graph;
    graph.nodes().forEach(node -> captured.addAll(node.captured()));
  }

  /** Changes the graph. */
  public static void apply(Graph graph) {
    SharedConstants shared = new SharedConstants(graph);
    shared.findEqual();
    shared.rename();
    graph.editSubgraphs(SharedConstants::apply);
  }

  private void findEqual() {
    Map<Object, String> first = new HashMap<>();
    for (Tensor tensor : List.copyOf(graph.constants())) {
      if (tensor.bytes() >= LEAST_BYTES && isFree(tensor.name())) {
        String known = first.putIfAbsent(tensor.content(), tensor.name());
        if (known != null) {
          instead.put(tensor.name(), known);
        }
      }
    }
  }

  /** Whether its readers can be told another name. */
  private boolean isFree(String tensor) {
    return !captured.contains(tensor) && !graph.isOutput(tensor);
  }

  private void rename() {
    List<Node> rest = new ArrayList<>();
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.inputs().size(); i++) {
        node.setInput(i, instead.getOrDefault(node.input(i), node.input(i)));
      }
      boolean passesOn =
          node.isStandard()
              && node.opType().equals("Identity")
              && graph.isConstant(node.input(0))
              && !graph.isOutput(node.output(0));
      if (!passesOn) {
        rest.add(node);
      } else if (captured.contains(node.output(0))) {
        graph.addConstant(graph.constant(node.input(0)).orElseThrow().withName(node.output(0)));
      } else {
        instead.put(node.output(0), node.input(0));
      }
    }
    graph.setNodes(rest);
    instead.keySet().forEach(graph::removeConstant);
  }
}
