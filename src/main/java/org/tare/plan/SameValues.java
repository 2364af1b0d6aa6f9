package org.tare.plan;

import java.util.Optional;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/** Whether the outputs of an operator hold only values of its first input, and zeros. */
final class SameValues {
  private static final Set<String> PAD_MODES = Set.of("reflect", "edge", "wrap");

  private SameValues() {}

  /** Why the outputs of this node can't have the qparams of its input. */
  static Optional<String> obstacle(Graph graph, Node node) {
    return switch (node.opType()) {
      case "Pad" -> pad(graph, node);
      case "Resize" -> resize(node);
      case "MaxPool" -> only(node, "indices");
      case "Dropout" -> dropout(graph, node);
      case "Identity" ->
          graph.isOutput(node.output(0))
              ? Optional.of("it only gives an output of the model its name")
              : Optional.empty();
      default -> Optional.empty();
    };
  }

  private static Optional<String> only(Node node, String second) {
    return node.outputs().size() > 1 && !node.output(1).isEmpty()
        ? Optional.of("it also returns " + second)
        : Optional.empty();
  }

  private static Optional<String> pad(Graph graph, Node node) {
    if (PAD_MODES.contains(node.stringAttribute("mode", "constant")) || node.input(2).isEmpty()) {
      return Optional.empty();
    }
    float[] value = graph.floatConstant(node.input(2)).orElse(new float[] {Float.NaN});
    return value.length == 1 && value[0] == 0f
        ? Optional.empty()
        : Optional.of("it pads with something else than zero");
  }

  private static Optional<String> resize(Node node) {
    if (node.stringAttribute("mode", "nearest").equals("cubic")) {
      return Optional.of("cubic interpolation leaves the range of its input");
    }
    String coordinates = node.stringAttribute("coordinate_transformation_mode", "half_pixel");
    return coordinates.equals("tf_crop_and_resize")
        ? Optional.of("it may fill in a value from outside of its input")
        : Optional.empty();
  }

  /** Scales and drops nothing unless it trains. */
  private static Optional<String> dropout(Graph graph, Node node) {
    String training = node.input(2);
    boolean infers =
        training.isEmpty()
            || graph
                .constant(training)
                .map(Tensor::numbers)
                .filter(flag -> flag.length == 1 && flag[0] == 0)
                .isPresent();
    return infers ? only(node, "a mask") : Optional.of("it may be in training");
  }
}
