package org.tare.rewrite;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import org.tare.onnx.Attention;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Operators;
import org.tare.onnx.TensorType;
import org.tare.plan.EmbeddingTables;
import org.tare.plan.FiniteValues;
import org.tare.plan.FloatNode;
import org.tare.plan.QuantizationPlan;
import org.tare.plan.SoftmaxOfMany;
import org.tare.prepare.OpsetUpgrade;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;

/**
 * Quantizes a model without data: {@link Mode#DYNAMIC} computes products in integers where there is
 * an operator for it and stores the other weights as integers, {@link Mode#WEIGHT_ONLY} stores all
 * of them. Graphs inside of If, Loop and Scan are rewritten too.
 */
final class DataFreeRewriter {
  /** Their weights are made floats again in each run. */
  private static final String SLOWER =
      ", and with stored integers it is slower: name it in quantize.overrides for a smaller file";

  private final QConfigMapping mapping;
  private final Mode mode;
  private final boolean standardOnly;
  private final Map<String, TensorType> types;

  /** The qparams that weights of recurrent layers were trained with. */
  private final Function<String, Optional<ChannelQParams>> trained;

  private final Map<String, QuantizedWeight> weights = QuantizedConstants.noWeights();
  private final List<FloatNode> floatNodes = new ArrayList<>();

  private DataFreeRewriter(
      QConfigMapping mapping,
      Mode mode,
      boolean standardOnly,
      Map<String, TensorType> types,
      Function<String, Optional<ChannelQParams>> trained) {
    this.types = types;
    this.trained = trained;
    this.mapping = mapping;
    this.mode = mode;
    this.standardOnly = standardOnly;
  }

  /**
   * Quantizes a copy of the model.
   *
   * @param types of the model's tensors
   * @param standardOnly whether 4-bit weights take ONNX's own DequantizeLinear of operator set 21,
   *     not ONNX Runtime's operator
   */
  static QuantizedModel quantize(
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      boolean standardOnly) {
    OnnxModel copy = prepared.copy();
    boolean hasBlocks =
        mapping.standard().weight().block() != 0
            || mapping.overrides().stream().anyMatch(rule -> rule.config().weight().block() != 0);
    if (standardOnly && hasBlocks) {
      OpsetUpgrade.raise(copy, OnnxModel.BLOCKED_OPSET, types);
    }
    DataFreeRewriter rewriter =
        new DataFreeRewriter(
            mapping, mapping.mode(), standardOnly, types, name -> Optional.empty());
    rewriter.rewrite(copy.graph(), null, false);
    copy.importUsedDomains();
    return new QuantizedModel(copy, new TreeMap<>(), rewriter.weights, rewriter.floatNodes, 0);
  }

  /**
   * Quantizes what the static mode can't, as the dynamic mode does: recurrent layers, which have no
   * kernel with calibrated ranges, and graphs inside of nodes, which can't be observed.
   *
   * @param quantized statically; its model is changed
   * @param trained gives the qparams that a weight was trained with, if it was
   */
  static QuantizedModel complete(
      QuantizedModel quantized,
      QConfigMapping mapping,
      Function<String, Optional<ChannelQParams>> trained) {
    OnnxModel model = quantized.model();
    DataFreeRewriter rewriter =
        new DataFreeRewriter(mapping, Mode.DYNAMIC, true, Map.of(), trained);
    rewriter.rewrite(model.graph(), null, true);
    model.importUsedDomains();
    Map<String, QuantizedWeight> weights = QuantizedConstants.noWeights();
    weights.putAll(quantized.weights());
    weights.putAll(rewriter.weights);
    List<FloatNode> floatNodes = new ArrayList<>(quantized.floatNodes());
    floatNodes.addAll(rewriter.floatNodes);
    return new QuantizedModel(
        model, quantized.activations(), weights, floatNodes, quantized.removedActivations());
  }

