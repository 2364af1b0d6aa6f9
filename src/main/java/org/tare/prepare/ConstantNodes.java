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
final class ConstantNodes {
  private ConstantNodes() {}

  static void apply(Graph graph) {
    List<Node> rest = new ArrayList<>();
    for (Node node : graph.nodes()) {
      boolean isConstant = node.opType().equals("Constant") && node.isStandard();
      Optional<Tensor> value = isConstant ? node.tensorAttribute("value") : Optional.empty();
      if (value.isPresent() && !graph.isOutput(node.output(0))) {
        graph.addConstant(value.get().withName(node.output(0)));
      } else {
        rest.add(node);
      }
    }
    graph.setNodes(rest);
    graph.editSubgraphs(ConstantNodes::apply);
  }
}
