package org.tare.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.train.torch.Tensors;
import org.tare.train.torch.TorchOperators;

/**
 * Runs a model on libtorch, with its values rounded or not. Belongs to one thread; tensors that it
 * gives belong to the caller's scope of pointers.
 */
final class TorchGraph implements AutoCloseable {
  private final Graph graph;
  private final List<Node> nodes;
  private final Places places;
  private final Map<String, Tensor> constants = new HashMap<>();

  TorchGraph(OnnxModel model, Places places) {
    this.graph = model.graph();
    this.nodes = graph.nodes();
    this.places = places;
    for (int i = 0; i < nodes.size(); i++) {
      Node node = nodes.get(i);
      List<String> read = places.frozen().contains(i) ? List.of() : node.inputs();
      for (String input : read) {
        if (graph.isConstant(input) && !constants.containsKey(input)) {
          constants.put(input, constant(node, graph.constant(input).orElseThrow()));
        }
      }
    }
  }

  private static Tensor constant(Node node, org.tare.onnx.Tensor tensor) {
    Tensor made =
        switch (tensor.type()) {
          case FLOAT32 -> Tensors.tensor(tensor.floats(), tensor.shape());
          case INT64 -> Tensors.tensor(tensor.longs(), tensor.shape());
          case INT32 -> Tensors.tensor(tensor.longs(), tensor.shape()).to(torch.ScalarType.Int);
          case BOOL -> Tensors.tensor(tensor.longs(), tensor.shape()).to(torch.ScalarType.Bool);
          default -> throw unfit(node, tensor.name(), tensor.type());
        };
    return made.retainReference();
  }

  private static TareException unfit(Node node, String tensor, ElementType type) {
    return TareException.badInput(
        "Cannot train through node %s: its constant \"%s\" is %s", node, tensor, type);
  }

  long[] shapeOf(String constant) {
    return graph.constant(constant).orElseThrow().shape();
  }

  /** The float model's outputs. */
  Map<String, Tensor> run(Map<String, Tensor> inputs) {
    return run(inputs, Map.of(), Optional.empty(), ActivationRounding.FIXED);
  }

  /**
   * The outputs.
   *
   * @param inputs those of the model, and what its frozen part gives
   * @param given in place of the parameters
   * @param grids to round with; without, nothing is
   */
  Map<String, Tensor> run(
      Map<String, Tensor> inputs,
      Map<String, Tensor> given,
      Optional<Grids> grids,
      ActivationRounding rounding) {
    return run(inputs, given, grids, rounding, Map.of());
  }

  /**
   * The same.
   *
   * @param after what is done with the first results of nodes, by their places
   */
  Map<String, Tensor> run(
      Map<String, Tensor> inputs,
      Map<String, Tensor> given,
      Optional<Grids> grids,
      ActivationRounding rounding,
      Map<Integer, UnaryOperator<Tensor>> after) {
    Running running = new Running(inputs, given, grids, rounding);
    for (int i = 0; i < nodes.size(); i++) {
      running.step(i);
      UnaryOperator<Tensor> change = after.get(i);
      if (change != null) {
        running.values.computeIfPresent(
            nodes.get(i).output(0), (name, result) -> change.apply(result));
      }
    }
    Map<String, Tensor> outputs = new HashMap<>();
    for (String output : graph.outputNames()) {
      boolean isRounded = grids.isPresent() && places.rounded().contains(output);
      outputs.put(
          output,
          isRounded
              ? round(output, running.values, running.rounded, grids.get())
              : running.values.get(output));
    }
    return outputs;
  }

  List<Node> nodes() {
    return nodes;
  }

  /** The node that alone reads what a node gives, if that is no output of the model. */
  Optional<Node> soleReader(Node node) {
    String output = node.outputs().get(0);
    List<Node> readers = nodes.stream().filter(one -> one.inputs().contains(output)).toList();
    return readers.size() == 1 && !graph.outputNames().contains(output)
        ? Optional.of(readers.get(0))
        : Optional.empty();
  }

  /** A constant; null if it is none. */
  Tensor constant(String name) {
    return constants.get(name);
  }

  /** A run, node by node. */
  final class Running {
    private final Map<String, Tensor> values = new HashMap<>(constants);
    private final Rounded rounded;
    private final Optional<Grids> grids;

    Running(
        Map<String, Tensor> inputs,
        Map<String, Tensor> given,
        Optional<Grids> grids,
        ActivationRounding rounding) {
      values.putAll(given);
      values.putAll(inputs);
      this.rounded = new Rounded(rounding, new HashMap<>());
      this.grids = grids;
    }

    /** What a node reads, null for what is left out. */
    List<Tensor> inputs(int node) {
      boolean isQuantized = places.quantized().contains(node);
      List<Tensor> inputs = new ArrayList<>();
      for (String input : nodes.get(node).inputs()) {
        inputs.add(input.isEmpty() ? null : read(input, node, isQuantized, values, rounded, grids));
      }
      return inputs;
    }

    /** Computes a node whose inputs are there; nothing for one that is frozen. */
    List<Tensor> step(int node) {
      if (places.frozen().contains(node)) {
        return List.of();
      }
      List<Tensor> results = TorchOperators.run(nodes.get(node), inputs(node));
      List<String> outputs = nodes.get(node).outputs();
      for (int out = 0; out < outputs.size() && out < results.size(); out++) {
        values.put(outputs.get(out), results.get(out));
      }
      return results;
    }
  }

  private Tensor read(
      String input,
      int node,
      boolean isQuantized,
      Map<String, Tensor> values,
      Rounded rounded,
      Optional<Grids> grids) {
    if (grids.isEmpty()) {
      return values.get(input);
    }
    boolean isActivation =
        places.roots().containsKey(input) && (isQuantized || places.rounded().contains(input));
    if (isActivation) {
      return round(input, values, rounded, grids.get());
    }
    Grids.Grid grid = grids.get().constants().get(input);
    boolean isRoundedConstant =
        grid != null
            && places.roundConstants().contains(node)
            && !places.parameters().contains(input);
    if (isRoundedConstant) {
      float[] floats = graph.floatConstant(input).orElseThrow();
      return Tensors.tensor(
          grid.round(floats, shapeOf(input), new boolean[floats.length]), shapeOf(input));
    }
    return values.get(input);
  }

  private Tensor round(String tensor, Map<String, Tensor> values, Rounded rounded, Grids grids) {
    Tensor found = rounded.tensors().get(tensor);
    if (found == null) {
      String root = places.roots().get(tensor);
      found = rounded.by().round(root, grids.activations().get(root), values.get(tensor));
      rounded.tensors().put(tensor, found);
    }
    return found;
  }

  /** What was rounded in this run. */
  private record Rounded(ActivationRounding by, Map<String, Tensor> tensors) {}

  @Override
  public void close() {
    constants.values().forEach(Tensor::close);
  }
}
