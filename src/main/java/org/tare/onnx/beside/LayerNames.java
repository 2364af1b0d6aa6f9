package org.tare.onnx.beside;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.proto.Onnx.GraphProto;

/**
 * Names that say to which layer of the float model a node belongs. Runtimes that put nodes together
 * make the new name of the name of a node or of a tensor, so that a kernel says it too.
 *
 * <p>A layer is a node with a weight, and what comes after it in the order of the graph up to the
 * next one; what comes before the first belongs to that. What a quantized form adds, as the
 * rounding of an input or of a weight, belongs to the layer that reads it.
 */
public final class LayerNames {
  private static final Pattern NAME = Pattern.compile("tare_layer_(\\d+)/");

  private LayerNames() {}

  /**
   * A copy of a form with such names; it computes the same. Inputs and outputs keep theirs.
   *
   * @param floats the float model that the form was made of
   * @param layers the first outputs of the nodes with weights, in the order of the graph
   */
  public static OnnxModel of(OnnxModel floats, List<String> layers, OnnxModel form) {
    Graph graph = form.graph();
    Map<String, Integer> owners = owners(floats.graph(), layers, graph);
    Set<String> kept = new HashSet<>(graph.outputNames());
    UnaryOperator<String> renamed =
        tensor ->
            owners.containsKey(tensor) && !kept.contains(tensor)
                ? prefix(owners.get(tensor)) + tensor
                : tensor;
    GraphProto.Builder named = graph.toProto().toBuilder().clearNode().clearValueInfo();
    for (Node node : graph.nodes()) {
      String prefix = prefix(owners.get(written(node)));
      named.addNode(new Renamed(renamed, renamed, prefix).node(node.toProto()));
    }
    return form.withGraph(named.build());
  }

  /** The layer that a name of a kernel says; empty if it says none. */
  public static OptionalInt layer(String kernel) {
    Matcher name = NAME.matcher(kernel);
    return name.find() ? OptionalInt.of(Integer.parseInt(name.group(1))) : OptionalInt.empty();
  }

  private static String prefix(int layer) {
    return "tare_layer_" + layer + "/";
  }

  /** One of the tensors that a node writes. */
  private static String written(Node node) {
    return node.outputs().stream().filter(name -> !name.isEmpty()).findFirst().orElseThrow();
  }

  /** The layer of each tensor that a node of the form writes. */
  private static Map<String, Integer> owners(Graph floats, List<String> layers, Graph form) {
    Map<String, Integer> places = new HashMap<>();
    int current = 0;
    for (Node node : floats.nodes()) {
      int at = layers.indexOf(node.output(0));
      current = at < 0 ? current : at;
      for (String output : node.outputs()) {
        places.put(output, current);
      }
    }
    Map<String, Integer> owners = new HashMap<>();
    Map<String, Integer> readers = new HashMap<>();
    List<Node> nodes = new ArrayList<>(form.nodes());
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      Integer owner = null;
      for (String output : node.outputs()) {
        Integer found = output.isEmpty() ? null : places.getOrDefault(output, readers.get(output));
        owner = owner == null || (found != null && found < owner) ? found : owner;
      }
      int known = owner == null ? layers.size() - 1 : owner;
      node.outputs().stream()
          .filter(name -> !name.isEmpty())
          .forEach(name -> owners.put(name, known));
      Set<String> read = new LinkedHashSet<>(node.inputs());
      read.addAll(node.captured());
      read.forEach(tensor -> readers.merge(tensor, known, Math::min));
    }
    return owners;
  }
}
