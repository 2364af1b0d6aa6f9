package org.tare.job;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.correct.SmoothQuant;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.plan.QuantizationPlan;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.range.RangeMethod;

/**
 * A float model with all that is derived from it alone.
 *
 * @param name what to call it in messages
 * @param original as it was read
 * @param prepared what calibration and quantization start from
 * @param types of the prepared model's tensors
 * @param plan of the static mode; the others need none
 */
public record FloatModel(
    String name,
    OnnxModel original,
    OnnxModel prepared,
    Map<String, TensorType> types,
    QConfigMapping mapping,
    Optional<QuantizationPlan> plan) {
  /** With the plan of its mapping. */
  public static FloatModel of(
      String name,
      OnnxModel original,
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping) {
    return new FloatModel(
        name,
        original,
        prepared,
        types,
        mapping,
        mapping.mode() == Mode.STATIC
            ? Optional.of(QuantizationPlan.of(prepared, types, mapping))
            : Optional.empty());
  }

  /** A model that is not to be quantized: only run. */
  public static FloatModel unplanned(String name, OnnxModel model, Map<String, TensorType> types) {
    return new FloatModel(name, model, model, types, null, Optional.empty());
  }

  /** The same model with SmoothQuant's factors. */
  public FloatModel with(SmoothQuant.Result smoothed) {
    return smoothed.layers().isEmpty()
        ? this
        : of(name, original, smoothed.model(), smoothed.types(), mapping);
  }

  /** The same model that computes more tensors than it did. */
  FloatModel observing(OnnxModel more, Map<String, TensorType> moreTypes) {
    return new FloatModel(name, original, more, moreTypes, mapping, plan);
  }

  /** The same model with another configuration. */
  FloatModel with(QConfigMapping other) {
    return of(name, original, prepared, types, other);
  }

  /** The same model with other biases. */
  FloatModel withPrepared(OnnxModel corrected) {
    return of(name, original, corrected, types, mapping);
  }

  /** The tensors whose ranges the plan needs; of modes that need no ranges, none. */
  public List<String> observed() {
    return plan.map(QuantizationPlan::observed).orElse(List.of());
  }

  /** Whether it can only be quantized with ranges from data. */
  public boolean needsState() {
    return !observed().isEmpty();
  }

  /** The averaging constant of each tensor whose range is a moving average. */
  Map<String, Float> averages() {
    Map<String, Float> averages = new LinkedHashMap<>();
    plan.map(QuantizationPlan::activations)
        .orElse(Map.of())
        .values()
        .forEach(
            activation -> {
              if (activation.config().method() instanceof RangeMethod.MovingAverageMinMax average) {
                averages.put(activation.root(), average.constant());
              }
            });
    return averages;
  }

  /** Whether an override selects a node, in subgraphs too, or an input of the model. */
  boolean isSelected(QConfigMapping.Rule rule) {
    List<Node> nodes = prepared.graph().allNodes();
    return nodes.stream()
            .anyMatch(node -> rule.selects(node.opType(), node.label(), node.output(0)))
        || prepared.graph().inputNames().stream().anyMatch(input -> rule.selects("", input, input));
  }
}
