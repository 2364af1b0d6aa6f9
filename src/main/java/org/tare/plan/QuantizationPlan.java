package org.tare.plan;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
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
import org.tare.onnx.Operators;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.QuantSpec;
import org.tare.range.Range;
import org.tare.rewrite.QdqRewriter;

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
   * @param reduceRange whether one bit stays free
   * @param fixedRange a range that holds whatever the data are, so that nothing is observed
   */
  public record Activation(
      String root, TensorQConfig config, boolean reduceRange, Optional<Range> fixedRange) {
    /** What the range is chosen for. */
    public QuantSpec spec() {
      return config.spec(reduceRange);
    }
  }

  private final Graph graph;
  private final Map<String, TensorType> types;
  private final QConfigMapping mapping;
  private final Map<String, Node> producers;
  private final Map<String, List<Node>> consumers;
  private final Set<String> outputs;
  private final Set<String> feedProducts;

  private final Map<String, Activation> activations = new LinkedHashMap<>();
  private final Map<Node, QConfig> quantized = new LinkedHashMap<>();
  private final Set<Node> fusedActivations = new HashSet<>();
  private final Set<String> rounded = new HashSet<>();
  private final List<FloatNode> floatNodes = new ArrayList<>();

  /** The roots that walks over activation functions ended at, by the tensors they passed. */
  private final Map<String, Root> roots = new HashMap<>();

  private record Root(String tensor, TensorQConfig config) {}

  private QuantizationPlan(Graph graph, Map<String, TensorType> types, QConfigMapping mapping) {
    this.graph = graph;
    this.types = types;
    this.mapping = mapping;
    this.producers = graph.producers();
    this.consumers = graph.consumers();
    this.outputs = new HashSet<>(graph.outputNames());
    this.feedProducts = tensorsOfProductsOnly();
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
    if (!mapping.costly().isEmpty()) {
      // Calibration did not know of these: what is left takes the ranges that it observed.
      QuantizationPlan all = of(model, types, mapping.withCostly(Set.of()));
      plan.activations.replaceAll(all.activations::getOrDefault);
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

  public Optional<Activation> activation(String tensor) {
    return Optional.ofNullable(activations.get(tensor));
  }

  public Optional<QConfig> config(Node node) {
    return Optional.ofNullable(quantized.get(node));
  }

  /**
   * Whether whatever reads the tensor gets its rounded values; else only the integer kernels that
   * read it do.
   */
  public boolean isRounded(String tensor) {
    return rounded.contains(tensor);
  }

  /** The Relu or Clip that is the only reader of this tensor, if the tensor takes its range. */
  public Optional<Node> soleFusedFunction(String tensor) {
    return graph.soleReader(consumers, tensor).filter(fusedActivations::contains);
  }

  private void visit(Node node) {
    QConfig config = mapping.of(node.opType(), node.label(), node.output(0));
    Optional<OpRule> rule = OpRule.of(node);
    Optional<String> replaceable = node.inputs().stream().filter(graph::hasDefault).findFirst();
    if (replaceable.isPresent()) {
      if (touchesFloats(node)) {
        stayFloat(node, replaceable(replaceable.get()));
      }
    } else if (EmbeddingTables.isLookup(graph, node)) {
      if (config.quantized()) {
        quantized.put(node, config);
      } else {
        stayFloat(node, mapping.whyFloat(node.output(0)));
      }
    } else if (rule.isEmpty()) {
      boolean isEntered = !node.subgraphs().isEmpty() && !mapping.backend().quantizesInputsOnly();
      if (isEntered && touchesFloats(node)) {
        stayFloat(node, "it runs graphs, which are quantized as in the mode dynamic");
      } else if (touchesFloats(node) && !isCompletedDynamically(node, mapping)) {
        stayFloat(node, "Tare has no rule for this operator");
      }
    } else if (!config.quantized()) {
      stayFloat(node, mapping.whyFloat(node.output(0)));
    } else {
      Optional<String> obstacle =
          SoftmaxOfMany.obstacle(node, config, rule.get(), graph, producers, consumers, types)
              .or(() -> quantize(node, config, rule.get()));
      obstacle.filter(why -> touchesFloats(node)).ifPresent(why -> stayFloat(node, why));
    }
  }

  /** Adds the node to what is quantized, or says why it cannot be. */
  private Optional<String> quantize(Node node, QConfig config, OpRule rule) {
    return mapping.backend().quantizesInputsOnly()
        ? inputsOnly(node, config, rule)
        : switch (rule) {
          case WEIGHTED -> weighted(node, config);
          case ELEMENTWISE -> elementwise(node, config, rule);
          case FLOAT_FUNCTION -> floatFunction(node, config);
          case MEAN ->
              Optional.of("a mean is computed in floats: no backend is faster in integers");
          case ATTENTION -> attention(node, config);
          case WITHOUT_WEIGHT ->
              Optional.of("it has no weight: it multiplies activations, in floats");
          case ACTIVATION -> activationFunction(node, config);
          case SAME_VALUES -> sameValues(node, config);
        };
  }

  /**
   * Whether the static mode leaves the node to the rewriting of the dynamic mode: recurrent layers,
   * which have no kernel with calibrated ranges.
   */
  public static boolean isCompletedDynamically(Node node, QConfigMapping mapping) {
    return node.isStandard()
        && Operators.RECURRENT.contains(node.opType())
        && !mapping.backend().quantizesInputsOnly();
  }

  /** Pairs on what a product or convolution reads, and on the shortcut that is added to one. */
  private Optional<String> inputsOnly(Node node, QConfig config, OpRule rule) {
    if (rule == OpRule.WEIGHTED) {
      return weighted(node, config);
    }
    boolean isSum = node.opType().equals("Add") && node.inputs().size() == 2;
    if (isSum) {
      for (int i = 0; i < 2; i++) {
        Node producer = producers.get(node.input(i));
        String shortcut = node.input(1 - i);
        boolean isProduct =
            producer != null
                && quantized.containsKey(producer)
                && OpRule.of(producer).equals(Optional.of(OpRule.WEIGHTED))
                && graph.soleReader(consumers, node.input(i)).isPresent();
        if (isProduct && isFloat(shortcut) && !graph.isConstant(shortcut)) {
          quantized.put(node, config);
          quantizeInput(shortcut, config);
          return Optional.empty();
        }
      }
    }
    return Optional.of("the backend fuses it with its neighbours, or runs it in floats");
  }

  /** Why what reads an input with a default stays float. */
  public static String replaceable(String input) {
    return "\""
        + input
        + "\" is an input of the model with a default, which callers may replace; it can be"
        + " quantized once it is taken off the inputs";
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
      return type.elementType() == ElementType.FLOAT32;
    }
    return graph.constant(tensor).filter(Tensor::isFloat).isPresent();
  }

  private Optional<String> weighted(Node node, QConfig config) {
    boolean isMatMul = node.opType().equals("MatMul");
    if (!isFloat(node.input(0)) || !isFloat(node.input(1))) {
      return Optional.of("it is not float32");
    }
    if (graph.isConstant(node.input(0)) || !graph.isConstant(node.input(1))) {
      return isMatMul ? product(node, config) : Optional.of("its weight is not a constant");
    }
    Optional<String> unfit = weightObstacle(node);
    if (unfit.isPresent()) {
      return unfit;
    }
    if (!node.input(2).isEmpty()) {
      Optional<float[]> bias = graph.floatConstant(node.input(2));
      if (bias.isEmpty()) {
        return Optional.of("its bias is not a constant");
      }
      FiniteValues.check(node, node.input(2), bias.get());
    }
    if (node.opType().equals("Gemm")) {
      Optional<String> obstacle = gemmObstacle(node);
      if (obstacle.isPresent()) {
        return obstacle;
      }
    }
    quantized.put(node, config);
    quantizeInput(node.input(0), config);
    if (roundsProduct(node)) {
      quantizeOutput(node.output(0), config, Optional.empty());
    }
    return Optional.empty();
  }

  private Optional<String> weightObstacle(Node node) {
    float[] weight = graph.floatConstant(node.input(1)).orElseThrow();
    FiniteValues.check(node, node.input(1), weight);
    return weight.length == 0
        ? Optional.of("its weight is empty")
        : IntegerSums.obstacle(node, graph.constant(node.input(1)).orElseThrow().shape());
  }

  /** Its integer form computes floats too, so only some backends round the result. */
  private Optional<String> attention(Node node, QConfig config) {
    if (!isFloat(node.input(0)) || !isFloat(node.input(1))) {
      return Optional.of("it is not float32");
    }
    if (graph.isConstant(node.input(0)) || !graph.isConstant(node.input(1))) {
      return Optional.of("its weight is not a constant");
    }
    Optional<String> unfit = weightObstacle(node);
    if (unfit.isEmpty()) {
      quantized.put(node, config);
      quantizeInput(node.input(0), config);
      if (mapping.backend().roundsProducts() && !outputs.contains(node.output(0))) {
        quantizeOutput(node.output(0), config, Optional.empty());
      }
    }
    return unfit;
  }

  /**
   * Convolutions give integers, since what follows them has integer kernels. Products do only where
   * other products are all that reads them: there are kernels with float results, and sums, softmax
   * and normalizations are better off with those; so are logits.
   */
  private boolean roundsProduct(Node node) {
    if (mapping.backend().quantizesInputsOnly()) {
      return false;
    }
    boolean isProduct = node.opType().equals("MatMul") || node.opType().equals("Gemm");
    if (isProduct && outputs.contains(node.output(0))) {
      return false;
    }
    return !isProduct
        || mapping.backend().roundsProducts()
        || feedProducts.contains(node.output(0));
  }

  /** The tensors that nothing reads but quantized products, or what passes them on to such. */
  private Set<String> tensorsOfProductsOnly() {
    Set<String> found = new HashSet<>();
    List<Node> nodes = graph.nodes();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      for (String tensor : nodes.get(i).outputs()) {
        List<Node> readers = consumers.getOrDefault(tensor, List.of());
        boolean feedsOnlyProducts =
            !readers.isEmpty()
                && !outputs.contains(tensor)
                && readers.stream().allMatch(reader -> feedsProduct(tensor, reader, found));
        if (feedsOnlyProducts) {
          found.add(tensor);
        }
      }
    }
    return found;
  }

  private boolean feedsProduct(String tensor, Node reader, Set<String> known) {
    OpRule rule = OpRule.of(reader).orElse(null);
    boolean passesOn = rule == OpRule.ACTIVATION || rule == OpRule.SAME_VALUES;
    boolean isProduct =
        rule == OpRule.WEIGHTED
            && reader.input(0).equals(tensor)
            && graph.isConstant(reader.input(1));
    return (isProduct || (passesOn && known.contains(reader.output(0))))
        && mapping.of(reader.opType(), reader.label(), reader.output(0)).quantized();
  }

  /** A product of two activations. */
  private Optional<String> product(Node node, QConfig config) {
    if (!mapping.backend().quantizesProducts()) {
      return Optional.of("it multiplies two activations, which the backend does as fast in floats");
    }
    if (graph.isConstant(node.input(0))) {
      return Optional.of("its left side is a constant");
    }
    quantized.put(node, config);
    quantizeInput(node.input(0), config);
    quantizeInput(node.input(1), config);
    return Optional.empty();
  }

  private Optional<String> gemmObstacle(Node node) {
    if (node.intAttribute("transA", 0) != 0) {
      return Optional.of("its input is transposed");
    }
    long[] weight = graph.constant(node.input(1)).orElseThrow().shape();
    long columns = weight[node.intAttribute("transB", 0) != 0 ? 0 : 1];
    if (!node.input(2).isEmpty()) {
      long[] bias = graph.constant(node.input(2)).orElseThrow().shape();
      boolean isRow =
          (bias.length == 1 || (bias.length == 2 && bias[0] == 1))
              && bias[bias.length - 1] == columns;
      if (!isRow) {
        return Optional.of("its bias is not one value per column");
      }
    }
    return Optional.empty();
  }

  private Optional<String> elementwise(Node node, QConfig config, OpRule rule) {
    Optional<String> misfused = AveragePools.obstacle(node);
    if (misfused.isPresent()) {
      return misfused;
    }
    List<String> floats = node.inputs().stream().filter(this::isFloat).toList();
    boolean computes = floats.stream().anyMatch(input -> !graph.isConstant(input));
    if (!computes || !isFloat(node.output(0))) {
      return Optional.of("it is not float32");
    }
    if (outputs.contains(node.output(0))) {
      return Optional.of("it computes an output of the model");
    }
    // Between float operators there is no integer kernel to feed, only precision to lose: the inner
    // steps of a decomposed layer normalization, say.
    boolean isIsland = floats.stream().noneMatch(in -> graph.isInput(in) || rounded.contains(in));
    if (isIsland) {
      return Optional.of("all that it reads is float32");
    }
    boolean isArithmetic =
        Operators.ARITHMETIC.contains(node.opType()) && !mapping.backend().roundsProducts();
    if (isArithmetic && !floats.stream().allMatch(rounded::contains)) {
      return Optional.of("it reads float32 or a constant too, and has no faster integer kernel");
    }
    boolean mayMask = node.opType().equals("Where") && floats.stream().anyMatch(graph::isConstant);
    if (mayMask) {
      return Optional.of("it chooses between values and a constant, which may be far out of range");
    }
    for (String input : floats) {
      if (rule == OpRule.ELEMENTWISE && graph.isConstant(input)) {
        float[] values = graph.floatConstant(input).orElseThrow();
        FiniteValues.check(node, input, values);
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
    quantizeOutput(node.output(0), config, FixedRanges.of(node, mapping.backend()));
    return Optional.empty();
  }

  private Optional<String> floatFunction(Node node, QConfig config) {
    return mapping.backend().roundsProducts()
        ? elementwise(node, config, OpRule.FLOAT_FUNCTION)
        : Optional.of("the backend has no integer kernel for it");
  }

  private Optional<String> activationFunction(Node node, QConfig config) {
    Optional<String> obstacle = clipObstacle(node);
    if (obstacle.isPresent()) {
      return obstacle;
    }
    if (!fusesWithProducer(node)) {
      return elementwise(node, config, OpRule.ACTIVATION);
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
        && rounded.contains(node.input(0))
        && OpRule.of(producer).orElseThrow() != OpRule.SAME_VALUES
        && FixedRanges.of(producer, mapping.backend()).isEmpty()
        && graph.soleReader(consumers, node.input(0)).isPresent();
  }

  private Optional<String> sameValues(Node node, QConfig config) {
    Activation input = activations.get(node.input(0));
    if (!isFloat(node.input(0)) || input == null) {
      return Optional.of("its input is float32");
    }
    Optional<String> obstacle = SameValues.obstacle(graph, node);
    if (obstacle.isPresent()) {
      return obstacle;
    }
    quantized.put(node, config);
    for (String output : node.outputs()) {
      if (isFloat(output)) {
        activations.put(output, input);
        rounded.add(output);
      }
    }
    return Optional.empty();
  }

  private void quantizeInput(String tensor, QConfig consumer) {
    if (!activations.containsKey(tensor)) {
      QConfig config = graph.isInput(tensor) ? mapping.ofInput(tensor) : consumer;
      activations.put(
          tensor,
          new Activation(
              tensor, config.activation(), config.reduceActivations(), Optional.empty()));
    }
  }

  private void quantizeOutput(String tensor, QConfig config, Optional<Range> fixed) {
    Root root = new Root(tensor, config.activation());
    if (fixed.isEmpty()) {
      root = root(root);
    }
    activations.put(
        tensor, new Activation(root.tensor(), root.config(), config.reduceActivations(), fixed));
    rounded.add(tensor);
  }

  /** What is after the activation functions behind a tensor; each is walked past once. */
  private Root root(Root first) {
    List<String> passed = new ArrayList<>();
    Root root = first;
    Root known = roots.get(root.tensor());
    Optional<Node> next = fusedFunction(root.tensor());
    while (known == null && next.isPresent()) {
      Node function = next.get();
      passed.add(root.tensor());
      root =
          new Root(
              function.output(0),
              mapping.of(function.opType(), function.label(), function.output(0)).activation());
      known = roots.get(root.tensor());
      next = fusedFunction(root.tensor());
    }
    Root last = known == null ? root : known;
    passed.forEach(tensor -> roots.put(tensor, last));
    return last;
  }

  private Optional<Node> fusedFunction(String tensor) {
    return graph.soleReader(consumers, tensor).filter(this::willFuse);
  }

  private boolean willFuse(Node node) {
    return OpRule.of(node).equals(Optional.of(OpRule.ACTIVATION))
        && mapping.of(node.opType(), node.label(), node.output(0)).quantized()
        && clipObstacle(node).isEmpty();
  }
}
