package org.tare.job.trials;

import java.util.ArrayList;
import java.util.List;
import org.tare.TareException;
import org.tare.job.FloatModel;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.plan.OpRule;
import org.tare.plan.QuantizationPlan;

/** The layers of a model whose types can be chosen: nodes with weights that are quantized. */
final class Layers {
  private Layers() {}

  /**
   * In the order of the graph.
   *
   * @throws TareException if there is none
   */
  static List<Layer> of(FloatModel model) {
    QuantizationPlan plan =
        model
            .plan()
            .orElseThrow(
                () ->
                    TareException.usage(
                        "quantize.mode cannot be %s here: types of layers are tried in the mode"
                            + " static",
                        model.mapping().mode().id()));
    Graph graph = model.prepared().graph();
    List<Layer> layers = new ArrayList<>();
    for (Node node : graph.nodes()) {
      boolean hasWeight =
          OpRule.of(node)
              .filter(rule -> rule == OpRule.WEIGHTED || rule == OpRule.ATTENTION)
              .isPresent();
      if (hasWeight && plan.config(node).isPresent() && graph.isConstant(node.input(1))) {
        Tensor weight = graph.constant(node.input(1)).orElseThrow();
        layers.add(new Layer(node.label(), node.output(0), node.opType(), weight.size()));
      }
    }
    if (layers.isEmpty()) {
      throw TareException.nothingToQuantize(
          "Nothing to try in %s: no layer with a weight is quantized", model.name());
    }
    return layers;
  }
}
