package org.tare.rewrite;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.function.Function;
import org.tare.correct.BiasCorrection;
import org.tare.correct.ChannelWeight;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.plan.ActivationQParams;
import org.tare.plan.AveragePools;
import org.tare.plan.ChosenRanges;
import org.tare.plan.EmbeddingTables;
import org.tare.plan.FloatNode;
import org.tare.plan.IntegerSums;
import org.tare.plan.OpRule;
import org.tare.plan.QuantizationPlan;
import org.tare.plan.WeightAxes;
import org.tare.prepare.OpsetUpgrade;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.WeightQuantizer;
import org.tare.rewrite.QuantizedConstants.Weight;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelStats;
import org.tare.stats.TensorStats;

/**
 * Writes a {@link QuantizationPlan} into the graph: a QuantizeLinear and DequantizeLinear pair on
 * each quantized activation, integers and a DequantizeLinear for each constant. Runtimes fuse the
 * pairs around an operator into its integer kernel.
 *
 * <p>QuantizeLinear saturates at the ends of its type. Where a smaller range has to hold, since a
 * bit is kept free or an activation function was left out, a Clip of the integers holds it.
 */
public final class QdqRewriter {
  /** How many steps an end of the integer type may lie past a bound that it has to replace. */
  private static final double BOUND_TOLERANCE = 1e-4;

  private final Graph graph;
  private final QuantizationPlan plan;
  private final Set<String> outputs;
  private final SortedMap<String, ActivationQParams> chosen;
  private final Function<String, Optional<ChannelQParams>> trained;

  private final List<Node> written = new ArrayList<>();
  private final Map<String, QuantizedWeight> weights = QuantizedConstants.noWeights();
  private final Map<String, String> dequantized = new HashMap<>();
  private final TiedTables tied;
  private final QuantizedConstants constants;
  private final boolean inputsOnly;
  private final Optional<CalibrationState> correction;
  private final Map<String, String[]> qparamsNames = new HashMap<>();
  private final Map<String, String[]> clipNames = new HashMap<>();
  private final Set<Node> removed = new HashSet<>();
  private final Set<String> afterRemoved = new HashSet<>();

  /**
   * Quantizes a copy of the model.
   *
   * @param prepared the float model that the plan was made for; it is not changed
   * @param ranges chosen from the state that was observed
   * @param metadata goes into the model's metadata_props
   * @throws org.tare.TareException if the state lacks a tensor of the plan, or holds no finite
   *     value of one
   */
  public static QuantizedModel quantize(
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      ChosenRanges ranges,
      Map<String, String> metadata) {
    OnnxModel copy = prepared.copy();
    if (mapping.usesTypesOf21()) {
      OpsetUpgrade.raise(copy, OnnxModel.BLOCKED_OPSET, types);
    }
    QuantizationPlan plan = QuantizationPlan.of(copy, types, mapping);
    QdqRewriter rewriter =
        new QdqRewriter(
            copy.graph(),
            types,
            plan,
            ranges.of(plan),
            ranges::weight,
            mapping.backend().quantizesInputsOnly(),
            mapping.correctsBias() ? Optional.of(ranges.state()) : Optional.empty());
    rewriter.rewrite();
    copy.metadata().putAll(metadata);
    List<FloatNode> floatNodes = new ArrayList<>(plan.floatNodes());
    floatNodes.addAll(rewriter.tied.floatNodes());
    return new QuantizedModel(
        copy, rewriter.chosen, rewriter.weights, floatNodes, rewriter.removed.size());
  }

  private QdqRewriter(
      Graph graph,
      Map<String, TensorType> types,
      QuantizationPlan plan,
      SortedMap<String, ActivationQParams> chosen,
      Function<String, Optional<ChannelQParams>> trained,
      boolean inputsOnly,
      Optional<CalibrationState> correction) {
    this.graph = graph;
    this.inputsOnly = inputsOnly;
    this.correction = correction;
    this.tied = new TiedTables(graph, types);
    this.constants = new QuantizedConstants(graph, written::add, weights, tied);
    this.plan = plan;
    this.outputs = new HashSet<>(graph.outputNames());
    this.chosen = chosen;
    this.trained = trained;
  }

  private QParams qparams(String tensor) {
    return chosen.get(plan.activation(tensor).orElseThrow().root()).qparams();
  }

