package org.tare.infer;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.prepare.ConstantNodes;

/**
 * Constants that were folded and then stayed float go back to the form that the float model has
 * them in, where that is smaller: float16 with a Cast, one matrix for itself and its transpose, a
 * shape in place of a table. The values are the same, bit for bit.
 */
public final class StoredForms {
  /** Operators whose form is the same in every set that Tare reads. */
  private static final Set<String> SAME_IN_ALL_SETS =
      Set.of(
          "Add",
          "Cast",
          "Concat",
          "ConstantOfShape",
          "Div",
          "Expand",
          "Flatten",
          "Gather",
          "Identity",
          "Mul",
          "Range",
          "Reshape",
          "Shape",
          "Sub",
          "Tile",
          "Transpose");

  /** About what a node takes besides its names. */
  private static final int NODE_BYTES = 40;

  private final Graph written;
  private final Graph original;
  private final boolean isSameSet;
  private final Map<String, Node> originalProducers;
  private final Set<String> producedNow;

  /** How a constant is computed in the float model. */
  private record Form(Set<Node> nodes, Map<String, Tensor> added) {
    long bytes() {
      long bytes = added.values().stream().mapToLong(Tensor::bytes).sum();
      for (Node node : nodes) {
        bytes += NODE_BYTES + node.name().length();
        bytes += node.outputs().stream().mapToInt(String::length).sum();
      }
      return bytes;
    }
  }

  private StoredForms(OnnxModel written, OnnxModel original) {
    this.written = written.graph();
    this.original = original.graph();
    this.isSameSet = written.opset() == original.opset();
    this.originalProducers = original.graph().producers();
    this.producedNow = new HashSet<>(written.graph().producers().keySet());
  }

  /**
   * Changes the written model.
   *
   * @param original the float model as it was read
   * @param name what to call the model in messages
   */
  public static void restore(OnnxModel written, OnnxModel original, String name) {
    OnnxModel base = original.copy();
    ConstantNodes.apply(base.graph());
    StoredForms forms = new StoredForms(written, base);
    List<Tensor> folded = forms.folded();
    if (!folded.isEmpty()) {
      Graph values = ConstantFolding.apply(original, name).graph();
      folded.forEach(tensor -> forms.restore(tensor, values));
    }
  }

  /** The constants of the written model that nodes of the float model compute, largest first. */
  private List<Tensor> folded() {
    return written.constants().stream()
        .filter(tensor -> originalProducers.containsKey(tensor.name()))
        .filter(tensor -> tensor.bytes() > NODE_BYTES && !written.isOutput(tensor.name()))
        .sorted(Comparator.comparing(Tensor::bytes).reversed().thenComparing(Tensor::name))
        .toList();
  }

  private void restore(Tensor tensor, Graph values) {
    boolean isSame =
        values
            .constant(tensor.name())
            .filter(value -> value.content().equals(tensor.content()))
            .isPresent();
    Optional<Form> form = isSame ? form(tensor.name(), values) : Optional.empty();
    if (form.isEmpty() || form.get().bytes() >= tensor.bytes()) {
      return;
    }
    form.get().added().values().forEach(written::addConstant);
    written.removeConstant(tensor.name());
    List<Node> nodes = new ArrayList<>(form.get().nodes());
    nodes.forEach(node -> producedNow.addAll(node.outputs()));
    nodes.addAll(written.nodes());
    written.setNodes(nodes);
  }

  /** What has to be added to compute a constant; empty if that can't be done. */
  private Optional<Form> form(String constant, Graph values) {
    Set<Node> nodes = new LinkedHashSet<>();
    Map<String, Tensor> added = new LinkedHashMap<>();
    Deque<String> open = new ArrayDeque<>(List.of(constant));
    while (!open.isEmpty()) {
      String tensor = open.pop();
      Node node = originalProducers.get(tensor);
      Optional<Tensor> source = original.constant(tensor);
      Optional<Tensor> known = written.constant(tensor);
      if (source.isPresent()) {
        boolean isThere = known.filter(t -> t.content().equals(source.get().content())).isPresent();
        if ((known.isPresent() && !isThere) || producedNow.contains(tensor)) {
          return Optional.empty();
        }
        if (!isThere) {
          added.put(tensor, source.get());
        }
      } else if (!tensor.equals(constant) && known.isPresent()) {
        // Another folded constant, which stays.
        Optional<Object> value = values.constant(tensor).map(Tensor::content);
        if (!value.equals(known.map(Tensor::content))) {
          return Optional.empty();
        }
      } else if (node == null || !isPortable(node) || isTaken(node)) {
        return Optional.empty();
      } else if (nodes.add(node)) {
        node.inputs().stream().filter(input -> !input.isEmpty()).forEach(open::push);
      }
    }
    return Optional.of(new Form(nodes, added));
  }

  private boolean isPortable(Node node) {
    return node.isStandard()
        && node.subgraphs().isEmpty()
        && (isSameSet || SAME_IN_ALL_SETS.contains(node.opType()));
  }

  private boolean isTaken(Node node) {
    return node.outputs().stream().anyMatch(producedNow::contains);
  }

  /**
   * Stores constants that the float model has in float16, and that stayed float, so again.
   *
   * @param original the float model as it was read
   */
  public static void restoreHalf(OnnxModel written, OnnxModel original) {
    Graph graph = written.graph();
    List<Node> nodes = new ArrayList<>();
    for (Tensor tensor : List.copyOf(graph.constants())) {
      Optional<Tensor> half =
          original
              .graph()
              .constant(tensor.name())
              .filter(stored -> stored.type() == ElementType.FLOAT16);
      boolean isWider =
          half.isPresent()
              && tensor.isFloat()
              && half.get().bytes() > NODE_BYTES
              && !graph.isOutput(tensor.name())
              && Arrays.equals(half.get().numbers(), tensor.numbers());
      if (isWider) {
        String name = graph.freshName(tensor.name() + "_half");
        graph.addConstant(half.get().withName(name));
        graph.removeConstant(tensor.name());
        Node cast = Node.of("Cast", "", List.of(name), List.of(tensor.name()));
        cast.setInt("to", ElementType.FLOAT32.code());
        nodes.add(cast);
      }
    }
    if (!nodes.isEmpty()) {
      nodes.addAll(graph.nodes());
      graph.setNodes(nodes);
    }
  }
}
