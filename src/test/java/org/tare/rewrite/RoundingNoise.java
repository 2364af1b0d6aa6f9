package org.tare.rewrite;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.QuantizationPlan;
import org.tare.plan.QuantizationPlan.Activation;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;

/**
 * What rounding does to a float model's results, by theory and without anything of the quantizer:
 * the error of rounding to steps is as good as noise that is uniform within a step (Widrow), so
 * such noise is added to each weight and each activation that is rounded. How far the results go is
 * what the float model itself makes of it.
 *
 * <p>A step is that of one scale for the whole tensor, so the noise is never less than what scales
 * per channel leave.
 */
final class RoundingNoise {
  private static final Set<String> WEIGHTED =
      Set.of("MatMul", "Gemm", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN", "Attention");
  private static final Set<String> ELEMENTWISE =
      Set.of("Add", "Sub", "Mul", "Div", "Concat", "Where", "PRelu");

  private final OnnxModel prepared;
  private final Map<String, Values> inputs;
  private final QConfigMapping mapping;

  /** The values of each activation that is rounded, and its step. */
  private final Map<String, Values> activations = new LinkedHashMap<>();

  private final Map<String, Double> steps = new HashMap<>();

  private double leastStep = Double.MAX_VALUE;

  RoundingNoise(
      OnnxModel prepared,
      Map<String, TensorType> types,
      Map<String, Values> inputs,
      QConfigMapping mapping) {
    this.prepared = prepared;
    this.inputs = inputs;
    this.mapping = mapping;
    Map<String, Activation> plan =
        mapping.mode() == Mode.STATIC
            ? QuantizationPlan.of(prepared, types, mapping).activations()
            : Map.of();
    Set<String> rounded = new HashSet<>(plan.keySet());
    plan.values().forEach(activation -> rounded.add(activation.root()));
    if (mapping.mode() != Mode.WEIGHT_ONLY) {
      // The static mode leaves recurrent layers to the dynamic one.
      for (Node node : prepared.graph().nodes()) {
        if (WEIGHTED.contains(node.opType()) && !prepared.graph().isConstant(node.input(0))) {
          rounded.add(node.input(0));
        }
      }
    }
    List<String> computed = new ArrayList<>(rounded);
    computed.removeAll(inputs.keySet());
    Map<String, Values> all = new HashMap<>(inputs);
    if (!computed.isEmpty()) {
      all.putAll(TestModel.run(prepared.withOutputs(computed), inputs));
    }
    for (String tensor : rounded) {
      Activation activation = plan.get(tensor);
      String root = activation == null ? tensor : activation.root();
      double magnitude = magnitude(all.get(root).floats());
      if (activation != null && activation.fixedRange().isPresent()) {
        magnitude =
            Math.max(
                Math.abs(activation.fixedRange().get().min()),
                Math.abs(activation.fixedRange().get().max()));
      }
      activations.put(tensor, all.get(tensor));
      steps.put(tensor, 2 * magnitude / 127);
    }
  }

  private static double magnitude(float[] values) {
    double magnitude = 0;
    for (float value : values) {
      magnitude = Math.max(magnitude, Math.abs(value));
    }
    return magnitude;
  }

  /** The results with noise. */
  Map<String, Values> results(Random random) {
    OnnxModel model = prepared.copy();
    Graph graph = model.graph();
    Map<String, String> noisy = new HashMap<>();
    List<Node> nodes = new ArrayList<>(graph.nodes());
    for (Map.Entry<String, Values> entry : activations.entrySet()) {
      String tensor = entry.getKey();
      float[] noise = noise(entry.getValue().floats().length, steps.get(tensor), random);
      String name = graph.freshName(tensor + "_noise");
      graph.addConstant(Tensor.ofFloats(name, entry.getValue().shape(), noise));
      noisy.put(tensor, graph.freshName(tensor + "_noisy"));
      nodes.add(Node.of("Add", "", List.of(tensor, name), List.of(noisy.get(tensor))));
    }
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.inputs().size(); i++) {
        String input = node.input(i);
        if (noisy.containsKey(input)) {
          node.setInput(i, noisy.get(input));
        } else if (isRoundedConstant(graph, node, i)) {
          node.setInput(i, roughened(graph, noisy, input, random));
        }
      }
    }
    graph.setNodes(nodes);
    Map<String, Values> results = new LinkedHashMap<>();
    TestModel.run(model, inputs)
        .forEach((name, values) -> results.put(name, atOutput(name, values, random)));
    return results;
  }

  /** An output of the model is rounded too where it is an activation. */
  private Values atOutput(String name, Values values, Random random) {
    if (!steps.containsKey(name)) {
      return values;
    }
    float[] noise = noise(values.floats().length, steps.get(name), random);
    for (int i = 0; i < noise.length; i++) {
      noise[i] += values.floats()[i];
    }
    return new Values(values.shape(), noise);
  }

  private boolean isRoundedConstant(Graph graph, Node node, int input) {
    boolean isRecurrent = Set.of("LSTM", "GRU", "RNN").contains(node.opType());
    boolean isWeight =
        (WEIGHTED.contains(node.opType()) && (input < 2 || (isRecurrent && input == 2)))
            || (node.opType().equals("Gather") && input == 0)
            || (ELEMENTWISE.contains(node.opType()) && mapping.mode() == Mode.STATIC);
    return isWeight && graph.floatConstant(node.input(input)).isPresent();
  }

  private String roughened(Graph graph, Map<String, String> known, String constant, Random random) {
    return known.computeIfAbsent(
        constant,
        key -> {
          Tensor tensor = graph.constant(constant).orElseThrow();
          float[] values = tensor.floats();
          QConfig config = mapping.standard();
          int codes = config.weight().dtype().bits() == 4 ? 15 : 127;
          float[] noise = noise(values.length, 2 * magnitude(values) / codes, random);
          for (int i = 0; i < noise.length; i++) {
            noise[i] += values[i];
          }
          String name = graph.freshName(constant + "_rough");
          graph.addConstant(Tensor.ofFloats(name, tensor.shape(), noise));
          return name;
        });
  }

  /** Whether a step is too small for a float32 scale to keep its precision. */
  boolean hasTinySteps() {
    return leastStep < Float.MIN_NORMAL;
  }

  private float[] noise(int count, double step, Random random) {
    leastStep = step > 0 ? Math.min(leastStep, step) : leastStep;
    float[] noise = new float[count];
    for (int i = 0; i < count; i++) {
      noise[i] = (float) ((random.nextDouble() - 0.5) * step);
    }
    return noise;
  }

  /** The length of the difference of two results, as of one vector. */
  static double distance(Map<String, Values> results, Map<String, Values> others) {
    double sum = 0;
    for (Map.Entry<String, Values> entry : results.entrySet()) {
      float[] left = entry.getValue().floats();
      float[] right = others.get(entry.getKey()).floats();
      for (int i = 0; i < left.length; i++) {
        double difference = (double) left[i] - right[i];
        sum += difference * difference;
      }
    }
    return Math.sqrt(sum);
  }

  /** The length of the results, as of one vector. */
  static double length(Map<String, Values> results) {
    double sum = 0;
    for (Values values : results.values()) {
      for (float value : values.floats()) {
        sum += (double) value * value;
      }
    }
    return Math.sqrt(sum);
  }
}