  private void rewrite() {
    graph.inputNames().forEach(this::quantizeActivation);
    for (Node node : graph.nodes()) {
      if (removed.contains(node)) {
        continue;
      }
      List<String> tensors = node.outputs();
      Optional<QConfig> config = plan.config(node);
      if (EmbeddingTables.isLookup(graph, node) && config.isPresent()) {
        tied.defer(node, config.get());
        written.add(node);
        tensors.forEach(this::quantizeActivation);
        continue;
      }
      if (config.isPresent()) {
        rewriteInputs(node, config.get());
      } else {
        readFloats(node);
      }
      if (AveragePools.obstacle(node).isPresent() && !inputsOnly) {
        writeApart(node);
      } else {
        write(node, tensors);
      }
    }
    graph.setNodes(tied.finish(written, constants, weights));
    graph.removeUnused();
  }

  /**
   * Adds a node that must not be fused with the pairs around it: the Max of its result alone, which
   * is the result, stands between.
   */
  private void writeApart(Node node) {
    String result = node.output(0);
    String own = graph.addedName(result, "_u");
    node.setOutput(0, own);
    written.add(node);
    write(Node.of("Max", "", List.of(own), List.of(result)), List.of(result));
  }

  /** Adds the node and the pairs after it. */
  private void write(Node node, List<String> tensors) {
    written.add(node);
    for (int i = 0; i < tensors.size(); i++) {
      if (tensors.get(i).isEmpty()) {
        continue;
      }
      String tensor = plan.config(node).isPresent() ? afterRemoved(tensors.get(i)) : tensors.get(i);
      if (plan.activation(tensor).isPresent() && outputs.contains(tensor) && roundsOutput(node)) {
        // The model's output keeps its name on the dequantized side.
        String raw = graph.addedName(tensor, "_f");
        node.setOutput(i, raw);
        writePair(raw, tensor, tensor);
        dequantized.put(tensor, tensor);
      } else {
        node.setOutput(i, tensor);
        quantizeActivation(tensor);
      }
    }
  }

  /** Whether an output of the model that this node computes is quantized too. */
  private boolean roundsOutput(Node node) {
    return plan.config(node).isPresent() && node.outputs().stream().anyMatch(plan::isRounded);
  }

  /** The tensor that takes this one's place once the activation functions after it are gone. */
  private String afterRemoved(String tensor) {
    String current = tensor;
    Optional<Node> function = removable(current);
    while (function.isPresent()) {
      removed.add(function.get());
      current = function.get().output(0);
      function = removable(current);
    }
    if (!current.equals(tensor)) {
      afterRemoved.add(current);
    }
    return current;
  }

  private Optional<Node> removable(String tensor) {
    if (plan.activation(tensor).isEmpty()) {
      return Optional.empty();
    }
    return plan.soleFusedFunction(tensor)
        .filter(
            node -> {
              QParams q = qparams(tensor);
              double slack = BOUND_TOLERANCE * q.scale();
              return q.lowest() >= lowerBound(node) - slack
                  && q.highest() <= upperBound(node) + slack;
            });
  }

  private double lowerBound(Node node) {
    return node.opType().equals("Relu") ? 0 : bound(node, 1, Double.NEGATIVE_INFINITY);
  }

  private double upperBound(Node node) {
    return node.opType().equals("Relu")
        ? Double.POSITIVE_INFINITY
        : bound(node, 2, Double.POSITIVE_INFINITY);
  }

  private double bound(Node clip, int input, double absent) {
    return graph.floatConstant(clip.input(input)).map(v -> (double) v[0]).orElse(absent);
  }

  /** Adds the pair for a tensor that keeps its name, if the plan quantizes it. */
  private void quantizeActivation(String tensor) {
    if (plan.activation(tensor).isPresent()) {
      String output = graph.addedName(tensor, "_dq");
      writePair(tensor, tensor, output);
      dequantized.put(tensor, output);
    }
  }

  private void writePair(String from, String tensor, String to) {
    String root = plan.activation(tensor).orElseThrow().root();
    String[] names = qparamsNames.computeIfAbsent(root, this::addQParams);
    QParams q = chosen.get(root).qparams();
    String rounded = graph.addedName(tensor, "_q");
    written.add(Node.of("QuantizeLinear", "", List.of(from, names[0], names[1]), List.of(rounded)));
    String quantized = clips(tensor, q) ? clipped(tensor, rounded, root, q) : rounded;
    written.add(
        Node.of("DequantizeLinear", "", List.of(quantized, names[0], names[1]), List.of(to)));
  }

