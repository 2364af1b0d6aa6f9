package org.tare.graph;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.TareException;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.QParamsRule;
import org.tare.quant.QuantSpec;
import org.tare.range.Range;

/**
 * Which nodes of a float model are quantized and which tensors get qparams, decided before anything
 * is observed. {@link QdqRewriter} carries it out once ranges are known.
 *
 * <p>Every quantized tensor has a root: the tensor whose observed range it takes. A tensor is its
 * own root, unless it is read by nothing but an activation function (then the root is what comes
 * after that), or holds the same values as another (Reshape, MaxPool and the like).
 */
public final class QuantizationPlan {
  /**
   * How one tensor gets its qparams.
   *
   * @param root the tensor whose range it takes
   * @param config method, type and scheme
   * @param fixedRange a range that holds whatever the data are, so that nothing is observed
   */
  public record Activation(String root, TensorQConfig config, Optional<Range> fixedRange) {
    /** What the range is chosen for. */
    public QuantSpec spec() {
      return QParamsRule.ONNXRUNTIME.spec(config.dtype(), config.scheme().isSymmetric());
    }
  }

  /** A node that stays float32, and why. */
  public record FloatNode(String opType, String name, String reason) {}

  private static final Range PROBABILITY = new Range(0f, 1f);
  private static final Set<String> PAD_MODES = Set.of("reflect", "edge", "wrap");

  private final Graph graph;
  private final Map<String, TensorType> types;
  private final QConfigMapping mapping;
  private final Map<String, Node> producers;
  private final Map<String, List<Node>> consumers;
  private final Set<String> outputs;

  private final Map<String, Activation> activations = new LinkedHashMap<>();
  private final Map<Node, QConfig> quantized = new LinkedHashMap<>();
  private final Set<Node> fusedActivations = new HashSet<>();
  private final List<FloatNode> floatNodes = new ArrayList<>();

  private QuantizationPlan(Graph graph, Map<String, TensorType> types, QConfigMapping mapping) {
    this.graph = graph;
    this.types = types;
    this.mapping = mapping;
    this.producers = graph.producers();
    this.consumers = graph.consumers();
    this.outputs = new HashSet<>(graph.outputNames());
  }

  /**
   * Plans the static quantization of a model.
   *
   * @param model prepared by {@link FloatPasses}
   * @param types of all tensors, as the runtime infers them
   */
  public static QuantizationPlan of(
      OnnxModel model, Map<String, TensorType> types, QConfigMapping mapping) {
    QuantizationPlan plan = new QuantizationPlan(model.graph(), types, mapping);
    for (Node node : model.graph().nodes()) {
      plan.visit(node);
    }
    return plan;
  }

  /** The tensors whose values have to be observed, in the order of the graph. */
  public List<String> observed() {
    Set<String> roots = new LinkedHashSet<>();
    for (Activation activation : activations.values()) {
      if (activation.fixedRange().isEmpty()) {
        roots.add(activation.root());
      }
    }
    return List.copyOf(roots);
  }

  /** Every activation that gets qparams, by name, in the order of the graph. */
  public Map<String, Activation> activations() {
    return Collections.unmodifiableMap(activations);
  }

  /** The nodes that stay float32, each with the reason. */
  public List<FloatNode> floatNodes() {
    return List.copyOf(floatNodes);
  }

  /** How many nodes are quantized. */
  public int quantizedNodeCount() {
    return quantized.size();
  }

  Optional<Activation> activation(String tensor) {
    return Optional.ofNullable(activations.get(tensor));
  }

  Optional<QConfig> config(Node node) {
    return Optional.ofNullable(quantized.get(node));
  }

  /** The Relu or Clip that is all that reads this tensor, if the tensor takes its range. */
  Optional<Node> soleFusedFunction(String tensor) {
    return soleConsumer(tensor).filter(fusedActivations::contains);
  }

  private void visit(Node node) {
    QConfig config = mapping.of(node.opType(), node.label(), node.output(0));
    Optional<OpRule> rule = OpRule.of(node);
    if (rule.isEmpty()) {
      if (touchesFloats(node)) {
        stayFloat(node, "Tare has no rule for this operator");
      }
    } else if (!config.quantized()) {
      stayFloat(node, "left float by an override");
    } else {
      Optional<String> obstacle =
          switch (rule.get()) {
            case WEIGHTED -> weighted(node, config);
            case ELEMENTWISE, PROBABILITY -> elementwise(node, config, rule.get());
            case ACTIVATION -> activationFunction(node, config);
            case SAME_VALUES -> sameValues(node, config);
          };
      obstacle.filter(why -> touchesFloats(node)).ifPresent(why -> stayFloat(node, why));
    }
  }

