package org.tare.rewrite;

import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import org.tare.onnx.OnnxModel;
import org.tare.plan.ActivationQParams;
import org.tare.plan.FloatNode;

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
    int removedActivations) {}
