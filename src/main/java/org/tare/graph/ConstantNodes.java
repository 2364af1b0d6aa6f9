package org.tare.graph;

import java.util.ArrayList;
import java.util.List;
import org.tare.graph.proto.Onnx.AttributeProto;

/**
 * Makes initializers of {@code Constant} nodes, so that later passes find weights in one place; in
 * the graphs inside of nodes too.
 */
final class ConstantNodes {
  private ConstantNodes() {}

  static void apply(Graph graph) {
    List<Node> rest = new ArrayList<>();
    for (Node node : graph.nodes()) {
      AttributeProto value = node.attribute("value").orElse(null);
      boolean isTensor = node.opType().equals("Constant") && node.isStandard() && value != null;
      if (isTensor && !graph.isOutput(node.output(0)) && value.hasT()) {
        graph.addConstant(value.getT().toBuilder().setName(node.output(0)).build());
      } else {
        rest.add(node);
      }
    }
    graph.setNodes(rest);
    graph.editSubgraphs(ConstantNodes::apply);
  }
}