  private void stayFloat(Node node, String why) {
    floatNodes.add(new FloatNode(node.opType(), node.label(), why));
  }

  private boolean touchesFloats(Node node) {
    return node.outputs().stream().anyMatch(this::isFloat)
        && node.inputs().stream().anyMatch(in -> isFloat(in) && !graph.isConstant(in));
  }

  private boolean isFloat(String tensor) {
    TensorType type = types.get(tensor);
    if (type != null) {
      return type.elementType() == ElementType.FLOAT;
    }
    return graph.constant(tensor).filter(Tensors::isFloat).isPresent();
  }

  private Optional<String> weighted(Node node, QConfig config) {
    boolean isMatMul = node.opType().equals("MatMul");
    if (!isFloat(node.input(0)) || !isFloat(node.input(1))) {
      return Optional.of("it is not float32");
    }
    if (graph.isConstant(node.input(0)) || !graph.isConstant(node.input(1))) {
      return isMatMul
          ? elementwise(node, config, OpRule.ELEMENTWISE)
          : Optional.of("its weight is not a constant");
    }
    float[] weight = graph.floatConstant(node.input(1)).orElseThrow();
    if (weight.length == 0) {
      return Optional.of("its weight is empty");
    }
    checkFinite(node, node.input(1), weight);
    if (!node.input(2).isEmpty()) {
      Optional<float[]> bias = graph.floatConstant(node.input(2));
      if (bias.isEmpty()) {
        return Optional.of("its bias is not a constant");
      }
      checkFinite(node, node.input(2), bias.get());
    }
    if (node.opType().equals("Gemm")) {
      Optional<String> obstacle = gemmObstacle(node);
      if (obstacle.isPresent()) {
        return obstacle;
      }
    }
    quantized.put(node, config);
    quantizeInput(node.input(0), config);
    // Logits are not worth rounding: integer products with float32 results exist for these.
    boolean keepsFloatOutput =
        (isMatMul || node.opType().equals("Gemm")) && outputs.contains(node.output(0));
    if (!keepsFloatOutput) {
      quantizeOutput(node.output(0), config, Optional.empty());
    }
    return Optional.empty();
  }

  private Optional<String> gemmObstacle(Node node) {
    if (node.intAttribute("transA", 0) != 0) {
      return Optional.of("its input is transposed");
    }
    long[] weight = Tensors.shape(graph.constant(node.input(1)).orElseThrow());
    long columns = weight[node.intAttribute("transB", 0) != 0 ? 0 : 1];
    if (!node.input(2).isEmpty()) {
      long[] bias = Tensors.shape(graph.constant(node.input(2)).orElseThrow());
      boolean isRow =
          (bias.length == 1 || (bias.length == 2 && bias[0] == 1))
              && bias[bias.length - 1] == columns;
      if (!isRow) {
        return Optional.of("its bias is not one value per column");
      }
    }
    return Optional.empty();
  }

  private static void checkFinite(Node node, String tensor, float[] values) {
    for (float value : values) {
      if (!Float.isFinite(value)) {
        throw TareException.badInput(
            "Cannot quantize %s: its constant \"%s\" holds %s", node, tensor, value);
      }
    }
  }

  private Optional<String> elementwise(Node node, QConfig config, OpRule rule) {
    List<String> floats = node.inputs().stream().filter(this::isFloat).toList();
    boolean computes = floats.stream().anyMatch(input -> !graph.isConstant(input));
    if (!computes || !isFloat(node.output(0))) {
      return Optional.of("it is not float32");
    }
    if (outputs.contains(node.output(0))) {
      return Optional.of("it computes an output of the model");
    }
    // Between float operators there is no integer kernel to feed, only precision to lose: the inner
    // steps of a decomposed layer normalization, say. A product pays all the same.
    boolean isIsland =
        !node.opType().equals("MatMul")
            && floats.stream().noneMatch(in -> graph.isInput(in) || isQuantizedResult(in));
    if (isIsland) {
      return Optional.of("all that it reads is float32");
    }
    for (String input : floats) {
      if (graph.isConstant(input)) {
        float[] values = graph.floatConstant(input).orElseThrow();
        checkFinite(node, input, values);
        if (values.length == 0) {
          return Optional.of("its constant \"" + input + "\" is empty");
        }
      }
    }
    quantized.put(node, config);
    for (String input : floats) {
      if (!graph.isConstant(input)) {
        quantizeInput(input, config);
      }
    }
    quantizeOutput(
        node.output(0),
        config,
        rule == OpRule.PROBABILITY ? Optional.of(PROBABILITY) : Optional.empty());
    return Optional.empty();
  }

