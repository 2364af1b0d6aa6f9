package org.tare.job.compare;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.tare.TareException;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.QuantizationRun;
import org.tare.job.Warnings;
import org.tare.job.compare.ComparisonRun.ComparedTensor;
import org.tare.onnx.OnnxModel;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.KeptRows;
import org.tare.spark.tasks.OutputMetrics;

/**
 * The layers in which a quantized model loses most, for a warning: each is fed with what the float
 * model computes, on a few rows.
 */
public final class WorstLayers {
  private static final int ROWS = 32;

  /** Of larger models nothing is measured: it would take longer than their evaluation. */
  private static final long MOST_BYTES = 256L << 20;

  private static final int MOST_NODES = 5_000;

  private WorstLayers() {}

  /**
   * The layers, the worst first, as {@link Warnings#ofLayer} names them.
   *
   * @param rows that both models were run on
   * @return empty if the models share no tensors, or are too large to look into them unasked
   */
  public static List<String> of(
      JobContext context, FloatModel model, OnnxModel quantized, DataSource rows) {
    boolean isLarge =
        model.original().sizeBytes() > MOST_BYTES || quantized.graph().nodes().size() > MOST_NODES;
    if (isLarge) {
      return List.of();
    }
    try (KeptRows few =
        KeptRows.of(
            context.spark().get(),
            model.name(),
            model.original(),
            model.types(),
            rows,
            context.rows().inputs(),
            ROWS)) {
      return of(context.with(context.rows().withoutLimit()), model, quantized, few);
    } catch (TareException e) { // The figures are there already; this is for a warning about them.
      return List.of();
    }
  }

  /** The same of a model that was just made; the layers may be known from choosing corrections. */
  public static List<String> of(
      JobContext context, FloatModel model, QuantizationRun.Result made, DataSource rows) {
    List<String> known = Warnings.worstLayers(made.chosen().costs());
    return known.isEmpty() ? of(context, model, made.quantized().model(), rows) : known;
  }

  private static List<String> of(
      JobContext context, FloatModel model, OnnxModel quantized, KeptRows rows) {
    ComparisonRun comparison = new ComparisonRun(model, quantized);
    List<ComparedTensor> tensors = comparison.tensors();
    Map<String, OutputMetrics> alone =
        comparison.activations(context, tensors, rows.source(), List.of()).all().local();
    List<ComparedTensor> lossy = new ArrayList<>(tensors);
    lossy.removeIf(
        tensor ->
            !alone.containsKey(tensor.name())
                || !(alone.get(tensor.name()).sqnr() < Double.MAX_VALUE));
    lossy.sort(Comparator.comparingDouble(tensor -> alone.get(tensor.name()).sqnr()));
    return lossy.stream()
        .map(
            tensor ->
                Warnings.ofLayer(
                    tensor.opType() + "(" + tensor.name() + ")", alone.get(tensor.name()).sqnr()))
        .toList();
  }
}
