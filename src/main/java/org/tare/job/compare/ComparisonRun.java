package org.tare.job.compare;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.beside.ShadowModel;
import org.tare.onnx.beside.SharedTensors;
import org.tare.onnx.beside.SharedTensors.Rounding;
import org.tare.prepare.OpsetUpgrade;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CompareJob;

/** Compares a float model with a quantized one, tensor by tensor. */
public final class ComparisonRun {
  private final FloatModel model;
  private final OnnxModel quantized;
  private final OnnxModel floats;
  private final Map<String, TensorType> types;

  /**
   * A tensor that both models compute.
   *
   * @param opType of the float node that computes it
   * @param seen its name in the quantized model, as its readers see it
   */
  public record ComparedTensor(String name, String opType, String seen) {}

  /**
   * @param model prepared as the quantizer of Tare prepares it
   * @param quantized of any quantizer that keeps the names of tensors
   */
  public ComparisonRun(FloatModel model, OnnxModel quantized) {
    this.model = model;
    int opset = Math.max(model.original().opset(), quantized.opset());
    this.floats = raised(model.original(), opset, model.name());
    this.quantized = raised(quantized, opset, "quantized " + model.name());
    this.types = TensorTypes.of(floats, model.name());
  }

  private static OnnxModel raised(OnnxModel model, int opset, String name) {
    OnnxModel copy = model.copy();
    OpsetUpgrade.raise(copy, opset, TensorTypes.of(model, name));
    return copy;
  }

  /** The weights; needs no data. */
  public List<WeightComparison.Weight> weights() {
    return WeightComparison.of(List.of(model.prepared(), model.original()), quantized);
  }

  /**
   * The tensors that can be compared: float32 results of nodes that are no constants.
   *
   * @throws TareException if there are none
   */
  public List<ComparedTensor> tensors() {
    Graph graph = floats.graph();
    Map<String, Node> producers = graph.producers();
    Map<String, Rounding> roundings = SharedTensors.roundings(quantized.graph());
    List<ComparedTensor> tensors = new ArrayList<>();
    for (String tensor : SharedTensors.of(graph, quantized.graph())) {
      TensorType type = types.get(tensor);
      boolean isFloat = type != null && type.elementType() == ElementType.FLOAT32;
      if (isFloat && producers.containsKey(tensor)) {
        Rounding rounding = roundings.get(tensor);
        tensors.add(
            new ComparedTensor(
                tensor,
                producers.get(tensor).opType(),
                rounding == null ? tensor : rounding.seen()));
      }
    }
    if (tensors.isEmpty()) {
      throw TareException.badInput(
          "Nothing to compare: the quantized model has no tensor of %s under its name; was it made"
              + " of this model?",
          model.name());
    }
    return tensors;
  }

  /**
   * The activations, over rows.
   *
   * @param by columns that name slices
   */
  public CompareJob.Result activations(
      JobContext context, List<ComparedTensor> tensors, DataSource rows, List<String> by) {
    Map<String, String> seen = new LinkedHashMap<>();
    tensors.forEach(tensor -> seen.put(tensor.name(), tensor.seen()));
    ShadowModel shadow = ShadowModel.of(floats, quantized, List.copyOf(seen.keySet()));
    Optional<String> mask = context.rows().mask(model.original().graph().inputNames());
    return CompareJob.run(
        context.spark().get(),
        new CompareJob.Request(
            model.name(),
            floats,
            shadow,
            quantized,
            seen,
            types,
            rows,
            mask,
            context.rows().inputs(),
            context.rows().batch(),
            context.rows().badRows(),
            by),
        context.progress());
  }
}
