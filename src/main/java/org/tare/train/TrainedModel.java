package org.tare.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.TareException;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Operators;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.plan.ActivationQParams;
import org.tare.plan.OpRule;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FoldedBatchNormalization;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.ChannelQParams;
import org.tare.quant.QParams;
import org.tare.quant.QuantSpec;
import org.tare.quant.WeightQuantizer;
import org.tare.rewrite.QuantizedModel;
import org.tare.rewrite.QuantizedWeight;
import org.tare.train.torch.TorchOperators;

/**
 * A float model that is to be trained on: its weights and biases, and where the plan of its
 * quantization rounds values.
 */
public final class TrainedModel {
  /**
   * Operators with a weight in input 1 and a bias in input 2; recurrent layers have two weights.
   */
  private static final Set<Optional<OpRule>> WEIGHTED =
      Set.of(Optional.of(OpRule.WEIGHTED), Optional.of(OpRule.ATTENTION));

  private final String name;
  private final OnnxModel model;
  private final QuantizationPlan plan;
  private final boolean roundsBiases;

  /** The places of nodes that stay as they are. */
  private final Set<Integer> frozen;

  /** The trainable constants: weights and biases of products and convolutions. */
  private final List<String> parameters;

  /** The product or convolution that a bias belongs to. */
  private final Map<String, Node> biases = new LinkedHashMap<>();

  /** The normalizations that are kept. */
  private final KeptNormalizations kept;

  private TrainedModel(
      String name,
      OnnxModel model,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      Set<Integer> frozen,
      List<FoldedBatchNormalization> folded) {
    this.frozen = frozen;
    this.name = name;
    this.model = model;
    this.plan = QuantizationPlan.of(model, types, mapping);
    this.roundsBiases = !mapping.backend().quantizesInputsOnly();
    this.parameters = List.copyOf(findParameters());
    this.kept = KeptNormalizations.of(model.graph(), parameters, folded);
  }

  /**
   * A model to train on, all of it.
   *
   * @param name what to call it in messages
   * @param prepared the float model; it is not changed
   * @throws TareException if a node cannot be trained through, or nothing can be trained
   */
  public static TrainedModel of(
      String name, OnnxModel prepared, Map<String, TensorType> types, QConfigMapping mapping) {
    return of(name, prepared, types, mapping, Untrainable.REFUSED);
  }

  /** The same, where a node that cannot be trained through may be frozen. */
  public static TrainedModel of(
      String name,
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      Untrainable untrainable) {
    return of(name, prepared, types, mapping, untrainable, List.of());
  }

  /**
   * The same, with batch normalizations that are kept in training.
   *
   * @param folded those that were folded into layers of the model; of these, layers that are not
   *     trained or have other weights by now stay folded
   */
  public static TrainedModel of(
      String name,
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      Untrainable untrainable,
      List<FoldedBatchNormalization> folded) {
    OnnxModel model = prepared.copy();
    Optional<String> obstacle = obstacle(model);
    if (obstacle.isPresent() && untrainable == Untrainable.REFUSED) {
      throw TareException.badInput(
          "Cannot train %s: %s; set train.freeze-before-untrainable=true to train what comes after"
              + " it, or quantize it without training, by the command run",
          name, obstacle.get());
    }
    Set<Integer> frozen = FrozenPart.nodes(model.graph());
    for (String tensor : FrozenPart.results(model.graph(), frozen)) {
      TensorType type = types.get(tensor);
      if (type != null && !FrozenPart.TYPES.contains(type.elementType())) {
        throw FrozenPart.unfit(name, tensor, type.elementType());
      }
    }
    model.graph().nodes().forEach(node -> foldFactors(model.graph(), node));
    TrainedModel trained = new TrainedModel(name, model, types, mapping, frozen, folded);
    if (trained.parameters.isEmpty()) {
      throw TareException.badInput(
          "Cannot train %s: it has no convolution and no product with a constant weight%s",
          name, obstacle.map(why -> " after what cannot be trained: " + why).orElse(""));
    }
    return trained;
  }

  /** The first node that cannot be trained through, and why, if there is one. */
  public static Optional<String> obstacle(OnnxModel model) {
    for (Node node : model.graph().nodes()) {
      Optional<String> obstacle = TorchOperators.obstacle(node);
      if (obstacle.isPresent()) {
        return Optional.of(
            String.format(
                "node %s of operator %s: %s", node.label(), node.opType(), obstacle.get()));
      }
    }
    return Optional.empty();
  }

  /** Gemm's factors go into its constants, as they do where it is quantized. */
  private static void foldFactors(Graph graph, Node node) {
    if (node.isStandard() && node.opType().equals("Gemm")) {
      foldFactor(graph, node, "alpha", 1);
      foldFactor(graph, node, "beta", 2);
    }
  }

