package org.tare.rewrite;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.plan.EmbeddingTables;
import org.tare.plan.FloatNode;
import org.tare.qconfig.QConfig;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;
import org.tare.rewrite.QuantizedConstants.Weight;

/**
 * Embedding tables whose matrix, as it is or transposed, is a product's weight too, as language
 * models have them: the integers are stored once, as the product needs them, and the lookups read
 * those. Where the product has a scale for each row of the table, a lookup takes the scales of its
 * rows:
 *
 * <pre>
 *   y = Cast(Gather(wq, ids)) * Gather(ws, ids)
 * </pre>
 *
 * <p>A lookup stays float where something else reads the matrix as floats: a second copy would only
 * make the file larger. Products of 4 bits in blocks keep a copy of their own.
 */
final class TiedTables {
  private final Graph graph;
  private final Map<String, TensorType> types;

  /** The tables, by the constants that hold the same values. */
  private final Map<String, Tie> ties = new HashMap<>();

  private final Map<String, List<Stored>> stored = new HashMap<>();
  private final Map<Node, QConfig> lookups = new LinkedHashMap<>();
  private final List<FloatNode> floatNodes = new ArrayList<>();

  /** A table, and whether the constant is its transpose. */
  private record Tie(String table, boolean isTurned) {}

  /** The integers of a table's matrix, written for a product. */
  private record Stored(Weight weight, ChannelQParams qparams, String integers, boolean isTurned) {}