  private boolean clips(String tensor, QParams q) {
    boolean keepsBitFree = q.quantMax() < q.dtype().max();
    // Symmetric int8 begins at -127; a step more matters only in place of a function.
    boolean endsBefore = q.quantMin() > q.dtype().min() && afterRemoved.contains(tensor);
    return keepsBitFree || endsBefore;
  }

  private String clipped(String tensor, String integers, String root, QParams q) {
    String[] bounds =
        clipNames.computeIfAbsent(
            root,
            key -> {
              String least = graph.addedName(key, "_l");
              String greatest = graph.addedName(key, "_h");
              graph.addConstant(Tensor.ofQuantized(least, q.dtype(), new long[0], q.quantMin()));
              graph.addConstant(Tensor.ofQuantized(greatest, q.dtype(), new long[0], q.quantMax()));
              return new String[] {least, greatest};
            });
    String output = graph.addedName(tensor, "_c");
    written.add(Node.of("Clip", "", List.of(integers, bounds[0], bounds[1]), List.of(output)));
    return output;
  }

  private String[] addQParams(String root) {
    QParams q = chosen.get(root).qparams();
    String scale = graph.addedName(root, "_s");
    String zeroPoint = graph.addedName(root, "_z");
    graph.addConstant(Tensor.ofFloats(scale, new long[0], q.scale()));
    graph.addConstant(Tensor.ofQuantized(zeroPoint, q.dtype(), new long[0], q.zeroPoint()));
    return new String[] {scale, zeroPoint};
  }

  /** Lets a float node read a rounded tensor behind its pair, and every other tensor unchanged. */
  private void readFloats(Node node) {
    for (int i = 0; i < node.inputs().size(); i++) {
      if (plan.isRounded(node.input(i))) {
        node.setInput(i, dequantized.getOrDefault(node.input(i), node.input(i)));
      }
    }
  }

  private void rewriteInputs(Node node, QConfig config) {
    OpRule rule = OpRule.of(node).orElseThrow();
    boolean isWeighted =
        rule == OpRule.WEIGHTED
            && !graph.isConstant(node.input(0))
            && graph.isConstant(node.input(1));
    if (isWeighted) {
      quantizeWeights(node, config);
    } else if (rule == OpRule.ATTENTION) {
      // Its bias is added to floats, in its integer form too.
      Weight weight = limited(node, constants.read(node.input(1)), config);
      node.setInput(1, constants.dequantized(weight, chosenQParams(node, weight, config)));
    } else if (rule == OpRule.ELEMENTWISE || rule == OpRule.WEIGHTED) {
      for (int i = 0; i < node.inputs().size(); i++) {
        if (graph.floatConstant(node.input(i)).isPresent()) {
          node.setInput(i, quantizeConstant(node.input(i), config));
        }
      }
    }
    for (int i = 0; i < node.inputs().size(); i++) {
      String input = node.input(i);
      if (dequantized.containsKey(input)) {
        node.setInput(i, dequantized.get(input));
      }
    }
  }

  /** A constant operand of an elementwise operator, in the activations' type. */
  private String quantizeConstant(String tensor, QConfig config) {
    Weight constant = constants.read(tensor);
    ChannelQParams qparams =
        new WeightQuantizer(config.activation().spec(config.reduceRange()))
            .perTensor(constant.values());
    return constants.dequantized(constant, qparams);
  }

  private void quantizeWeights(Node node, QConfig config) {
    foldGemmFactors(node);
    Weight weight = limited(node, constants.read(node.input(1)), config).roundedFor(node, config);
    ChannelQParams qparams = chosenQParams(node, weight, config);
    correctBias(node, weight, qparams);
    String bias = node.input(2);
    if (!bias.isEmpty() && !inputsOnly) {
      float inputScale = qparams(node.input(0)).scale();
      float[] biasValues = graph.floatConstant(bias).orElseThrow();
      qparams =
          WeightQuantizer.guardBias(
              qparams, inputScale, largestByChannel(biasValues, qparams.channels().size()));
      node.setInput(2, writeBias(bias, biasValues, inputScale, qparams));
    }
    node.setInput(1, constants.dequantized(weight, qparams));
  }

  /** The weight with the limit that its products need beside the integers of their input. */
  private Weight limited(Node node, Weight weight, QConfig config) {
    QParams input = qparams(node.input(0));
    // Pairs of products are at most 2 * 127 * 127, which fits 16 bits.
    boolean hasFreeBit = input.dtype() == DType.UINT8 && input.quantMax() <= 127;
    return hasFreeBit ? weight : weight.within(IntegerSums.limit(node, weight.shape(), config));
  }