  private static void foldFactor(Graph graph, Node node, String attribute, int input) {
    float factor = node.floatAttribute(attribute, 1f);
    Optional<float[]> constant = graph.floatConstant(node.input(input));
    if (factor == 1f || constant.isEmpty()) {
      return;
    }
    float[] values = constant.get().clone();
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    String scaled = graph.freshName(node.input(input) + "_" + attribute);
    long[] shape = graph.constant(node.input(input)).orElseThrow().shape();
    graph.addConstant(Tensor.ofFloats(scaled, shape, values));
    node.setInput(input, scaled);
    node.removeAttribute(attribute);
  }

  private Set<String> findParameters() {
    Graph graph = model.graph();
    Set<String> found = new LinkedHashSet<>();
    List<Node> nodes = graph.nodes();
    Set<String> fixed = new HashSet<>();
    frozen.forEach(place -> fixed.addAll(nodes.get(place).inputs()));
    for (int place = 0; place < nodes.size(); place++) {
      Node node = nodes.get(place);
      boolean isRecurrent = node.isStandard() && Operators.RECURRENT.contains(node.opType());
      boolean isWeighted = isRecurrent || WEIGHTED.contains(OpRule.of(node));
      boolean isTrained = isWeighted && !frozen.contains(place);
      if (isTrained && isTrainable(node.input(1)) && !graph.isConstant(node.input(0))) {
        int last = isRecurrent ? 3 : 2;
        for (int i = 1; i <= last; i++) {
          if (isTrainable(node.input(i))) {
            found.add(node.input(i));
          }
        }
        if (isTrainable(node.input(2)) && OpRule.of(node).equals(Optional.of(OpRule.WEIGHTED))) {
          biases.put(node.input(2), node);
        }
      }
    }
    // What the frozen part reads too stays with it.
    found.removeAll(fixed);
    biases.keySet().removeAll(fixed);
    return found;
  }

  private boolean isTrainable(String constant) {
    Graph graph = model.graph();
    return graph.floatConstant(constant).filter(values -> values.length > 0).isPresent()
        && !graph.hasDefault(constant);
  }

  /** What to call it in messages. */
  public String name() {
    return name;
  }

  /** The model with its weights as they were. */
  public OnnxModel model() {
    return model;
  }

  /** The labels of the batch normalizations that are kept in training. */
  public List<String> keptNormalizations() {
    return kept.layers().stream().map(NormalizedLayer::label).toList();
  }

  /** The weights, biases and normalizations as they were. */
  public TrainingState initialState() {
    List<float[]> values = new ArrayList<>();
    for (String parameter : parameters) {
      values.add(model.graph().floatConstant(parameter).orElseThrow().clone());
    }
    kept.unfold(values);
    return TrainingState.of(values.toArray(float[][]::new));
  }

  /** The same, and the scales that are to change. */
  public TrainingState initialState(Grids grids, TrainingOptions options) {
    List<float[]> values = new ArrayList<>(List.of(initialState().values()));
    values.addAll(TrainedScales.of(places(), grids, options).initial());
    return TrainingState.of(values.toArray(float[][]::new));
  }

  /**
   * The scales and zero points that were trained, as the quantizer takes them.
   *
   * @param begun the quantized model that training began with
   */
  public TrainedQParams qparams(
      QuantizedModel begun, Grids grids, TrainingState state, TrainingOptions options) {
    Grids now = TrainedScales.of(places(), grids, options).at(state);
    HashMap<String, ChannelQParams> weights = new HashMap<>();
    begun
        .weights()
        .forEach(
            (name, weight) ->
                weight
                    .channels()
                    .ifPresent(q -> weights.put(name, with(q, now.constants().get(name)))));
    HashMap<String, QParams> activations = new HashMap<>();
    if (options.scales() != TrainingOptions.Scales.FIXED) {
      for (String root : grids.specs().keySet()) {
        Grids.Grid grid = now.activations().get(root);
        activations.put(
            root,
            new QParams(
                grid.scales()[0],
                grid.zeroPoints()[0],
                begun.activations().get(root).qparams().dtype(),
                grid.quantMin(),
                grid.quantMax()));
      }
    }
    return new TrainedQParams(weights, activations);
  }

  private static ChannelQParams with(ChannelQParams q, Grids.Grid grid) {
    List<QParams> channels = new ArrayList<>();
    for (int i = 0; i < q.channels().size(); i++) {
      channels.add(q.channels().get(i).withScale(grid.scales()[i]));
    }
    return new ChannelQParams(q.axis(), channels);
  }

