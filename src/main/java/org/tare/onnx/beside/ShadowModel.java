package org.tare.onnx.beside;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.beside.SharedTensors.Rounding;
import org.tare.onnx.proto.Onnx.GraphProto;

/**
 * A float model with a shadow of each quantized layer: the same nodes as in the quantized model,
 * but fed with what the float model computes. What a shadow gives differs from the float result by
 * the error of this layer alone (PyTorch's numeric suite calls it a shadow module).
 *
 * @param model its outputs are the compared tensors and their shadows
 * @param local the name of the shadow of each compared tensor, as what reads it sees it: rounded,
 *     if the quantized model rounds it
 */
public record ShadowModel(OnnxModel model, Map<String, String> local) {
  /**
   * Puts the two together.
   *
   * @param floats the float model, in the operator set of the quantized one
   * @param compared tensors that both compute
   */
  public static ShadowModel of(OnnxModel floats, OnnxModel quantized, List<String> compared) {
    Graph names = floats.copy().graph();
    Graph graph = quantized.graph();
    Set<String> shared = SharedTensors.of(floats.graph(), graph);
    Map<String, String> renamed = new HashMap<>();
    Renamed shadow =
        new Renamed(
            tensor ->
                shared.contains(tensor) || graph.hasDefault(tensor)
                    ? tensor
                    : renamed.computeIfAbsent(tensor, t -> names.freshName("shadow/" + t)),
            tensor -> renamed.computeIfAbsent(tensor, t -> names.freshName("shadow/" + t)),
            "shadow/");
    GraphProto.Builder both = floats.graph().toProto().toBuilder();
    graph.nodes().forEach(node -> both.addNode(shadow.node(node.toProto())));
    Map<String, Rounding> roundings = SharedTensors.roundings(graph);
    Map<String, String> local = new LinkedHashMap<>();
    for (String tensor : compared) {
      String given = renamed.get(tensor);
      Rounding rounding = roundings.get(tensor);
      if (rounding != null) {
        given = round(both, rounding, tensor, given, renamed, names);
      }
      local.put(tensor, given);
    }
    for (Tensor constant : graph.constants()) {
      String name = renamed.get(constant.name());
      if (name != null) {
        both.addInitializer(constant.withName(name).proto());
      }
    }
    List<String> outputs = new ArrayList<>();
    local.forEach((tensor, name) -> outputs.addAll(List.of(tensor, name)));
    return new ShadowModel(quantized.withGraph(both.build()).withOutputs(outputs), local);
  }

  /** Adds the rounding of a shadow's result; returns what comes out. */
  private static String round(
      GraphProto.Builder both,
      Rounding rounding,
      String tensor,
      String given,
      Map<String, String> renamed,
      Graph names) {
    Map<String, String> own = new HashMap<>(Map.of(tensor, given));
    for (Node node : rounding.nodes()) {
      own.put(node.output(0), names.freshName("shadow/" + node.output(0)));
      Renamed one =
          new Renamed(
              name ->
                  own.containsKey(name)
                      ? own.get(name)
                      : renamed.computeIfAbsent(name, t -> names.freshName("shadow/" + t)),
              own::get,
              "rounded/");
      both.addNode(one.node(node.toProto()));
    }
    return own.get(rounding.seen());
  }
}
