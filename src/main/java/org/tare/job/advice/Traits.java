package org.tare.job.advice;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.tare.job.FloatModel;
import org.tare.onnx.Graph;
import org.tare.onnx.GraphScope;
import org.tare.onnx.Operators;
import org.tare.onnx.Tensor;
import org.tare.plan.QuantizationPlan;
import org.tare.qconfig.Backend;

/**
 * What a model is made of, as far as it says which ways to quantize fit. Nodes of subgraphs count
 * too.
 *
 * @param parameters float values of all constants
 * @param linear of them, weights of products of matrices
 * @param recurrent weights of recurrent layers
 * @param convolutional weights of convolutions
 * @param opset of the standard operators
 * @param staticNodes how many nodes the static mode quantizes
 */
public record Traits(
    long bytes,
    long parameters,
    long linear,
    long recurrent,
    long convolutional,
    int opset,
    Backend backend,
    int staticNodes) {
  /** Models from here on are robust: 8 bits seldom cost them much. */
  static final long LARGE = 10_000_000;

  static Traits of(FloatModel model) {
    List<GraphScope.Item> items = new ArrayList<>();
    List<GraphScope> scopes = new ArrayList<>();
    Graph graph = model.prepared().graph();
    GraphScope.read(graph, items, scopes);
    long parameters = 0;
    for (GraphScope scope : scopes) {
      parameters +=
          scope.constants().values().stream().filter(Tensor::isFloat).mapToLong(Tensor::size).sum();
    }
    long linear = 0;
    long recurrent = 0;
    long convolutional = 0;
    for (GraphScope.Item item : items) {
      String op = item.op();
      if (Operators.RECURRENT.contains(op)) {
        recurrent += weights(item, 1) + weights(item, 2);
      } else if (Operators.CONVOLUTION.contains(op)) {
        convolutional += weights(item, 1);
      } else if (Operators.WEIGHTED.contains(op) || Operators.DYNAMIC_INTEGERS.contains(op)) {
        linear += weights(item, 1);
      }
    }
    return new Traits(
        model.original().sizeBytes(),
        parameters,
        linear,
        recurrent,
        convolutional,
        model.original().opset(),
        model.mapping().backend(),
        model.plan().map(QuantizationPlan::quantizedNodeCount).orElse(0));
  }

  private static long weights(GraphScope.Item item, int input) {
    if (item.node().inputs().size() <= input) {
      return 0;
    }
    return item.scope()
        .constant(item.node().input(input))
        .filter(Tensor::isFloat)
        .map(Tensor::size)
        .orElse(0L);
  }

  /** The share of products and recurrent layers in the weights of all layers. */
  double dynamicShare() {
    long all = linear + recurrent + convolutional;
    return all == 0 ? 0 : (double) (linear + recurrent) / all;
  }

  public boolean isLarge() {
    return parameters > LARGE;
  }

  /** Why a way does not fit, if it does not. */
  Optional<String> obstacle(Way way) {
    return switch (way) {
      case DYNAMIC ->
          dynamicShare() >= 0.5
              ? Optional.empty()
              : Optional.of(
                  String.format(
                      Locale.ROOT,
                      "%.0f %% of the layers' weights are of convolutions, which are slower with"
                          + " ranges computed as the model runs",
                      100 * (1 - dynamicShare())));
      case STATIC, CORRECTED ->
          staticNodes > 0
              ? Optional.empty()
              : Optional.of("the static mode quantizes no node of this model");
      case MIXED ->
          staticNodes > 0
              ? Optional.empty()
              : Optional.of("the static mode quantizes no layer of this model");
      case WEIGHT_ONLY -> Optional.empty();
    };
  }

  /** In a line. */
  public String text() {
    long all = Math.max(1, linear + recurrent + convolutional);
    return String.format(
        Locale.ROOT,
        "%,d parameters%s; layers' weights: %.0f %% of products, %.0f %% recurrent, %.0f %% of"
            + " convolutions; operator set %d, for %s",
        parameters,
        isLarge() ? " (large models are robust)" : "",
        100.0 * linear / all,
        100.0 * recurrent / all,
        100.0 * convolutional / all,
        opset,
        backend.id());
  }
}
