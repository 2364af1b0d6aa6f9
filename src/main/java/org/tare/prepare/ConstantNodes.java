package org.tare.prepare;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/**
 * Makes initializers of {@code Constant} nodes, so that later passes find weights in one place; in
 * the graphs inside of nodes too.
 */
public final class ConstantNodes {
  private ConstantNodes() {}

  /** Changes the graph. */
  public static void apply(Graph graph) {
    List<Node> rest = new ArrayList<>();
    for (Node node : graph.nodes()) {
      Optional<Tensor> value = node.constantValue();
      if (value.isPresent() && !graph.isOutput(node.output(0))) {
        graph.addConstant(value.get());
      } else {
        rest.add(node);
      }
    }
    graph.setNodes(rest);
    graph.editSubgraphs(ConstantNodes::apply);
  }
}
