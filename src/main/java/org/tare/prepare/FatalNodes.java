package org.tare.prepare;

import java.util.Optional;
import org.tare.TareException;
import org.tare.onnx.Attention;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.passes.HugeTensors;

/**
 * Nodes on which ONNX Runtime 1.29 ends the process instead of saying that it can't run them, and
 * with it an executor of Spark: those that are not valid, each found by the fuzz, and those that
 * ask for more memory than there is.
 */
public final class FatalNodes {
  private FatalNodes() {}

  /**
   * Does nothing if the model has none, inside of its nodes too.
   *
   * @throws TareException that names the node and what it lacks
   */
  public static void check(OnnxModel model) {
    check(model.graph());
    HugeTensors.check(model.graph());
  }

  private static void check(Graph graph) {
    for (Node node : graph.nodes()) {
      Optional<String> lacks = lacks(node);
      if (lacks.isPresent()) {
        throw TareException.badInput(
            "Cannot run %s: it has %s, and ONNX Runtime reads it all the same, which ends the"
                + " process",
            node, lacks.get());
      }
    }
    graph.readSubgraphs(FatalNodes::check);
  }

  private static Optional<String> lacks(Node node) {
    if (Attention.matches(node) && node.input(2).isEmpty()) {
      return Optional.of("no bias (one of zeros would do)");
    }
    boolean isEinsum = node.isStandard() && node.opType().equals("Einsum");
    if (isEinsum && node.inputs().stream().anyMatch(String::isEmpty)) {
      return Optional.of("an input without a name");
    }
    boolean isSplit = node.isStandard() && node.opType().equals("Split");
    if (isSplit && node.outputs().stream().anyMatch(String::isEmpty)) {
      return Optional.of("an output without a name");
    }
    return Optional.empty();
  }
}
