package org.tare.job;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.plan.FloatNode;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.WeightProducts;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;

/**
 * What a float model is, and what each mode would make of it with the default settings.
 *
 * @param opset of the standard operators
 * @param bytes of the model with its external data
 * @param inputs with their types; such as are no tensors are left out
 * @param parameters values of constants, by their type
 * @param operators how often each occurs, in subgraphs too
 */
public record FloatInspection(
    int opset,
    long bytes,
    Map<String, TensorType> inputs,
    Map<String, TensorType> outputs,
    Map<String, Long> parameters,
    Map<String, Integer> operators,
    List<Outlook> modes) {

  /**
   * What a mode would do.
   *
   * @param activations how many tensors get qparams; 0 where they are computed as the model runs
   * @param nodes how many nodes are quantized, of the static mode
   * @param weights how many weights are stored as integers; of the static mode those of its nodes
   * @param obstacle why the mode cannot be told, if it cannot
   * @param floatNodes what stays float32, with the reasons
   */
  public record Outlook(
      Mode mode,
      int activations,
      int nodes,
      int weights,
      Optional<String> obstacle,
      List<FloatNode> floatNodes) {}

  /**
   * Looks at a model.
   *
   * @param declared types of its inputs and outputs
   * @param types of the prepared model's tensors
   */
  static FloatInspection of(
      String name,
      OnnxModel original,
      Map<String, TensorType> declared,
      OnnxModel prepared,
      Map<String, TensorType> types) {
    Map<String, Long> parameters = new TreeMap<>();
    for (Tensor constant : original.graph().constants()) {
      parameters.merge(constant.type().id(), constant.size(), Long::sum);
    }
    Map<String, Integer> operators = new TreeMap<>();
    for (Node node : original.graph().allNodes()) {
      operators.merge(node.opType(), 1, Integer::sum);
    }
    List<Outlook> modes = new ArrayList<>();
    for (Mode mode : List.of(Mode.STATIC, Mode.DYNAMIC, Mode.WEIGHT_ONLY)) {
      modes.add(outlook(mode, name, original, prepared, types));
    }
    return new FloatInspection(
        original.opset(),
        original.sizeBytes(),
        of(original.graph().inputNames(), declared),
        of(original.graph().outputNames(), declared),
        parameters,
        operators,
        modes);
  }

  private static Map<String, TensorType> of(List<String> names, Map<String, TensorType> types) {
    Map<String, TensorType> found = new LinkedHashMap<>();
    for (String name : names) {
      if (types.containsKey(name)) {
        found.put(name, types.get(name));
      }
    }
    return found;
  }

  private static Outlook outlook(
      Mode mode,
      String name,
      OnnxModel original,
      OnnxModel prepared,
      Map<String, TensorType> types) {
    // What is quantized does not depend on the products, and scales of whole ranges need no search.
    Backend backend = Backend.ONNXRUNTIME_CPU;
    QConfig config = backend.standard(mode, WeightProducts.FULL);
    QConfigMapping mapping = new QConfigMapping(mode, backend, config, List.of());
    try {
      FloatModel model = FloatModel.of(name, original, prepared, types, mapping);
      if (model.plan().isPresent()) {
        int activations = model.plan().get().activations().size();
        int nodes = model.plan().get().quantizedNodeCount();
        return new Outlook(
            mode, activations, nodes, 0, Optional.empty(), model.plan().get().floatNodes());
      }
      QuantizedModel quantized =
          Quantization.quantize(
              prepared, types, mapping, Quantization.Form.QDQ, Optional.empty(), Map.of());
      return new Outlook(
          mode, 0, 0, quantized.weights().size(), Optional.empty(), quantized.floatNodes());
    } catch (TareException e) {
      return new Outlook(mode, 0, 0, 0, Optional.of(e.getMessage()), List.of());
    }
  }
}
