package org.tare.prepare;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/**
 * Writes an Einsum that multiplies an activation by a constant matrix as a MatMul: {@code
 * "abc,cd->abd"}, or {@code "abc,dc->abd"} with the matrix transposed. The same function; other
 * equations stay. Graphs inside of nodes are rewritten too.
 */
final class EinsumToMatMul {
  private EinsumToMatMul() {}

  static void apply(Graph graph) {
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      nodes.add(product(graph, node).orElse(node));
    }
    graph.setNodes(nodes);
    graph.editSubgraphs(EinsumToMatMul::apply);
  }

  private static Optional<Node> product(Graph graph, Node node) {
    if (!node.isStandard() || !node.opType().equals("Einsum") || node.inputs().size() != 2) {
      return Optional.empty();
    }
    Tensor matrix = graph.constant(node.input(1)).filter(Tensor::isFloat).orElse(null);
    boolean isProduct = matrix != null && matrix.rank() == 2 && !graph.isConstant(node.input(0));
    String[] sides = node.stringAttribute("equation", "").replace(" ", "").split("->", -1);
    if (!isProduct || sides.length != 2) {
      return Optional.empty();
    }
    String[] terms = sides[0].split(",", -1);
    if (terms.length != 2 || terms[0].isEmpty() || terms[1].length() != 2) {
      return Optional.empty();
    }
    String data = terms[0];
    char summed = data.charAt(data.length() - 1);
    boolean isTransposed = terms[1].charAt(1) == summed;
    char column = terms[1].charAt(isTransposed ? 0 : 1);
    String rows = data.substring(0, data.length() - 1);
    boolean isMatMul =
        isPlain(data)
            && isPlain(terms[1])
            && terms[1].charAt(isTransposed ? 1 : 0) == summed
            && data.indexOf(column) < 0
            && sides[1].equals(rows + column);
    // Of size 1, the summed axis would spread over the data's.
    if (!isMatMul || matrix.dim(isTransposed ? 1 : 0) == 1) {
      return Optional.empty();
    }
    String weight = node.input(1);
    if (isTransposed) {
      weight = graph.freshName(weight + "_t");
      graph.addConstant(matrix.transposed(weight));
    }
    return Optional.of(
        Node.of("MatMul", node.name(), List.of(node.input(0), weight), node.outputs()));
  }

  /** Letters, none of them twice; the three dots for any axes stand first. */
  private static boolean isPlain(String term) {
    String letters = term.startsWith("...") ? term.substring(3) : term;
    return !letters.isEmpty()
        && letters.chars().allMatch(Character::isLetter)
        && letters.chars().distinct().count() == letters.length();
  }
}
