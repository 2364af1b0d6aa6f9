package org.tare.onnx.passes;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorValues;
import org.tare.onnx.proto.Onnx.AttributeProto;

/**
 * Nodes of a few bytes that ask for tensors larger than any memory: runtimes compute them as soon
 * as they load a model.
 */
public final class HugeTensors {
  /** As many elements as a tensor of 2 GB has bytes. */
  private static final double MOST_ELEMENTS = Integer.MAX_VALUE;

  private final Graph graph;

  /** The attributes that are values of Constant nodes, by their tensor, of graphs around too. */
  private final Map<String, AttributeProto> constantNodes;

  private HugeTensors(Graph graph, Map<String, AttributeProto> around) {
    this.graph = graph;
    constantNodes = new HashMap<>(around);
    for (Node node : graph.nodes()) {
      if (node.isStandard() && node.opType().equals("Constant")) {
        node.attributes().values().forEach(value -> constantNodes.put(node.output(0), value));
      }
    }
  }

  /**
   * Does nothing if no node makes too much, as far as the sizes are known; inside of nodes too.
   *
   * @throws TareException that names the node and the size
   */
  public static void check(Graph graph) {
    new HugeTensors(graph, Map.of()).check();
  }

  private void check() {
    graph.nodes().forEach(this::check);
    graph.readSubgraphs(inner -> new HugeTensors(inner, constantNodes).check());
  }

  private void check(Node node) {
    double elements =
        switch (node.isStandard() ? node.opType() : "") {
          case "ConstantOfShape" -> product(node.input(0));
          case "Expand" -> product(node.input(1));
          case "Range" -> steps(node);
          default -> 0;
        };
    if (elements > MOST_ELEMENTS) {
      throw TareException.badInput(
          "Cannot run %s: it makes a tensor of %.0f elements, and none may have more than %.0f",
          node, elements, MOST_ELEMENTS);
    }
  }

  private double product(String shape) {
    double product = 1;
    for (double size : constant(shape).orElse(new double[0])) {
      product *= size;
    }
    return product;
  }

  private double steps(Node range) {
    double[] bounds = new double[3];
    for (int i = 0; i < bounds.length; i++) {
      double[] value = constant(range.input(i)).orElse(new double[0]);
      if (value.length != 1) {
        return 0;
      }
      bounds[i] = value[0];
    }
    return Math.ceil((bounds[1] - bounds[0]) / bounds[2]);
  }

  /** Of an initializer or of a Constant node. */
  private Optional<double[]> constant(String tensor) {
    return graph
        .constant(tensor)
        .map(TensorValues::of)
        .or(() -> Optional.ofNullable(constantNodes.get(tensor)).map(HugeTensors::values));
  }

  private static double[] values(AttributeProto value) {
    return switch (value.getName()) {
      case "value" -> Tensor.of(value.getT()).numbers();
      case "value_int" -> new double[] {value.getI()};
      case "value_float" -> new double[] {value.getF()};
      case "value_ints" -> value.getIntsList().stream().mapToDouble(Long::doubleValue).toArray();
      default -> new double[0];
    };
  }
}
