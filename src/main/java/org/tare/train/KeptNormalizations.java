package org.tare.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.prepare.FoldedBatchNormalization;

/**
 * The batch normalizations that are kept in training, of those that were folded: of layers that are
 * trained, alone read their weight and bias, and have them as folding gave them. A layer that
 * equalization or SmoothQuant has changed since is not one of them.
 *
 * @param layers in the order of {@code folded}
 * @param folded what each was made of
 */
record KeptNormalizations(List<NormalizedLayer> layers, List<FoldedBatchNormalization> folded) {
  static KeptNormalizations of(
      Graph graph, List<String> parameters, List<FoldedBatchNormalization> found) {
    List<NormalizedLayer> layers = new ArrayList<>();
    List<FoldedBatchNormalization> folded = new ArrayList<>();
    Map<String, Integer> producers = new HashMap<>();
    List<Node> nodes = graph.nodes();
    for (int place = 0; place < nodes.size(); place++) {
      producers.put(nodes.get(place).output(0), place);
    }
    for (FoldedBatchNormalization one : found) {
      Optional<NormalizedLayer> layer =
          Optional.ofNullable(producers.get(one.output()))
              .flatMap(place -> layer(graph, place, parameters, one));
      if (layer.isPresent()) {
        layers.add(layer.get());
        folded.add(one);
      }
    }
    return new KeptNormalizations(List.copyOf(layers), List.copyOf(folded));
  }

  private static Optional<NormalizedLayer> layer(
      Graph graph, int place, List<String> parameters, FoldedBatchNormalization one) {
    Node node = graph.nodes().get(place);
    String weight = node.input(1);
    String bias = node.input(2);
    boolean isKept =
        isOwn(graph, parameters, weight)
            && isOwn(graph, parameters, bias)
            && graph
                .floatConstant(weight)
                .filter(w -> Arrays.equals(w, one.foldedWeight()))
                .isPresent()
            && graph
                .floatConstant(bias)
                .filter(b -> Arrays.equals(b, one.foldedBias()))
                .isPresent();
    return isKept
        ? Optional.of(
            new NormalizedLayer(
                one.label(),
                place,
                parameters.indexOf(weight),
                parameters.indexOf(bias),
                one.bias(),
                one.epsilon(),
                one.channels()))
        : Optional.empty();
  }

  private static boolean isOwn(Graph graph, List<String> parameters, String constant) {
    long readers =
        graph.nodes().stream()
            .flatMap(node -> node.inputs().stream())
            .filter(constant::equals)
            .count();
    return parameters.contains(constant) && readers == 1;
  }

  /** Puts what the normalizations were made of in the place of folded parameters, and behind. */
  void unfold(List<float[]> values) {
    for (int i = 0; i < layers.size(); i++) {
      FoldedBatchNormalization one = folded.get(i);
      values.set(layers.get(i).weight(), one.weight().clone());
      values.set(layers.get(i).bias(), one.beta().clone());
      values.add(one.gamma().clone());
      values.add(one.mean().clone());
      values.add(one.variance().clone());
    }
  }
}
