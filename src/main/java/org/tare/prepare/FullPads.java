package org.tare.prepare;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;

/**
 * Writes the pads of a Pad with {@code axes} (operator set 18) in full, for every axis. ONNX
 * Runtime 1.29 moves transpositions past such a node and leaves its axes as they were: models that
 * are fine without its optimizations do not run with them.
 *
 * <p>Constants give constants. Where pads or axes are computed, they are put in their places as the
 * model runs. A node whose input has an unknown rank stays as it is.
 */
final class FullPads {
  private static final int AXES = 3;

  private final Graph graph;
  private final Map<String, TensorType> types;
  private final List<Node> nodes = new ArrayList<>();

  private FullPads(Graph graph, Map<String, TensorType> types) {
    this.graph = graph;
    this.types = types;
  }

  /**
   * Rewrites a graph, and not those inside of its nodes, whose tensors have no known ranks.
   *
   * @param types of the graph's tensors; asked only if there is such a node
   */
  static void apply(Graph graph, Supplier<Map<String, TensorType>> types) {
    if (graph.nodes().stream().noneMatch(FullPads::hasAxes)) {
      return;
    }
    FullPads pads = new FullPads(graph, new HashMap<>(types.get()));
    for (Node node : graph.nodes()) {
      if (hasAxes(node)) {
        pads.write(node);
      }
      pads.nodes.add(node);
    }
    graph.setNodes(pads.nodes);
  }

  private static boolean hasAxes(Node node) {
    return node.isStandard() && node.opType().equals("Pad") && !node.input(AXES).isEmpty();
  }

  private void write(Node pad) {
    TensorType type = types.get(pad.input(0));
    if (type == null || type.rank() == 0) {
      return;
    }
    int rank = type.rank();
    Optional<long[]> axes = whole(pad.input(AXES));
    Optional<long[]> given = whole(pad.input(1));
    String full;
    if (axes.isPresent() && given.isPresent()) {
      full = graph.freshName(pad.label() + "_pads");
      long[] all = new long[2 * rank];
      long[] places = places(axes.get(), rank);
      for (int i = 0; i < places.length; i++) {
        all[(int) places[i]] = given.get()[i];
      }
      graph.addConstant(Tensor.ofLongs(full, new long[] {all.length}, all));
    } else {
      full = computed(pad, axes, rank);
    }
    pad.setInput(1, full);
    pad.truncateInputs(AXES);
  }

  /** Where in the whole list the pads before each axis, and then those after it, stand. */
  private static long[] places(long[] axes, int rank) {
    long[] places = new long[2 * axes.length];
    for (int i = 0; i < axes.length; i++) {
      places[i] = Math.floorMod(axes[i], (long) rank);
      places[axes.length + i] = places[i] + rank;
    }
    return places;
  }

  private String computed(Node pad, Optional<long[]> axes, int rank) {
    String places =
        axes.map(known -> longs(pad, "places", places(known, rank)))
            .orElseGet(() -> computedPlaces(pad, rank));
    String zeros = longs(pad, "zeros", new long[2 * rank]);
    return add(pad, "ScatterElements", "pads", List.of(zeros, places, pad.input(1)));
  }

  private String computedPlaces(Node pad, int rank) {
    String axes = graph.freshName(pad.label() + "_axes");
    Node cast = Node.of("Cast", axes, List.of(pad.input(AXES)), List.of(axes));
    cast.setInt("to", 7); // int64
    nodes.add(cast);
    String size = longs(pad, "rank", rank);
    String before = add(pad, "Mod", "before", List.of(axes, size));
    String after = add(pad, "Add", "after", List.of(before, size));
    String places = graph.freshName(pad.label() + "_places");
    Node concat = Node.of("Concat", places, List.of(before, after), List.of(places));
    concat.setInt("axis", 0);
    nodes.add(concat);
    return places;
  }

  private String add(Node pad, String operator, String what, List<String> inputs) {
    String name = graph.freshName(pad.label() + "_" + what);
    nodes.add(Node.of(operator, name, inputs, List.of(name)));
    return name;
  }

  private String longs(Node pad, String what, long... values) {
    String name = graph.freshName(pad.label() + "_" + what);
    graph.addConstant(Tensor.ofLongs(name, new long[] {values.length}, values));
    return name;
  }

  private Optional<long[]> whole(String tensor) {
    return graph
        .constant(tensor)
        .map(Tensor::numbers)
        .map(
            numbers -> {
              long[] whole = new long[numbers.length];
              for (int i = 0; i < whole.length; i++) {
                whole[i] = (long) numbers[i];
              }
              return whole;
            });
  }
}
