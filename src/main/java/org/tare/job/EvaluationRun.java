package org.tare.job;

import java.util.Map;
import java.util.Optional;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.spark.JobMetrics;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.OutputMetrics;

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
            new EvaluationJob.Request(
                name,
                floatModel,
                quantized,
                types,
                rows,
                label,
                context.rows().mask(floatModel.graph().inputNames()),
                context.rows().inputs(),
                context.rows().batch(),
                context.rows().badRows()),
            context.progress());
    JobMetrics.evaluated(
        found.outputs().values().stream()
            .mapToDouble(OutputMetrics::sqnr)
            .min()
            .orElse(Double.NaN));
    return found;
  }
}
