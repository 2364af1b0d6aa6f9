package org.tare.onnx.beside;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.TensorShapeProto;
import org.tare.onnx.proto.Onnx.TypeProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * A model in two: what does not depend on one of its inputs, and the rest. Where the rest is run
 * many times with other values of that input, the start is run once.
 *
 * @param start takes the inputs of the model but this one, and gives what the rest reads; empty if
 *     nothing of weight can be run before
 * @param rest takes the inputs of the model, and what the start gives
 * @param carried the tensors between them, all of float32
 */
public record SplitModel(Optional<OnnxModel> start, OnnxModel rest, List<String> carried) {
  public SplitModel {
    carried = List.copyOf(carried);
  }

  /**
   * Splits a model.
   *
   * @param input what the start does not depend on
   * @param types of its tensors; those without one are not carried
   */
  public static SplitModel of(OnnxModel model, String input, Map<String, TensorType> types) {
    Graph graph = model.graph();
    Map<String, Node> producers = graph.producers();
    Set<Node> rest = dependent(graph, input);
    if (rest.isEmpty()) {
      return new SplitModel(Optional.empty(), model, List.of());
    }
    // What is carried is an input of the rest, and must not be an output too.
    graph.outputNames().stream().map(producers::get).filter(Objects::nonNull).forEach(rest::add);
    Set<String> carried = new LinkedHashSet<>();
    Deque<String> open = new ArrayDeque<>();
    graph.nodes().stream().filter(rest::contains).forEach(node -> open.addAll(read(node)));
    Set<String> seen = new HashSet<>();
    while (!open.isEmpty()) {
      String tensor = open.pop();
      Node producer = producers.get(tensor);
      if (!seen.add(tensor) || producer == null || rest.contains(producer)) {
        continue;
      }
      TensorType type = types.get(tensor);
      if (type != null && type.elementType() == ElementType.FLOAT32) {
        carried.add(tensor);
      } else {
        // Shapes and the like are few numbers: both parts compute them.
        rest.add(producer);
        open.addAll(read(producer));
      }
    }
    if (carried.isEmpty()) {
      return new SplitModel(Optional.empty(), model, List.of());
    }
    OnnxModel start = model.withOutputs(List.copyOf(carried));
    start.graph().dropInput(input);
    GraphProto.Builder left = graph.toProto().toBuilder().clearNode();
    graph.nodes().stream().filter(rest::contains).forEach(node -> left.addNode(node.toProto()));
    carried.forEach(tensor -> left.addInput(info(tensor, types.get(tensor))));
    return new SplitModel(
        Optional.of(start),
        model.withGraph(left.build()).withOutputs(graph.outputNames()),
        List.copyOf(carried));
  }

  /**
   * The start as it is computed from what another one gave; empty if it reads none of that.
   *
   * @param before of the same float model
   */
  public Optional<OnnxModel> after(SplitModel before, Map<String, TensorType> types) {
    if (start.isEmpty() || before.carried().isEmpty()) {
      return Optional.empty();
    }
    Graph graph = start.get().graph();
    Map<String, Node> producers = graph.producers();
    Set<String> given = new LinkedHashSet<>(before.carried());
    Set<String> taken = new LinkedHashSet<>();
    Set<Node> needed = new HashSet<>();
    Deque<String> open = new ArrayDeque<>();
    for (String tensor : carried) {
      // What both carry is there already.
      if (!given.contains(tensor)) {
        open.add(tensor);
      }
    }
    while (!open.isEmpty()) {
      String tensor = open.pop();
      Node producer = producers.get(tensor);
      if (given.contains(tensor)) {
        taken.add(tensor);
      } else if (producer != null && needed.add(producer)) {
        open.addAll(read(producer));
      }
    }
    boolean isTwice =
        needed.stream().anyMatch(node -> node.outputs().stream().anyMatch(given::contains));
    if (taken.isEmpty() || isTwice) {
      return Optional.empty();
    }
    GraphProto.Builder left = graph.toProto().toBuilder().clearNode();
    graph.nodes().stream().filter(needed::contains).forEach(node -> left.addNode(node.toProto()));
    taken.forEach(tensor -> left.addInput(info(tensor, types.get(tensor))));
    List<String> outputs = carried.stream().filter(tensor -> !given.contains(tensor)).toList();
    return Optional.of(start.get().withGraph(left.build()).withOutputs(outputs));
  }

  private static Set<Node> dependent(Graph graph, String input) {
    Set<String> tensors = new HashSet<>(Set.of(input));
    Set<Node> nodes = new HashSet<>();
    for (Node node : graph.nodes()) {
      if (read(node).stream().anyMatch(tensors::contains)) {
        nodes.add(node);
        tensors.addAll(node.outputs());
      }
    }
    return nodes;
  }

  private static List<String> read(Node node) {
    List<String> read = new ArrayList<>(node.inputs());
    read.addAll(node.captured());
    read.remove("");
    return read;
  }

  private static ValueInfoProto info(String tensor, TensorType type) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    for (int i = 0; i < type.rank(); i++) {
      TensorShapeProto.Dimension.Builder size = shape.addDimBuilder();
      if (type.shape()[i] >= 0) {
        size.setDimValue(type.shape()[i]);
      } else if (!type.names().get(i).isEmpty()) {
        size.setDimParam(type.names().get(i));
      }
    }
    return ValueInfoProto.newBuilder()
        .setName(tensor)
        .setType(
            TypeProto.newBuilder()
                .setTensorType(
                    TypeProto.Tensor.newBuilder()
                        .setElemType(type.elementType().code())
                        .setShape(shape)))
        .build();
  }
}
