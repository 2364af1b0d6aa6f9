package org.tare.job.compare;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.beside.SharedTensors;
import org.tare.plan.OpRule;
import org.tare.plan.WeightAxes;
import org.tare.quant.Fidelity;
import org.tare.quant.WeightQuantizer;

/**
 * The weights of a quantized model in QDQ form beside the float ones: what DequantizeLinear gives
 * of a constant, and the constant that the layer of the same output has in the float model.
 */
public final class WeightComparison {
  private WeightComparison() {}

  /**
   * One weight.
   *
   * @param layer what the layer that reads it writes in the float model; overrides name it
   * @param result the tensor that shows what the layer gives in both models: what comes after its
   *     activation function, where the rounding replaces that
   * @param all over all values
   * @param channels of each output channel, if the operator has such an axis
   * @param greatest the greatest absolute difference
   */
  public record Weight(
      String layer,
      String result,
      String opType,
      String name,
      Fidelity all,
      List<Fidelity> channels,
      double greatest) {}

  /**
   * Compares.
   *
   * @param floats float models that the quantized one may be made of, the likeliest first:
   *     prepared, with normalizations folded, and as it was read
   */
  public static List<Weight> of(List<OnnxModel> floats, OnnxModel quantized) {
    Graph graph = quantized.graph();
    Map<String, Node> producers = graph.producers();
    List<Map<String, Node>> layers = new ArrayList<>();
    floats.forEach(model -> layers.add(model.graph().producers()));
    Map<String, String> outputs = resultsAfterRounding(graph);
    List<Weight> found = new ArrayList<>();
    for (Node node : graph.nodes()) {
      boolean isLayer =
          OpRule.of(node)
              .filter(rule -> rule == OpRule.WEIGHTED || rule == OpRule.ATTENTION)
              .isPresent();
      Node dequantize = isLayer ? producers.get(node.input(1)) : null;
      if (dequantize == null || !dequantize.opType().equals("DequantizeLinear")) {
        continue;
      }
      Optional<float[]> actual = dequantized(graph, dequantize);
      if (actual.isEmpty()) {
        continue;
      }
      long[] shape = graph.constant(dequantize.input(0)).orElseThrow().shape();
      String output = outputs.getOrDefault(node.output(0), node.output(0));
      for (int i = 0; i < floats.size(); i++) {
        Graph own = floats.get(i).graph();
        Optional<Node> layer = layer(layers.get(i), node, output);
        Optional<Tensor> expected =
            layer
                .flatMap(one -> own.constant(one.input(1)))
                .filter(Tensor::isFloat)
                .filter(tensor -> Arrays.equals(tensor.shape(), shape));
        if (expected.isPresent()) {
          found.add(compare(layer.get(), output, expected.get(), actual.get()));
          break;
        }
      }
    }
    return found;
  }

  /** The layer of the float model; what follows it may be gone in the quantized one. */
  private static Optional<Node> layer(Map<String, Node> producers, Node node, String output) {
    Node found = producers.get(output);
    while (found != null && !found.opType().equals(node.opType())) {
      boolean isFunction = OpRule.of(found).filter(rule -> rule == OpRule.ACTIVATION).isPresent();
      found = isFunction ? producers.get(found.input(0)) : null;
    }
    return Optional.ofNullable(found);
  }

  /** Where an output of the model is rounded, its name is behind the rounding. */
  private static Map<String, String> resultsAfterRounding(Graph graph) {
    Map<String, String> names = new HashMap<>();
    SharedTensors.roundings(graph)
        .forEach(
            (tensor, rounding) -> {
              if (graph.isOutput(rounding.seen())) {
                names.put(tensor, rounding.seen());
              }
            });
    return names;
  }

  private static Optional<float[]> dequantized(Graph graph, Node dequantize) {
    Optional<Tensor> integers = graph.constant(dequantize.input(0));
    Optional<float[]> scales = graph.floatConstant(dequantize.input(1));
    if (integers.isEmpty() || scales.isEmpty() || dequantize.intAttribute("block_size", 0) != 0) {
      return Optional.empty();
    }
    double[] numbers = integers.get().numbers();
    double[] zeroPoints =
        graph.constant(dequantize.input(2)).map(Tensor::numbers).orElse(new double[] {0});
    long[] shape = integers.get().shape();
    int channels = scales.get().length;
    long axis = dequantize.intAttribute("axis", 1);
    int inner =
        channels == 1
            ? numbers.length
            : WeightQuantizer.inner(shape, (int) (axis < 0 ? axis + shape.length : axis));
    float[] values = new float[numbers.length];
    for (int i = 0; i < values.length; i++) {
      int channel = channels == 1 ? 0 : i / inner % channels;
      double zero = zeroPoints[zeroPoints.length == 1 ? 0 : channel];
      values[i] = (float) (numbers[i] - zero) * scales.get()[channel];
    }
    return Optional.of(values);
  }

  private static Weight compare(Node layer, String result, Tensor expected, float[] actual) {
    float[] values = expected.floats();
    long[] shape = expected.shape();
    Fidelity all = new Fidelity();
    all.add(values, actual, 0, values.length);
    int axis = WeightAxes.channelAxis(layer, shape);
    List<Fidelity> channels = new ArrayList<>();
    double greatest = 0;
    for (int i = 0; i < values.length; i++) {
      greatest = Math.max(greatest, Math.abs((double) values[i] - actual[i]));
    }
    if (axis >= 0) {
      int inner = WeightQuantizer.inner(shape, axis);
      int count = (int) shape[axis];
      for (int c = 0; c < count; c++) {
        channels.add(new Fidelity());
      }
      for (int from = 0; from < values.length; from += inner) {
        channels.get(from / inner % count).add(values, actual, from, inner);
      }
    }
    return new Weight(
        layer.output(0), result, layer.opType(), expected.name(), all, channels, greatest);
  }
}
