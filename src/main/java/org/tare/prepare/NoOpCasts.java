package org.tare.prepare;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;

/**
 * Leaves out each Cast of a tensor to the type that it has, which stands between layers and hides
 * one from the other. One that writes an output of the model, or that a graph inside of a node
 * reads, stays.
 */
final class NoOpCasts {
  private NoOpCasts() {}

  /**
   * Changes the model.
   *
   * @param types finds the types of its tensors; asked only if there is a Cast
   */
  static void apply(OnnxModel model, Function<OnnxModel, Map<String, TensorType>> types) {
    Graph graph = model.graph();
    if (graph.nodes().stream().noneMatch(NoOpCasts::isCast)) {
      return;
    }
    Map<String, TensorType> known = types.apply(model);
    Set<String> kept = new HashSet<>(graph.outputNames());
    graph.nodes().forEach(node -> kept.addAll(node.captured()));
    Map<String, String> instead = new HashMap<>();
    List<Node> rest = new ArrayList<>();
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.inputs().size(); i++) {
        node.setInput(i, instead.getOrDefault(node.input(i), node.input(i)));
      }
      TensorType type = isCast(node) ? known.get(node.input(0)) : null;
      boolean isNoOp =
          type != null
              && type.elementType().code() == node.intAttribute("to", 0)
              && !kept.contains(node.output(0));
      if (isNoOp) {
        instead.put(node.output(0), node.input(0));
      } else {
        rest.add(node);
      }
    }
    graph.setNodes(rest);
  }

  private static boolean isCast(Node node) {
    return node.isStandard() && node.opType().equals("Cast");
  }
}
