package org.tare.plan;

import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/** Embedding tables: large constant matrices whose rows a Gather looks up. */
public final class EmbeddingTables {
  /** Tables with fewer values gain nothing. */
  private static final int LEAST_TABLE = 1024;

  private EmbeddingTables() {}

  /** Whether the node looks rows up in such a table. */
  public static boolean isLookup(Graph graph, Node node) {
    return node.isStandard()
        && node.opType().equals("Gather")
        && node.intAttribute("axis", 0) == 0
        && graph
            .constant(node.input(0))
            .filter(Tensor::isFloat)
            .filter(table -> table.rank() == 2 && table.size() >= LEAST_TABLE)
            .isPresent();
  }
}
