package org.tare.spark.tasks;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.tare.spark.JobLabel;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.tasks.EvaluationJob.Request;

/**
 * A figure of the user's of a quantized model, as it will run: with one kernel on integers for an
 * operator and its pairs. The float model stands once more in its place, for its own figure.
 */
public final class SqlEvaluation {
  private static final String PLACE = "__tare_place";

  private SqlEvaluation() {}

  /**
   * What an expression gives.
   *
   * @param quantized with the quantized model's outputs as {@code quantized}
   * @param floats with the float model's outputs in their place too
   */
  public record Figures(double quantized, double floats) {}

  /**
   * Runs both models over the rows.
   *
   * @throws org.tare.TareException if a row or model fails, or the expression gives no number
   */
  public static Figures run(
      SparkSession spark, Request request, SqlMetric metric, Consumer<String> progress) {
    EvaluationJob.checkOutputs(request.label(), request.floatModel(), request.types());
    String description = "evaluate " + request.label() + ": a metric in SQL";
    try (SessionSettings settings = new SessionSettings(spark);
        JobLabel job = new JobLabel(spark, description)) {
      return run(settings, job, request, metric, progress);
    }
  }

  private static Figures run(
      SessionSettings settings,
      JobLabel job,
      Request request,
      SqlMetric metric,
      Consumer<String> progress) {
    SparkSession spark = settings.spark();
    BoundTable table = request.needs().along(metric.columns()).bind(settings, request.data());
    try (ShippedModel floats = ShippedModel.ship(spark, request.floatModel(), request.label());
        ShippedModel quantized =
            ShippedModel.ship(spark, request.quantizedModel(), "quantized " + request.label());
        Progress display =
            new Progress(spark, job, "Evaluating", table.source().seen(), progress)) {
      BoundTable dealt = EvenTasks.deal(settings, table, EvaluationJob.work(table)).table();
      Dataset<Row> rows = dealt.rows().withColumn(PLACE, functions.monotonically_increasing_id());
      BoundTable placed = dealt.placed(rows, PLACE);
      TrialsJob.Try task =
          new TrialsJob.Try(
              placed.source(),
              floats,
              new ArrayList<>(EvaluationJob.outputs(request.floatModel(), request.types())),
              request.mask().orElse(""),
              0,
              new ArrayList<>(List.of(TrialsJob.Piece.alone(quantized))));
      StructType given = placed.rows().schema();
      TryRows tried = TryRows.of(task, metric, given);
      List<Double> found =
          metric.of(placed.rows().mapPartitions(tried, Encoders.row(metric.emitted(given))), 2);
      return new Figures(found.get(0), found.get(1));
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      throw job.failed(
          "Cannot evaluate " + request.label(),
          e,
          request.floatModel().sizeBytes() + request.quantizedModel().sizeBytes());
    }
  }
}
