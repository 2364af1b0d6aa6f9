package org.tare.infer;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.TareException;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.prepare.ConstantNodes;
import org.tare.prepare.LoopInvariants;
import org.tare.prepare.SharedConstants;

/**
 * Makes initializers of what has no input from the data: weights behind Cast, Transpose, Slice and
 * any other operators, in graphs inside of nodes too. ONNX Runtime computes the values, without its
 * optimisations, so that they are those of the model, bit for bit.
 *
 * <p>Nothing large is made of little: see {@link Budget}. What draws random numbers stays, and so
 * do QuantizeLinear and DequantizeLinear, which say how a constant is stored.
 */
public final class ConstantFolding {
  private static final Set<String> KEPT =
      Set.of(
          "Constant",
          "RandomNormal",
          "RandomNormalLike",
          "RandomUniform",
          "RandomUniformLike",
          "Multinomial",
          "Bernoulli",
          "Dropout",
          "QuantizeLinear",
          "DequantizeLinear",
          "DynamicQuantizeLinear");

  /** Shapes that follow from computed values are known a round later; models have a few such. */
  private static final int ROUNDS = 8;

  private final OnnxModel model;
  private final String name;

  private ConstantFolding(OnnxModel model, String name) {
    this.model = model;
    this.name = name;
  }

  /**
   * A copy of the model with its constants folded.
   *
   * @param name what to call the model in messages
   */
  public static OnnxModel apply(OnnxModel model, String name) {
    OnnxModel copy = model.copy();
    ConstantNodes.apply(copy.graph());
    LoopInvariants.apply(copy.graph());
    SharedConstants.apply(copy.graph());
    new ConstantFolding(copy, name).fold(copy.graph());
    return copy;
  }

  private void fold(Graph graph) {
    Budget budget = Budget.of(graph);
    for (int round = 0; round < ROUNDS; round++) {
      List<Node> candidates = candidates(graph);
      if (candidates.isEmpty() || !foldOnce(graph, candidates, budget)) {
        break;
      }
    }
    graph.editSubgraphs(this::fold);
  }

  /** The nodes that read constants only, or what other such nodes write. */
  private static List<Node> candidates(Graph graph) {
    Set<String> made = new HashSet<>();
    List<Node> candidates = new ArrayList<>();
    for (Node node : graph.nodes()) {
      boolean isCandidate =
          node.isStandard()
              && !KEPT.contains(node.opType())
              && node.subgraphs().isEmpty()
              && node.outputs().stream().noneMatch(graph::isOutput)
              && node.inputs().stream()
                  .allMatch(in -> in.isEmpty() || made.contains(in) || graph.isConstant(in));
      if (isCandidate) {
        candidates.add(node);
        made.addAll(node.outputs());
      }
    }
    made.remove("");
    return candidates;
  }

  /** Folds those whose results have a known size within the budget; whether there are any. */
  private boolean foldOnce(Graph graph, List<Node> candidates, Budget budget) {
    Map<String, TensorType> types;
    try {
      types = types(graph, candidates);
    } catch (TareException e) { // ONNX Runtime refuses a node: it will say so of the whole model.
      return false;
    }
    Set<Node> folded = new LinkedHashSet<>();
    Set<String> made = new HashSet<>();
    for (Node node : candidates) {
      boolean isReady =
          node.inputs().stream()
              .allMatch(in -> in.isEmpty() || made.contains(in) || graph.isConstant(in));
      if (isReady && budget.takes(written(node).stream().map(types::get).toList())) {
        folded.add(node);
        made.addAll(node.outputs());
      }
    }
    List<String> wanted = read(graph, folded);
    if (wanted.isEmpty()) {
      return false;
    }
    try {
      values(graph, folded, wanted, types).forEach(graph::addConstant);
    } catch (TareException e) { // The same.
      return false;
    }
    graph.setNodes(graph.nodes().stream().filter(node -> !folded.contains(node)).toList());
    graph.removeUnused();
    return true;
  }