  /**
   * @param recurrentOnly leaves all else as it is, but for what is inside of nodes
   */
  private void rewrite(Graph graph, QuantizedConstants around, boolean recurrentOnly) {
    List<Node> written = new ArrayList<>();
    TiedTables tied = new TiedTables(graph, types);
    QuantizedConstants constants =
        around == null
            ? new QuantizedConstants(graph, written::add, weights, tied)
            : around.within(graph, written::add, tied);
    IntegerProducts products = new IntegerProducts(graph, constants, written::add, trained);
    BlockedWeights blocks = new BlockedWeights(graph, written::add, weights, standardOnly);
    StoredWeights stored = new StoredWeights(graph, constants, blocks, written::add, trained);
    Map<String, Node> producers = graph.producers();
    graph.editSubgraphs(inner -> rewrite(inner, constants, false));
    for (Node node : graph.nodes()) {
      if (recurrentOnly && !QuantizationPlan.isCompletedDynamically(node, mapping)) {
        written.add(node);
        continue;
      }
      QConfig config = mapping.of(node.opType(), node.label(), node.output(0));
      Optional<String> obstacle = obstacle(graph, node, config);
      if (obstacle.isEmpty() && EmbeddingTables.isLookup(graph, node)) {
        tied.defer(node, config);
        written.add(node);
      } else if (obstacle.isEmpty()) {
        obstacle =
            rewrite(
                node,
                config,
                SoftmaxOfMany.ofProduct(node, graph, producers, types),
                products,
                stored);
      }
      if (obstacle.isPresent()) {
        written.add(node);
        if (isWeighted(node) || !config.quantized()) {
          floatNodes.add(new FloatNode(node.opType(), node.label(), obstacle.get()));
        }
      }
    }
    graph.setNodes(tied.finish(written, constants, weights));
    floatNodes.addAll(tied.floatNodes());
    graph.removeUnused();
  }

  /**
   * @param whyFloat the reason for which what the node reads stays float, if there is one
   */
  private Optional<String> rewrite(
      Node node,
      QConfig config,
      Optional<String> whyFloat,
      IntegerProducts products,
      StoredWeights stored) {
    if (mode != Mode.DYNAMIC) {
      return stored.rewrite(node, config);
    }
    boolean hasIntegers = Operators.DYNAMIC_INTEGERS.contains(node.opType());
    Optional<String> why =
        hasIntegers
            ? whyFloat.or(() -> products.rewrite(node, config.withWeightType(DType.INT8)))
            : Optional.of("it has no integer kernel");
    if (why.isEmpty()) {
      return why;
    }
    boolean isSlower = node.isStandard() && Operators.RECURRENT.contains(node.opType());
    if (isSlower && !mapping.asksFor(node.opType(), node.label(), node.output(0))) {
      return why.map(reason -> reason + SLOWER);
    }
    Optional<String> obstacle = stored.rewrite(node, config);
    if (!hasIntegers) {
      return obstacle;
    }
    if (obstacle.isEmpty()) {
      floatNodes.add(
          new FloatNode(
              node.opType(), node.label(), why.get() + ", so only its weight is quantized"));
    }
    return obstacle;
  }

  private static boolean isWeighted(Node node) {
    return Attention.matches(node)
        || (node.isStandard() && Operators.WEIGHTED.contains(node.opType()));
  }

  private Optional<String> obstacle(Graph graph, Node node, QConfig config) {
    boolean isEmbedding = EmbeddingTables.isLookup(graph, node);
    if (!isWeighted(node) && !isEmbedding) {
      return Optional.of("it has no weight");
    }
    if (!config.quantized()) {
      return Optional.of(mapping.whyFloat(node.output(0)));
    }
    if (isEmbedding) {
      return Optional.empty();
    }
    if (graph.hasDefault(node.input(1))) {
      return Optional.of(QuantizationPlan.replaceable(node.input(1)));
    }
    Optional<float[]> weight = graph.floatConstant(node.input(1));
    if (weight.isEmpty()) {
      return Optional.of(
          graph.floatConstant(node.input(0)).isPresent()
              ? "its constant is its first input, and products take one as their second"
              : "its weight is not a float32 constant");
    }
    if (graph.isConstant(node.input(0))) {
      return Optional.of("both of its sides are constants");
    }
    if (weight.get().length == 0) {
      return Optional.of("its weight is empty");
    }
    FiniteValues.check(node, node.input(1), weight.get());
    return Optional.empty();
  }
}
