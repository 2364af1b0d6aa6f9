package org.tare.prepare;

import org.tare.onnx.Graph;
import org.tare.onnx.Node;

/**
 * Takes attributes off average pools that change nothing: {@code count_include_pad} where nothing
 * is padded, and dilations of 1. ONNX Runtime's integer kernel does not know the one, and is wrong
 * for the other where windows stand out at the end.
 */
final class PlainPools {
  private PlainPools() {}

  static void apply(Graph graph) {
    for (Node node : graph.nodes()) {
      if (node.isStandard() && node.opType().equals("AveragePool")) {
        simplify(node);
      }
    }
    graph.editSubgraphs(PlainPools::apply);
  }

  private static void simplify(Node pool) {
    if (pool.intsAttribute("dilations").stream().allMatch(step -> step == 1)) {
      pool.removeAttribute("dilations");
    }
    String padding = pool.stringAttribute("auto_pad", "NOTSET");
    boolean isUnpadded =
        padding.equals("VALID")
            || (padding.equals("NOTSET")
                && pool.intsAttribute("pads").stream().allMatch(pad -> pad == 0));
    if (isUnpadded) {
      pool.removeAttribute("count_include_pad");
    }
  }
}
