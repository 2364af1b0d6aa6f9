package org.tare.prepare;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Operators;
import org.tare.onnx.Tensor;

/**
 * Leaves out a Transpose and the one behind it that undoes it, with what lies between computed in
 * the order of axes before them: functions of one value, and arithmetic with a constant per channel
 * or for all. Exporters of models whose channels stand last write such pairs around every
 * convolution; between them, neither arithmetic nor activation functions can be seen to be the
 * convolution's.
 */
final class CancelTransposes {
  private static final Set<String> FUNCTIONS =
      Set.of(
          "Abs",
          "Clip",
          "Elu",
          "Erf",
          "Exp",
          "Gelu",
          "HardSigmoid",
          "HardSwish",
          "Identity",
          "LeakyRelu",
          "Neg",
          "Relu",
          "Selu",
          "Sigmoid",
          "Softplus",
          "Softsign",
          "Sqrt",
          "Tanh");

  private final Graph graph;
  private final Map<String, List<Node>> consumers;
  private final Set<String> kept;
  private final Map<String, String> instead = new HashMap<>();
  private final Set<Node> gone = new HashSet<>();

  private CancelTransposes(Graph graph) {
    this.graph = graph;
    this.consumers = graph.consumers();
    this.kept = new HashSet<>(graph.outputNames());
    graph.nodes().forEach(node -> kept.addAll(node.captured()));
  }

  /** Cancels all it finds; returns how many pairs. */
  static int apply(Graph graph) {
    CancelTransposes cancel = new CancelTransposes(graph);
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.inputs().size(); i++) {
        node.setInput(i, cancel.instead.getOrDefault(node.input(i), node.input(i)));
      }
      if (!cancel.gone.contains(node)) {
        order(node).ifPresent(order -> cancel.cancel(node, order));
      }
    }
    if (!cancel.gone.isEmpty()) {
      graph.setNodes(graph.nodes().stream().filter(node -> !cancel.gone.contains(node)).toList());
      graph.removeUnused();
    }
    return cancel.gone.size() / 2;
  }

  private static Optional<long[]> order(Node node) {
    List<Long> order = node.intsAttribute("perm");
    return node.isStandard() && node.opType().equals("Transpose") && !order.isEmpty()
        ? Optional.of(order.stream().mapToLong(Long::longValue).toArray())
        : Optional.empty();
  }

  private void cancel(Node first, long[] order) {
    List<Node> between = new ArrayList<>();
    Optional<Node> next = soleReader(first.output(0));
    String tensor = first.output(0);
    while (next.isPresent() && isPassed(next.get(), tensor, order.length)) {
      between.add(next.get());
      tensor = next.get().output(0);
      next = soleReader(tensor);
    }
    Node second = next.orElse(null);
    boolean undoes =
        second != null && order(second).filter(back -> areInverse(order, back)).isPresent();
    String result = undoes ? second.output(0) : "";
    if (!undoes || (between.isEmpty() && kept.contains(result))) {
      return;
    }
    gone.add(first);
    gone.add(second);
    if (between.isEmpty()) {
      instead.put(result, first.input(0));
      return;
    }
    String given = first.input(0);
    String read = first.output(0);
    for (Node node : between) {
      for (int i = 0; i < node.inputs().size(); i++) {
        if (node.input(i).equals(read)) {
          node.setInput(i, given);
        } else if (isArithmetic(node)) {
          node.setInput(i, turned(node.input(i), order));
        }
      }
      read = node.output(0);
      // Not by its old name: the order of its axes is another.
      given = graph.freshName(read + "_turned");
      node.setOutput(0, given);
    }
    between.get(between.size() - 1).setOutput(0, result);
  }

  private Optional<Node> soleReader(String tensor) {
    return kept.contains(tensor)
        ? Optional.empty()
        : graph.soleReader(consumers, tensor).filter(node -> !gone.contains(node));
  }

  private static boolean isArithmetic(Node node) {
    return node.isStandard() && Operators.ARITHMETIC.contains(node.opType());
  }

  /** Whether a node gives the same values with the axes of this tensor in another order. */
  private boolean isPassed(Node node, String tensor, int rank) {
    boolean isFunction =
        node.isStandard() && FUNCTIONS.contains(node.opType()) && node.input(0).equals(tensor);
    if (isFunction || !isArithmetic(node)) {
      return isFunction;
    }
    String other = node.input(node.input(0).equals(tensor) ? 1 : 0);
    return graph
        .constant(other)
        .filter(constant -> constant.isFloat() && constant.rank() <= rank)
        .filter(constant -> Arrays.stream(constant.shape()).filter(size -> size != 1).count() <= 1)
        .isPresent();
  }

  private static boolean areInverse(long[] first, long[] second) {
    boolean areInverse = first.length == second.length;
    for (int i = 0; areInverse && i < first.length; i++) {
      areInverse = first[(int) second[i]] == i;
    }
    return areInverse;
  }

  /** A constant along one axis, at the place of that axis before the first Transpose. */
  private String turned(String constant, long[] order) {
    Tensor tensor = graph.constant(constant).orElseThrow();
    if (tensor.rank() == 0) {
      return constant;
    }
    long[] shape = new long[order.length];
    Arrays.fill(shape, 1);
    int missing = order.length - tensor.rank();
    for (int i = 0; i < tensor.rank(); i++) {
      shape[(int) order[missing + i]] = tensor.dim(i);
    }
    String name = graph.freshName(constant + "_turned");
    graph.addConstant(Tensor.ofFloats(name, shape, tensor.floats()));
    return name;
  }
}