  /**
   * Finds the tables of a graph.
   *
   * @param types of tensors, as far as they are known: where the rank of indices is not, transposed
   *     matrices have two copies
   */
  TiedTables(Graph graph, Map<String, TensorType> types) {
    this.graph = graph;
    this.types = types;
    Map<String, Tensor> tables = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      String table = node.input(0);
      if (EmbeddingTables.isLookup(graph, node) && graph.owner(table) == graph) {
        tables.put(table, graph.constant(table).orElseThrow());
      }
    }
    tables.keySet().forEach(table -> ties.put(table, new Tie(table, false)));
    for (Tensor constant : graph.constants()) {
      if (constant.isFloat() && constant.rank() == 2 && !ties.containsKey(constant.name())) {
        tables.values().stream()
            .filter(table -> isTranspose(table, constant))
            .findFirst()
            .ifPresent(table -> ties.put(constant.name(), new Tie(table.name(), true)));
      }
    }
  }

  private static boolean isTranspose(Tensor table, Tensor constant) {
    int rows = (int) table.dim(0);
    int columns = (int) table.dim(1);
    if (constant.dim(0) != columns || constant.dim(1) != rows) {
      return false;
    }
    float[] values = table.floats();
    float[] turned = constant.floats();
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        if (Float.floatToRawIntBits(values[r * columns + c])
            != Float.floatToRawIntBits(turned[c * rows + r])) {
          return false;
        }
      }
    }
    return true;
  }

  /** Takes note of integers that were written for a product, if they are those of a table. */
  void note(Weight weight, ChannelQParams qparams, String integers) {
    Tie tie = ties.get(weight.name());
    boolean hasPlainIntegers =
        qparams.dtype() == DType.INT8
            && weight.rank() == 2
            && qparams.channels().stream().allMatch(q -> q.zeroPoint() == 0);
    if (tie != null && hasPlainIntegers) {
      stored
          .computeIfAbsent(tie.table(), table -> new ArrayList<>())
          .add(new Stored(weight, qparams, integers, tie.isTurned() != weight.isTurned()));
    }
  }

  /** Takes a lookup, which stands for itself until {@link #finish}. */
  void defer(Node lookup, QConfig config) {
    lookups.put(lookup, config);
  }

  /**
   * The nodes, with the lookups quantized.
   *
   * @param weights is told of tables that are stored with a product's weight
   */
  List<Node> finish(
      List<Node> nodes, QuantizedConstants constants, Map<String, QuantizedWeight> weights) {
    if (lookups.isEmpty()) {
      return nodes;
    }
    Set<String> floats = tablesReadAsFloats(nodes);
    List<Node> finished = new ArrayList<>();
    for (Node node : nodes) {
      QConfig config = lookups.get(node);
      if (config == null) {
        finished.add(node);
        continue;
      }
      String table = node.input(0);
      Optional<Stored> shared = shared(node);
      if (floats.contains(table)) {
        finished.add(node);
        floatNodes.add(
            new FloatNode(
                node.opType(),
                node.label(),
                "its table is also read by a node that stays float32"));
      } else if (shared.isPresent()) {
        note(table, shared.get(), weights);
        write(node, shared.get(), constants, finished);
      } else {
        Embeddings.write(graph, constants, finished::add, node, config);
      }
    }
    return finished;
  }

  /** The lookups that stay float32, once all are finished. */
  List<FloatNode> floatNodes() {
    return floatNodes;
  }

  private Set<String> tablesReadAsFloats(List<Node> nodes) {
    Set<String> tables = new HashSet<>();
    for (Node node : nodes) {
      if (!lookups.containsKey(node)) {
        List<String> read = new ArrayList<>(node.inputs());
        read.addAll(node.captured());
        read.stream().map(ties::get).forEach(tie -> addTable(tie, tables));
      }
    }
    graph.outputNames().stream().map(ties::get).forEach(tie -> addTable(tie, tables));
    return tables;
  }

  private static void addTable(Tie tie, Set<String> tables) {
    if (tie != null) {
      tables.add(tie.table());
    }
  }

  /** What the lookup can read: integers with the table's rows as rows, if there are such. */
  private Optional<Stored> shared(Node lookup) {
    List<Stored> all = stored.getOrDefault(lookup.input(0), List.of());
    Optional<Stored> upright = all.stream().filter(one -> !one.isTurned()).findFirst();
    return upright.isEmpty() && types.containsKey(lookup.input(1))
        ? all.stream().findFirst()
        : upright;
  }

  private static void note(String table, Stored shared, Map<String, QuantizedWeight> weights) {
    if (!weights.containsKey(table)) {
      int axis = shared.qparams().axis();
      ChannelQParams own =
          new ChannelQParams(
              axis >= 0 && shared.isTurned() ? 1 - axis : axis, shared.qparams().channels());
      long elements = Arrays.stream(shared.weight().shape()).reduce(1, (a, b) -> a * b);
      weights.put(
          table, new QuantizedWeight(own.dtype(), Optional.of(own), Optional.empty(), elements, 0));
    }
  }

  private void write(
      Node lookup, Stored shared, QuantizedConstants constants, List<Node> finished) {
    String ids = lookup.input(1);
    String output = lookup.output(0);
    ChannelQParams qparams = shared.qparams();
    String rows = graph.addedName(lookup.label(), "_rows");
    int rank = shared.isTurned() ? types.get(ids).rank() : 0;
    String floats = rank > 0 ? graph.addedName(lookup.label(), "_turned") : output;
    lookup.setInput(0, shared.integers());
    lookup.setOutput(0, rows);
    if (shared.isTurned()) {
      lookup.setInt("axis", 1);
    }
    finished.add(lookup);
    if (qparams.axis() == (shared.isTurned() ? 1 : 0)) {
      String scales = constants.scales(shared.weight(), qparams);
      scaleRows(lookup, shared, List.of(rows, scales, ids, floats), finished);
    } else {
      int axis = shared.isTurned() ? 0 : 1;
      finished.add(Embeddings.dequantize(constants, shared.weight(), qparams, axis, rows, floats));
    }
    if (rank > 0) {
      Node transpose = Node.of("Transpose", "", List.of(floats), List.of(output));
      long[] perm = new long[rank + 1];
      for (int i = 0; i < rank; i++) {
        perm[i] = i + 1L;
      }
      transpose.setInts("perm", perm);
      finished.add(transpose);
    }
  }

  /**
   * Multiplies each row by its own scale.
   *
   * @param names of the integers, the scales, the indices and the result
   */
  private void scaleRows(Node lookup, Stored shared, List<String> names, List<Node> finished) {
    String cast = graph.addedName(lookup.label(), "_floats");
    String own = graph.addedName(lookup.label(), "_scales");
    Node toFloat = Node.of("Cast", "", List.of(names.get(0)), List.of(cast));
    toFloat.setInt("to", ElementType.FLOAT32.code());
    finished.add(toFloat);
    finished.add(Node.of("Gather", "", List.of(names.get(1), names.get(2)), List.of(own)));
    String factors = own;
    if (!shared.isTurned()) {
      factors = graph.addedName(lookup.label(), "_columns");
      String axes = graph.addedName(lookup.label(), "_axes");
      graph.addConstant(Tensor.ofLongs(axes, new long[] {1}, -1));
      finished.add(Node.of("Unsqueeze", "", List.of(own, axes), List.of(factors)));
    }
    finished.add(Node.of("Mul", "", List.of(cast, factors), List.of(names.get(3))));
  }
}