  /** The model with other weights and biases; normalizations are folded. */
  public OnnxModel with(TrainingState state) {
    OnnxModel other = model.copy();
    float[][] values = new NormalizedLayers(name, places()).folded(state);
    for (int i = 0; i < parameters.size(); i++) {
      long[] shape = other.graph().constant(parameters.get(i)).orElseThrow().shape();
      other.graph().removeConstant(parameters.get(i));
      other.graph().addConstant(Tensor.ofFloats(parameters.get(i), shape, values[i].clone()));
    }
    return other;
  }

  /** The same on its way to those who train. */
  public SentModel send() {
    return SentModel.of(name, model, places());
  }

  /** Where values are rounded, for those who train. */
  Places places() {
    HashMap<String, String> roots = new HashMap<>();
    HashSet<String> rounded = new HashSet<>();
    plan.activations()
        .forEach(
            (tensor, activation) -> {
              // What only an activation function reads is rounded after that.
              if (plan.soleFusedFunction(tensor).isEmpty()) {
                roots.put(tensor, activation.root());
                if (plan.isRounded(tensor)) {
                  rounded.add(tensor);
                }
              }
            });
    HashSet<Integer> quantized = new HashSet<>();
    HashSet<Integer> withConstants = new HashSet<>();
    List<Node> nodes = model.graph().nodes();
    for (int i = 0; i < nodes.size(); i++) {
      if (plan.config(nodes.get(i)).isPresent()) {
        quantized.add(i);
        boolean roundsConstants = OpRule.of(nodes.get(i)).equals(Optional.of(OpRule.ELEMENTWISE));
        if (roundsConstants) {
          withConstants.add(i);
        }
      }
    }
    return new Places(
        new ArrayList<>(parameters),
        roots,
        rounded,
        quantized,
        withConstants,
        new HashSet<>(frozen),
        new ArrayList<>(kept.layers()));
  }

  /** The scales and zero points that a quantized model of this one has. */
  public Grids grids(QuantizedModel quantized) {
    HashMap<String, Grids.Grid> activations = new HashMap<>();
    for (Map.Entry<String, ActivationQParams> entry : quantized.activations().entrySet()) {
      activations.put(entry.getKey(), grid(entry.getValue().qparams()));
    }
    HashMap<String, QuantSpec> specs = new HashMap<>();
    for (QuantizationPlan.Activation activation : plan.activations().values()) {
      if (activation.fixedRange().isEmpty() && activations.containsKey(activation.root())) {
        specs.put(activation.root(), activation.spec());
      }
    }
    HashMap<String, ChannelQParams> channels = new HashMap<>();
    for (Map.Entry<String, QuantizedWeight> entry : quantized.weights().entrySet()) {
      entry.getValue().channels().ifPresent(q -> channels.put(entry.getKey(), q));
    }
    HashMap<String, Grids.Grid> constants = new HashMap<>();
    channels.forEach((constant, q) -> constants.put(constant, grid(q)));
    HashMap<String, Grids.Bias> scaled = new HashMap<>();
    biases.forEach(
        (bias, node) ->
            biasGrid(node, activations, channels)
                .ifPresent(
                    grid -> {
                      constants.put(bias, grid);
                      String root = plan.activation(node.input(0)).orElseThrow().root();
                      scaled.put(bias, new Grids.Bias(root, node.input(1)));
                    }));
    return new Grids(activations, constants, scaled, specs);
  }

  private Optional<Grids.Grid> biasGrid(
      Node node, Map<String, Grids.Grid> activations, Map<String, ChannelQParams> channels) {
    Optional<QuantizationPlan.Activation> input = plan.activation(node.input(0));
    ChannelQParams weight = channels.get(node.input(1));
    if (!roundsBiases || plan.config(node).isEmpty() || input.isEmpty() || weight == null) {
      return Optional.empty();
    }
    float inputScale = activations.get(input.get().root()).scales()[0];
    float[] scales = WeightQuantizer.biasScales(inputScale, weight);
    int length = model.graph().floatConstant(node.input(2)).orElseThrow().length;
    if (scales.length > 1 && scales.length != length) {
      return Optional.empty();
    }
    return Optional.of(
        new Grids.Grid(
            scales.length > 1 ? 0 : -1,
            scales,
            new int[scales.length],
            -Integer.MAX_VALUE,
            Integer.MAX_VALUE));
  }

  private static Grids.Grid grid(QParams q) {
    return new Grids.Grid(
        -1, new float[] {q.scale()}, new int[] {q.zeroPoint()}, q.quantMin(), q.quantMax());
  }

  private static Grids.Grid grid(ChannelQParams q) {
    QParams first = q.channels().get(0);
    return new Grids.Grid(
        q.isPerChannel() ? q.axis() : -1,
        q.scales(),
        q.channels().stream().mapToInt(QParams::zeroPoint).toArray(),
        first.quantMin(),
        first.quantMax());
  }
}