  /** Those that it was trained with, if it was. */
  private ChannelQParams chosenQParams(Node node, Weight weight, QConfig config) {
    return trained
        .apply(weight.name())
        .map(q -> WeightQuantizer.held(q, weight.values(), weight.shape(), weight.limit()))
        .orElseGet(() -> weightQParams(node, weight, config));
  }

  private static ChannelQParams weightQParams(Node node, Weight weight, QConfig given) {
    // A transposed convolution is computed in floats, whatever is said of integer products.
    QConfig config = node.opType().equals("ConvTranspose") ? given.withoutReducedRange() : given;
    return QuantizedConstants.qparams(weight, WeightAxes.channelAxis(node, weight.shape()), config);
  }

  /** Takes what rounding the weight adds to the means off the bias, if the means are known. */
  private void correctBias(Node node, Weight weight, ChannelQParams qparams) {
    Optional<ChannelStats> stats =
        correction.map(state -> state.tensors().get(node.input(0))).flatMap(TensorStats::channels);
    Optional<ChannelWeight> own = ChannelWeight.of(graph, node);
    if (stats.isEmpty() || own.isEmpty() || own.get().isMatrix()) {
      return;
    }
    Optional<double[]> shifts =
        BiasCorrection.shifts(
            own.get(), QuantizedConstants.quantize(weight, qparams), qparams, stats.get());
    if (shifts.isEmpty()) {
      return;
    }
    float[] corrected =
        node.input(2).isEmpty()
            ? new float[shifts.get().length]
            : graph.floatConstant(node.input(2)).orElseThrow();
    for (int o = 0; o < corrected.length; o++) {
      corrected[o] -= (float) shifts.get()[o];
    }
    String name = graph.addedName(weight.name(), "_bias");
    graph.addConstant(Tensor.ofFloats(name, new long[] {corrected.length}, corrected));
    node.setInput(2, name);
  }

  /** Gemm's alpha and beta go into its constants. */
  private void foldGemmFactors(Node node) {
    if (!node.opType().equals("Gemm")) {
      return;
    }
    foldFactor(node, "alpha", 1);
    if (node.input(2).isEmpty()) {
      node.removeAttribute("beta");
    } else {
      foldFactor(node, "beta", 2);
    }
  }

  private void foldFactor(Node node, String attribute, int input) {
    float factor = node.floatAttribute(attribute, 1f);
    if (factor != 1f) {
      Tensor tensor = graph.constant(node.input(input)).orElseThrow();
      float[] values = tensor.floats();
      for (int i = 0; i < values.length; i++) {
        values[i] *= factor;
      }
      String name = graph.freshName(node.input(input) + "_" + attribute);
      graph.addConstant(Tensor.ofFloats(name, tensor.shape(), values));
      node.setInput(input, name);
    }
    node.removeAttribute(attribute);
  }

  /**
   * The bias of greatest magnitude for each channel of the weight: the groups of a ConvTranspose
   * share the weight's second axis.
   */
  private static float[] largestByChannel(float[] bias, int channels) {
    if (channels == 1 || bias.length == channels) {
      return bias;
    }
    float[] largest = new float[channels];
    for (int i = 0; i < bias.length; i++) {
      largest[i % channels] = Math.max(largest[i % channels], Math.abs(bias[i]));
    }
    return largest;
  }

  private String writeBias(
      String name, float[] values, float inputScale, ChannelQParams weightQParams) {
    float[] weightScales = WeightQuantizer.biasScales(inputScale, weightQParams);
    float[] scales = weightScales;
    if (weightScales.length > 1 && weightScales.length != values.length) {
      scales = new float[values.length];
      for (int i = 0; i < scales.length; i++) {
        scales[i] = weightScales[i % weightScales.length];
      }
    }
    int[] quantized = WeightQuantizer.quantizeBias(values, scales);
    String integers = graph.addedName(name, "_q");
    String scale = graph.addedName(name, "_s");
    String output = graph.addedName(name, "_dq");
    graph.addConstant(
        Tensor.ofQuantized(integers, DType.INT32, new long[] {values.length}, quantized));
    boolean perChannel = scales.length > 1;
    graph.addConstant(
        Tensor.ofFloats(scale, perChannel ? new long[] {scales.length} : new long[0], scales));
    Node node = Node.of("DequantizeLinear", "", List.of(integers, scale), List.of(output));
    if (perChannel) {
      node.setInt("axis", 0);
    }
    written.add(node);
    return output;
  }
}
