package org.tare.plan;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.qconfig.QConfig;

/**
 * Softmax over many places: the mean of its values is 1 / places, and the peaks decide the range.
 * Where the mean is below a step of 8 bits, most values round to zero, and with them goes a share
 * of the sum that no range gives back: 19 to 21 dB over 576 places, where 30 are possible.
 */
final class SoftmaxOfMany {
  /** From here on the mean is below a step of the range from 0 to 1. */
  private static final long MANY = 256;

  private SoftmaxOfMany() {}

  /** Why a node stays float: it is such a softmax, or a product of the values of one. */
  static Optional<String> obstacle(
      Node node,
      QConfig config,
      OpRule rule,
      Graph graph,
      Map<String, Node> producers,
      Map<String, List<Node>> consumers,
      Map<String, TensorType> types) {
    if (config.activation().dtype().bits() > 8) {
      return Optional.empty();
    }
    if (isSoftmax(node)) {
      return places(node, types)
          .or(() -> placesOfReaders(node, consumers, graph))
          .map(many -> "most values of a softmax over " + many + " places are below a step");
    }
    if (rule != OpRule.WEIGHTED) {
      return Optional.empty();
    }
    Node source = producers.get(node.input(0));
    while (source != null
        && OpRule.of(source).filter(one -> one == OpRule.SAME_VALUES).isPresent()) {
      source = producers.get(source.input(0));
    }
    return Optional.ofNullable(source)
        .filter(SoftmaxOfMany::isSoftmax)
        .flatMap(softmax -> places(softmax, types).or(() -> rows(node, graph)))
        .map(many -> "it multiplies a softmax over " + many + " places, most of it below a step");
  }

  private static boolean isSoftmax(Node node) {
    return node.isStandard() && node.opType().equals("Softmax");
  }

  /** The same where only a matrix tells that the values are multiplied by. */
  private static Optional<Long> placesOfReaders(
      Node softmax, Map<String, List<Node>> consumers, Graph graph) {
    return consumers.getOrDefault(softmax.output(0), List.of()).stream()
        .filter(reader -> reader.opType().equals("MatMul"))
        .filter(reader -> reader.input(0).equals(softmax.output(0)))
        .flatMap(reader -> rows(reader, graph).stream())
        .findFirst();
  }

  /** The rows of the constant matrix of a product, if they are many. */
  private static Optional<Long> rows(Node product, Graph graph) {
    if (!product.opType().equals("MatMul")) {
      return Optional.empty();
    }
    return graph
        .constant(product.input(1))
        .map(Tensor::shape)
        .filter(shape -> shape.length >= 2)
        .map(shape -> shape[shape.length - 2])
        .filter(many -> many >= MANY);
  }

  /** How many places it is over, if they are known and many. */
  private static Optional<Long> places(Node softmax, Map<String, TensorType> types) {
    TensorType type = types.get(softmax.output(0));
    if (type == null || type.rank() == 0) {
      return Optional.empty();
    }
    long axis = softmax.intAttribute("axis", -1);
    long[] shape = type.shape();
    long places = shape[(int) (axis < 0 ? axis + shape.length : axis)];
    return Optional.of(places).filter(many -> many >= MANY);
  }
}