  private static List<String> written(Node node) {
    return node.outputs().stream().filter(output -> !output.isEmpty()).toList();
  }

  /** What the other nodes read of the folded ones. */
  private static List<String> read(Graph graph, Set<Node> folded) {
    Map<String, List<Node>> consumers = graph.consumers();
    return folded.stream()
        .flatMap(node -> written(node).stream())
        .filter(
            output ->
                consumers.getOrDefault(output, List.of()).stream()
                    .anyMatch(reader -> !folded.contains(reader)))
        .toList();
  }

  private OnnxModel part(Graph graph, Iterable<Node> nodes, List<String> outputs) {
    Map<String, Tensor> constants = new LinkedHashMap<>();
    List<Node> all = new ArrayList<>();
    for (Node node : nodes) {
      all.add(node);
      for (String input : node.inputs()) {
        graph.constant(input).ifPresent(tensor -> constants.put(input, tensor));
      }
    }
    return model.part(all, constants.values(), outputs);
  }

  private Map<String, TensorType> types(Graph graph, List<Node> nodes) {
    List<String> outputs = nodes.stream().flatMap(node -> written(node).stream()).toList();
    try (TemporaryModel temporary = TemporaryModel.forTypes(part(graph, nodes, outputs));
        ModelSession session = ModelSession.openAsItIs(temporary.file(), name)) {
      return session.outputs();
    }
  }

  private List<Tensor> values(
      Graph graph, Set<Node> nodes, List<String> wanted, Map<String, TensorType> types) {
    List<Tensor> values = new ArrayList<>();
    try (TemporaryModel temporary = TemporaryModel.of(part(graph, nodes, wanted));
        ModelSession session = ModelSession.openAsItIs(temporary.file(), name)) {
      session.run(
          Map.<String, InputTensor>of(),
          new LinkedHashSet<>(wanted),
          (tensor, value) ->
              values.add(
                  Tensor.ofBytes(
                      tensor, types.get(tensor).elementType(), value.shape(), value.bytes())));
    }
    return values;
  }

  /**
   * How much may be computed. Weights may be turned, cut, joined, and cast to a wider type: twice
   * as many elements as all constants have is more than any of that makes. Beside small weights, a
   * million elements leave room for masks and tables of positions. A ConstantOfShape or Range of
   * billions is over both, and stays.
   */
  private static final class Budget {
    private static final long LEAST = 1 << 20;
    private static final int GROWTH = 2;

    /**
     * Results that are read by folded nodes alone live for a moment: of these there may be more.
     */
    private static final int ALL = 16;

    private final long largest;
    private long left;

    private Budget(long largest) {
      this.largest = largest;
      this.left = ALL * largest;
    }

    static Budget of(Graph graph) {
      Map<String, Long> sizes = new HashMap<>();
      graph.constants().forEach(tensor -> sizes.put(tensor.name(), tensor.size()));
      for (Node node : graph.nodes()) {
        for (String input : node.inputs()) {
          graph.constant(input).ifPresent(tensor -> sizes.put(input, tensor.size()));
        }
      }
      long all = sizes.values().stream().mapToLong(Long::longValue).sum();
      return new Budget(Math.max(LEAST, GROWTH * all));
    }

    /** Takes a node's results, if all are known and small enough. */
    boolean takes(List<TensorType> results) {
      long sum = 0;
      for (TensorType type : results) {
        double size = type == null || !isReadable(type.elementType()) ? largest + 1 : size(type);
        if (size > largest) {
          return false;
        }
        sum += (long) size;
      }
      if (sum > left) {
        return false;
      }
      left -= sum;
      return true;
    }

    private static boolean isReadable(ElementType type) {
      return type.sizeBytes() > 0;
    }

    private static double size(TensorType type) {
      double size = 1;
      for (long dim : type.shape()) {
        size *= dim < 0 ? Double.POSITIVE_INFINITY : dim;
      }
      return Double.isNaN(size) ? Double.POSITIVE_INFINITY : size;
    }
  }
}
