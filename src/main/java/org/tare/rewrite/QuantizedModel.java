package org.tare.rewrite;

import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import org.tare.onnx.OnnxModel;
import org.tare.plan.FloatNode;
import org.tare.quant.QParams;
import org.tare.range.Range;
import org.tare.range.RangeChoice;

/**
 * A quantized model with the qparams it was written with.
 *
 * @param model in the form that was asked for
 * @param activations what was chosen for each root tensor
 * @param weights qparams of each weight and constant, by the name it had in the float model
 * @param floatNodes what was not quantized, and why
 * @param removedActivations how many Relu and Clip nodes saturation replaced
 */
public record QuantizedModel(
    OnnxModel model,
    SortedMap<String, ActivationQParams> activations,
    Map<String, QuantizedWeight> weights,
    List<FloatNode> floatNodes,
    int removedActivations) {

  /**
   * @param choice the range and how it came about; the method is {@code fixed} where the operator
   *     gives the range
   * @param sharedBy all tensors that take these qparams, the root included
   */
  public record ActivationQParams(QParams qparams, RangeChoice choice, List<String> sharedBy) {
    /** As the method chose it, before it was widened to hold zero. */
    public Range range() {
      return choice.range();
    }

    /** The range method's name. */
    public String method() {
      return choice.method();
    }
  }
}