  private boolean isQuantizedResult(String tensor) {
    Node producer = producers.get(tensor);
    return producer != null && quantized.containsKey(producer) && activations.containsKey(tensor);
  }

  private Optional<String> activationFunction(Node node, QConfig config) {
    Optional<String> obstacle = clipObstacle(node);
    if (obstacle.isPresent()) {
      return obstacle;
    }
    if (!fusesWithProducer(node)) {
      return elementwise(node, config, OpRule.ELEMENTWISE);
    }
    quantized.put(node, config);
    fusedActivations.add(node);
    quantizeOutput(node.output(0), config, Optional.empty());
    return Optional.empty();
  }

  private Optional<String> clipObstacle(Node node) {
    if (!isFloat(node.input(0))) {
      return Optional.of("it is not float32");
    }
    for (int i = 1; i < node.inputs().size(); i++) {
      if (!node.input(i).isEmpty() && graph.floatConstant(node.input(i)).isEmpty()) {
        return Optional.of("its bounds are not constants");
      }
    }
    return Optional.empty();
  }

  /** Whether the activation function is all that reads the result of a quantized computation. */
  private boolean fusesWithProducer(Node node) {
    Node producer = producers.get(node.input(0));
    return producer != null
        && quantized.containsKey(producer)
        && OpRule.of(producer).orElseThrow() != OpRule.SAME_VALUES
        && OpRule.of(producer).orElseThrow() != OpRule.PROBABILITY
        && soleConsumer(node.input(0)).isPresent();
  }

  private Optional<Node> soleConsumer(String tensor) {
    List<Node> readers = consumers.getOrDefault(tensor, List.of());
    return readers.size() == 1 && !outputs.contains(tensor)
        ? Optional.of(readers.get(0))
        : Optional.empty();
  }

  private Optional<String> sameValues(Node node, QConfig config) {
    Activation input = activations.get(node.input(0));
    if (!isFloat(node.input(0)) || input == null) {
      return Optional.of("its input is float32");
    }
    Optional<String> obstacle =
        switch (node.opType()) {
          case "Pad" -> padObstacle(node);
          case "Resize" ->
              node.stringAttribute("mode", "nearest").equals("cubic")
                  ? Optional.of("cubic interpolation leaves the range of its input")
                  : Optional.empty();
          case "MaxPool" ->
              node.outputs().size() > 1 && !node.output(1).isEmpty()
                  ? Optional.of("it also returns indices")
                  : Optional.empty();
          default -> Optional.empty();
        };
    if (obstacle.isPresent()) {
      return obstacle;
    }
    quantized.put(node, config);
    for (String output : node.outputs()) {
      if (!output.isEmpty()) {
        activations.put(output, input);
      }
    }
    return Optional.empty();
  }

  private Optional<String> padObstacle(Node node) {
    if (PAD_MODES.contains(node.stringAttribute("mode", "constant")) || node.input(2).isEmpty()) {
      return Optional.empty();
    }
    float[] value = graph.floatConstant(node.input(2)).orElse(new float[] {Float.NaN});
    return value.length == 1 && value[0] == 0f
        ? Optional.empty()
        : Optional.of("it pads with something else than zero");
  }

  private void quantizeInput(String tensor, QConfig consumer) {
    if (!activations.containsKey(tensor)) {
      QConfig config = graph.isInput(tensor) ? mapping.ofInput(tensor) : consumer;
      activations.put(tensor, new Activation(tensor, config.activation(), Optional.empty()));
    }
  }

  private void quantizeOutput(String tensor, QConfig config, Optional<Range> fixed) {
    String root = tensor;
    TensorQConfig rootConfig = config.activation();
    if (fixed.isEmpty()) {
      Optional<Node> next = soleConsumer(root).filter(this::willFuse);
      while (next.isPresent()) {
        Node function = next.get();
        root = function.output(0);
        rootConfig =
            mapping.of(function.opType(), function.label(), function.output(0)).activation();
        next = soleConsumer(root).filter(this::willFuse);
      }
    }
    activations.put(tensor, new Activation(root, rootConfig, fixed));
  }

  private boolean willFuse(Node node) {
    return OpRule.of(node).equals(Optional.of(OpRule.ACTIVATION))
        && mapping.of(node.opType(), node.label(), node.output(0)).quantized()
        && clipObstacle(node).isEmpty();
  }
}
