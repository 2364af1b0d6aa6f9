package org.tare.correct;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;

/**
 * Finds the tensors that {@link SmoothQuant} can divide: those that quantized products read, and
 * those that convolutions read after arithmetic with constants.
 */
final class SmoothGroups {
  private final Graph graph;
  private final QConfigMapping mapping;
  private final Map<String, List<Node>> consumers;
  private final Map<String, Node> producers;

  private SmoothGroups(Graph graph, QConfigMapping mapping) {
    this.graph = graph;
    this.mapping = mapping;
    this.consumers = graph.consumers();
    this.producers = graph.producers();
  }

  /**
   * The products that read a tensor.
   *
   * @param config of the first of them
   * @param arithmetic before the tensor whose constants can take factors, the last node first;
   *     empty if there is none
   */
  record Group(
      String tensor,
      List<Node> products,
      List<ChannelWeight> weights,
      QConfig config,
      List<Node> arithmetic) {
    boolean isMatrix() {
      return weights.get(0).isMatrix();
    }

    int channels() {
      return weights.get(0).channels();
    }
  }

  /**
   * The groups in the order of the graph. None for backends that round every result: they would
   * round the division too.
   */
  static List<Group> of(Graph graph, QConfigMapping mapping) {
    if (mapping.backend().roundsProducts()) {
      return List.of();
    }
    SmoothGroups search = new SmoothGroups(graph, mapping);
    List<Group> groups = new ArrayList<>();
    Set<String> seen = new LinkedHashSet<>();
    for (Node node : graph.nodes()) {
      if (ChannelWeight.of(graph, node).isPresent() && seen.add(node.input(0))) {
        search.group(node.input(0)).ifPresent(groups::add);
      }
    }
    return groups;
  }

  private Optional<Group> group(String tensor) {
    List<Node> products = new ArrayList<>();
    List<ChannelWeight> weights = new ArrayList<>();
    QConfig first = null;
    List<Node> readers = consumers.getOrDefault(tensor, List.of());
    for (Node reader : readers) {
      QConfig config = mapping.of(reader.opType(), reader.label(), reader.output(0));
      Optional<ChannelWeight> weight =
          reader.input(0).equals(tensor) && config.quantized()
              ? ChannelWeight.of(graph, reader)
              : Optional.empty();
      boolean isAlike =
          weight.isPresent()
              && (weights.isEmpty()
                  || (weights.get(0).channels() == weight.get().channels()
                      && weights.get(0).isMatrix() == weight.get().isMatrix()));
      if (isAlike) {
        products.add(reader);
        weights.add(weight.get());
        first = first == null ? config : first;
      }
    }
    if (products.isEmpty()) {
      return Optional.empty();
    }
    List<Node> arithmetic =
        products.size() == readers.size() && !graph.isOutput(tensor)
            ? arithmetic(tensor, weights.get(0))
            : List.of();
    return weights.get(0).isMatrix() || !arithmetic.isEmpty()
        ? Optional.of(new Group(tensor, products, weights, first, arithmetic))
        : Optional.empty();
  }

  /** The Mul, the Adds with the Mul before them, or the LayerNormalization, with constants. */
  private List<Node> arithmetic(String tensor, ChannelWeight weight) {
    List<Node> chain = new ArrayList<>();
    String current = tensor;
    while (true) {
      Node node = producers.get(current);
      boolean isOwn = chain.isEmpty() || isReadOnce(current);
      if (node == null || !node.isStandard() || !isOwn) {
        return List.of();
      }
      if (node.opType().equals("LayerNormalization")) {
        chain.add(node);
        return takesFactors(node, weight) ? chain : List.of();
      }
      int constant = constantInput(node, weight);
      boolean isMul = node.opType().equals("Mul");
      if (constant < 0 || !(isMul || node.opType().equals("Add"))) {
        return List.of();
      }
      chain.add(node);
      if (isMul) {
        return chain;
      }
      current = node.input(1 - constant);
    }
  }

  private boolean takesFactors(Node normalization, ChannelWeight weight) {
    boolean hasShift = !normalization.input(2).isEmpty();
    return weight.isMatrix()
        && normalization.intAttribute("axis", -1) == -1
        && normalization.outputs().size() == 1
        && isPerChannel(normalization.input(1), weight)
        && (!hasShift || isPerChannel(normalization.input(2), weight));
  }

  private boolean isReadOnce(String tensor) {
    return consumers.getOrDefault(tensor, List.of()).size() == 1 && !graph.isOutput(tensor);
  }

  /** Which input is a constant that can take factors; -1 if none is. */
  private int constantInput(Node node, ChannelWeight weight) {
    for (int i = 0; i < 2 && node.inputs().size() == 2; i++) {
      if (isPerChannel(node.input(i), weight) && !graph.isConstant(node.input(1 - i))) {
        return i;
      }
    }
    return -1;
  }

  private boolean isPerChannel(String tensor, ChannelWeight weight) {
    Optional<Tensor> constant = graph.constant(tensor).filter(Tensor::isFloat);
    if (constant.isEmpty()) {
      return false;
    }
    if (constant.get().size() == 1) {
      // Before a product, a single value often belongs to a function that runtimes recognize, such
      // as the 0.5 of a Gelu. With a value for each channel they would not recognize it.
      return !weight.isMatrix();
    }
    long[] shape = constant.get().shape();
    int fromEnd = weight.channelFromEnd();
    return shape.length >= fromEnd
        && shape[shape.length - fromEnd] == weight.channels()
        && constant.get().size() == weight.channels();
  }
}
