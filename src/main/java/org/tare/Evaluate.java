package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.infer.TensorTypes;
import org.tare.job.EvaluationRun;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.ModelReader;
import org.tare.job.Preflight;
import org.tare.job.QualityGate;
import org.tare.job.Warnings;
import org.tare.job.compare.WorstLayers;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.settings.RunSettings;
import org.tare.settings.TrialSettings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.SqlMetric;

/** An evaluation to be: runs both models over rows and compares what they give. */
public final class Evaluate extends Call<Evaluate> {
  private Optional<OnnxModel> quantized = Optional.empty();

  Evaluate(Tare tare) {
    super(tare);
  }

  @Override
  Evaluate self() {
    return this;
  }

  Evaluate quantized(Quantized made) {
    quantized = Optional.of(made.model());
    return this;
  }

  /** The rows. */
  public Evaluate data(Dataset<Row> rows) {
    return withValidation(rows);
  }

  /** Files with the rows, in Parquet unless {@code validation.format} says otherwise. */
  public Evaluate data(String path) {
    return set("validation.path", path);
  }

  /** The column of class numbers, for top-1 and top-5. */
  public Evaluate label(String column) {
    return set("validation.label", column);
  }

  /**
   * Evaluates. If the quantized model does not meet the quality gate, {@link Evaluation#unmet} says
   * why, and no output is written.
   *
   * @throws TareException if the rows do not fit the model, or no output can be compared
   */
  @Override
  public Evaluation run() {
    RunInfo info = RunInfo.begin("evaluate", tare(), settings());
    FloatModel model = readModel();
    OnnxModel other = readQuantized();
    DataSource given = rows();
    QualityGate gate = gate();
    Optional<Publication> output = Publication.check(this);
    DataSource rows = pinned(given);
    Preflight.Checked checked = check(context(), model, rows);
    JobContext context = checked.context();
    Optional<SqlMetric> metric = metric(context, model, rows);
    List<String> warnings = new ArrayList<>(checked.notes());
    EvaluationRun comparison = new EvaluationRun(context);
    EvaluationJob.Result result =
        comparison.run(model.name(), model.original(), other, model.types(), rows, label());
    warnings.addAll(Warnings.ofSaturation(other));
    warnings.addAll(
        comparison.ofSaturation(
            model.name(), model.original(), other, model.types(), rows, result));
    warnings.addAll(Warnings.ofOutputs(result, () -> WorstLayers.of(context, model, other, rows)));
    Optional<Evaluation.OwnMetric> own =
        metric.map(
            one ->
                new Evaluation.OwnMetric(
                    one.sql(),
                    comparison.run(
                        model.name(), model.original(), other, model.types(), rows, label(), one)));
    Evaluation evaluation =
        new Evaluation(
            info.table("validation", rows)
                .seconds("evaluate", result.seconds())
                .end(Optional.of(model)),
            result,
            own,
            GateVerdict.of(gate, result),
            warnings);
    if (evaluation.unmet().isEmpty()) {
      output.ifPresent(evaluation::publish);
    } else {
      GateVerdict.tell(
          tare(), evaluation, output.map(place -> place.reject(Optional.empty(), evaluation)));
    }
    return evaluation;
  }

  @Override
  public DryRun dryRun() {
    FloatModel model = readModel();
    readQuantized();
    DataSource rows = rows();
    gate();
    Publication.check(this);
    metric(check(context(), model, rows).context(), model, rows);
    return DryRun.ofSettings(settings());
  }

  private Preflight.Checked check(JobContext context, FloatModel model, DataSource rows) {
    return Preflight.check(context, model, Optional.empty(), Optional.of(rows), label(), List.of());
  }

  /** The user's own metric, if there is one. */
  private Optional<SqlMetric> metric(JobContext context, FloatModel model, DataSource rows) {
    return TrialSettings.own(settings()).flatMap(own -> own.sql(context, model, rows));
  }

  private QualityGate gate() {
    QualityGate gate = RunSettings.gate(settings());
    gate.check(QualityGate.HasRows.YES, label());
    return gate;
  }

  private Optional<String> label() {
    return settings().find("validation.label");
  }

  private DataSource rows() {
    return table("validation").orElseGet(() -> requireTable("data", "evaluate on"));
  }

  private FloatModel readModel() {
    String file = settings().require("model");
    OnnxModel model = tare().models().read(file);
    String name = ModelReader.nameOf(file);
    Map<String, TensorType> types = TensorTypes.of(model, name);
    return FloatModel.unplanned(name, model, types);
  }

  private OnnxModel readQuantized() {
    return quantized.orElseGet(() -> tare().models().read(settings().require("quantized")));
  }
}
