package org.tare.job;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;
import org.tare.inspect.Saturation;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.spark.JobEvent;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.Evaluations;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.spark.tasks.SqlEvaluation;
import org.tare.spark.tasks.SqlMetric;

/** Compares a float model with a quantized one on a table. */
public final class EvaluationRun {
  private final JobContext context;

  public EvaluationRun(JobContext context) {
    this.context = context;
  }

  /**
   * Compares.
   *
   * @param name what to call the float model
   * @param types of the float model's tensors
   * @param label the column of class numbers
   */
  public EvaluationJob.Result run(
      String name,
      OnnxModel floatModel,
      OnnxModel quantized,
      Map<String, TensorType> types,
      DataSource rows,
      Optional<String> label) {
    EvaluationJob.Result found =
        EvaluationJob.run(
            context.spark().get(),
            request(name, floatModel, quantized, types, rows, label),
            context.progress());
    return posted(found);
  }

  /**
   * Evaluations of several quantized models on rows that are kept.
   *
   * @param name what to call the float model
   * @param types of the float model's tensors
   * @param label the column of class numbers
   */
  public Evaluations several(
      String name,
      OnnxModel floatModel,
      Map<String, TensorType> types,
      DataSource rows,
      Optional<String> label) {
    return Evaluations.of(
        context.spark().get(), request(name, floatModel, floatModel, types, rows, label));
  }

  /** One of {@link #several}. */
  public EvaluationJob.Result run(Evaluations several, OnnxModel quantized) {
    return posted(several.run(quantized, context.progress()));
  }

  private static EvaluationJob.Result posted(EvaluationJob.Result found) {
    double worst =
        found.outputs().values().stream().mapToDouble(OutputMetrics::sqnr).min().orElse(Double.NaN);
    new JobEvent.Evaluated(worst).post();
    return found;
  }

  /**
   * The figures of a metric of the user's.
   *
   * @param label the column of class numbers: rows whose labels are none are left out
   */
  public SqlEvaluation.Figures run(
      String name,
      OnnxModel floatModel,
      OnnxModel quantized,
      Map<String, TensorType> types,
      DataSource rows,
      Optional<String> label,
      SqlMetric metric) {
    return SqlEvaluation.run(
        context.spark().get(),
        request(name, floatModel, quantized, types, rows, label),
        metric,
        context.progress());
  }

  /**
   * Warnings about layers whose integer products saturate on some CPUs; with the figures of exact
   * products, if the rows were evaluated on such a CPU.
   *
   * @param measured on these rows
   */
  public List<String> ofSaturation(
      String name,
      OnnxModel floatModel,
      OnnxModel quantized,
      Map<String, TensorType> types,
      DataSource rows,
      EvaluationJob.Result measured) {
    boolean canSaturate =
        Saturation.of(quantized).stream()
            .anyMatch(layer -> layer.where() == Saturation.Where.X86_WITHOUT_VNNI);
    if (!canSaturate) {
      return List.of();
    }
    try {
      EvaluationJob.Result exact =
          EvaluationJob.runExactly(
              context.spark().get(),
              request(name, floatModel, quantized, types, rows, Optional.empty()),
              context.progress());
      return Warnings.ofSaturatedOutputs(measured, exact);
    } catch (TareException e) { // Of another tool: not every model runs with these kernels.
      return List.of();
    }
  }

  private EvaluationJob.Request request(
      String name,
      OnnxModel floatModel,
      OnnxModel quantized,
      Map<String, TensorType> types,
      DataSource rows,
      Optional<String> label) {
    return new EvaluationJob.Request(
        name,
        floatModel,
        quantized,
        types,
        rows,
        label,
        context.rows().mask(floatModel.graph().inputNames()),
        context.rows().inputs(),
        context.rows().batch(),
        context.rows().badRows());
  }
}
