package org.tare.results;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.tare.job.FloatModel;
import org.tare.job.TrainingRun;
import org.tare.onnx.Node;
import org.tare.plan.QuantizationPlan;
import org.tare.quant.BlockQParams;
import org.tare.quant.ChannelQParams;
import org.tare.quant.QParams;
import org.tare.quant.QuantSpec;
import org.tare.report.Analysis;
import org.tare.report.LossPoint;
import org.tare.report.MethodRange;
import org.tare.report.ReportData;
import org.tare.report.ReportData.Fact;
import org.tare.report.Weight;
import org.tare.rewrite.QuantizedModel;
import org.tare.rewrite.QuantizedWeight;
import org.tare.stats.CalibrationState;

/** Reads off a quantized model what its report shows. */
final class ReportTables {
  private final FloatModel model;
  private final QuantizedModel quantized;

  private ReportTables(FloatModel model, QuantizedModel quantized) {
    this.model = model;
    this.quantized = quantized;
  }

  static ReportData of(
      FloatModel model,
      QuantizedModel quantized,
      Optional<CalibrationState> state,
      List<Fact> summary,
      List<String> warnings,
      Optional<TrainingRun.Result> training) {
    ReportTables tables = new ReportTables(model, quantized);
    return new ReportData(
        "Quantization of " + model.name(),
        summary,
        warnings,
        state.map(tables::tensors).orElse(List.of()),
        tables.weights(),
        quantized.floatNodes(),
        List.of(),
        List.of(),
        Analysis.NONE.withLosses(training.map(ReportTables::curve).orElse(List.of())));
  }

  /** How training went, from what was measured without it on. */
  private static List<LossPoint> curve(TrainingRun.Result training) {
    List<LossPoint> curve = new ArrayList<>();
    curve.add(point(0, Double.NaN, Optional.of(training.before())));
    for (TrainingRun.Point point : training.curve()) {
      curve.add(point(point.step(), point.loss(), point.measured()));
    }
    return curve;
  }

  private static LossPoint point(long step, double loss, Optional<TrainingRun.Measured> measured) {
    return new LossPoint(
        step,
        loss,
        measured.map(TrainingRun.Measured::sqnr).orElse(Double.NaN),
        measured.map(one -> one.top1().orElse(Double.NaN)).orElse(Double.NaN));
  }

  private List<ReportData.Tensor> tensors(CalibrationState state) {
    Map<String, Node> producers = model.prepared().graph().producers();
    Map<String, QuantSpec> specs = specs();
    // Each range is a search of its own: tensors are independent of each other.
    return model.observed().parallelStream()
        // The state may be of a plan that quantizes more.
        .filter(name -> state.tensors().containsKey(name))
        .map(
            name ->
                new ReportData.Tensor(
                    name,
                    Optional.ofNullable(producers.get(name)).map(Node::opType).orElse(""),
                    state.tensor(name),
                    quantized.activations().get(name),
                    MethodRange.all(name, state.tensor(name), specs.get(name))))
        .toList();
  }

  /** What the range of each root is chosen for. */
  private Map<String, QuantSpec> specs() {
    Map<String, QuantSpec> specs = new HashMap<>();
    model
        .plan()
        .map(QuantizationPlan::activations)
        .orElse(Map.of())
        .values()
        .forEach(activation -> specs.put(activation.root(), activation.spec()));
    return specs;
  }

  private List<Weight> weights() {
    Map<String, List<Node>> readers = model.prepared().graph().consumers();
    return new TreeMap<>(quantized.weights())
        .entrySet().stream()
            .map(
                entry ->
                    weight(
                        entry.getKey(),
                        readers.getOrDefault(entry.getKey(), List.of()).stream()
                            .findFirst()
                            .map(Node::opType)
                            .orElse(""),
                        entry.getValue()))
            .toList();
  }

  private static Weight weight(String name, String op, QuantizedWeight weight) {
    return new Weight(
        name,
        op,
        weight.dtype().id(),
        weight.elements(),
        weight.bytes(),
        weight.channels().map(ReportTables::layout).orElseGet(() -> blocks(weight)),
        weight.channels().map(ChannelQParams::channels).orElseGet(() -> qparams(weight)),
        Optional.empty());
  }

  private static String layout(ChannelQParams channels) {
    return channels.isPerChannel()
        ? channels.channels().size() + " along axis " + channels.axis()
        : "per tensor";
  }

  private static String blocks(QuantizedWeight weight) {
    return weight.blocks().map(blocks -> "blocks of " + blocks.block()).orElse("");
  }

  private static List<QParams> qparams(QuantizedWeight weight) {
    BlockQParams blocks = weight.blocks().orElseThrow();
    return IntStream.range(0, blocks.scales().length)
        .mapToObj(i -> QParams.of(blocks.scales()[i], blocks.zeroPoints()[i], blocks.dtype()))
        .toList();
  }
}
