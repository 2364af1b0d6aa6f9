package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.history.Lineages;
import org.tare.job.CalibrationRun;
import org.tare.job.EvaluationRun;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.NothingToQuantize;
import org.tare.job.Preflight;
import org.tare.job.QualityGate;
import org.tare.job.QuantizationRun;
import org.tare.job.QuantizeOptions;
import org.tare.job.TrainingCheckpoints;
import org.tare.job.TrainingRun;
import org.tare.job.TrainingSettings;
import org.tare.job.Warnings;
import org.tare.job.compare.WorstLayers;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.RunSettings;
import org.tare.settings.TrainSettings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.stats.CalibrationState;

/**
 * Training for quantization to be: calibration, quantization, training of the weights with rounding
 * in the forward pass, and evaluation. What is given out is the better of the models with and
 * without training.
 */
public final class Finetune extends Call<Finetune> {
  Finetune(Tare tare) {
    super(tare);
  }

  @Override
  Finetune self() {
    return this;
  }

  /** The rows to calibrate and to train on. */
  public Finetune data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** Files with the rows to calibrate and to train on. */
  public Finetune data(String path) {
    return set("data.path", path);
  }

  /** The rows to evaluate on. */
  public Finetune validation(Dataset<Row> rows) {
    return withValidation(rows);
  }

  /** Files with the rows to evaluate on. */
  public Finetune validation(String path) {
    return set("validation.path", path);
  }

  /** The column of class numbers in the validation rows. */
  public Finetune label(String column) {
    return set("validation.label", column);
  }

  /** What differs by operator or name, as {@code quantize.overrides} has it. */
  public Finetune overrides(List<Map<String, Object>> rules) {
    return set("quantize.overrides", rules);
  }

  /**
   * Calibrates, quantizes, trains and evaluates. Models, rows and output are checked before
   * anything is computed. If a step after calibration fails and there is an output, the state is
   * kept beside it; so it is, with the result, if the quantized model does not meet the quality
   * gate: then {@link RunResult#unmet} says why nothing was published.
   */
  @Override
  public RunResult run() {
    RunInfo info = RunInfo.begin("finetune", tare(), settings());
    QuantizeOptions options = QuantizeSettings.forTraining(settings());
    FloatModel model = readModel(options);
    TrainingSettings training = TrainSettings.of(settings());
    TrainingRun.check(model, training.untrainable());
    TrainingCheckpoints checkpoints = checkpoints(model, training);
    DataSource givenData = requireTable("data", "train on");
    Optional<DataSource> givenValidation = validation();
    QualityGate gate = gate(givenValidation);
    Optional<Publication> output = Publication.check(this);
    DataSource data = pinned(givenData);
    Optional<DataSource> validation = givenValidation.map(this::pinned);
    Preflight.Checked checked =
        Preflight.check(context(), model, Optional.of(data), validation, label(), List.of());
    JobContext context = checked.context();
    List<String> warnings = new ArrayList<>(checked.notes());
    CalibrationJob.Result observed = calibrate(context, options, model, data);
    Optional<CalibrationState> state = Optional.of(observed.state());
    state.map(Warnings::ofNonFinite).ifPresent(warnings::addAll);
    try {
      QuantizationRun.Result begun =
          new QuantizationRun(context, options, RunInfo.metadata())
              .run(model, state, Optional.of(data));
      TrainingRun.Result trained =
          new TrainingRun(context, options, RunInfo.metadata(), training, checkpoints)
              .run(
                  begun,
                  observed.state(),
                  data,
                  validation.orElse(data),
                  validation.isPresent() ? label() : settings().find("train.label"));
      QuantizationRun.Result quantized = trained.best();
      warnings.addAll(begun.warnings());
      warnings.addAll(trained.warnings());
      Optional<EvaluationJob.Result> evaluation =
          validation.map(
              rows ->
                  new EvaluationRun(context)
                      .run(
                          model.name(),
                          model.original(),
                          quantized.quantized().model(),
                          model.types(),
                          rows,
                          label()));
      evaluation
          .map(
              found ->
                  Warnings.ofOutputs(
                      found, () -> WorstLayers.of(context, model, quantized, validation.get())))
          .ifPresent(warnings::addAll);
      info.table("data", data);
      validation.ifPresent(rows -> info.table("validation", rows));
      info.seconds("calibrate", observed.seconds());
      begun.correctSeconds().ifPresent(taken -> info.seconds("correct", taken));
      info.seconds("quantize", begun.seconds());
      info.seconds("train", trained.seconds());
      evaluation.ifPresent(found -> info.seconds("evaluate", found.seconds()));
      RunResult result =
          new RunResult(
              tare().files(),
              info.end(Optional.of(model)),
              options,
              Optional.of(observed),
              quantized,
              evaluation,
              evaluation.flatMap(found -> GateVerdict.of(gate, found)),
              Optional.of(trained),
              warnings);
      if (result.unmet().isEmpty()) {
        output.ifPresent(result::publish);
      } else {
        GateVerdict.tell(tare(), result, output.map(place -> place.reject(state, result)));
      }
      return result;
    } catch (TareException e) {
      throw output.flatMap(place -> place.keep(state, e)).orElse(e);
    }
  }

  @Override
  public DryRun dryRun() {
    QuantizeOptions options = QuantizeSettings.forTraining(settings());
    FloatModel model = readModel(options);
    TrainingSettings training = TrainSettings.of(settings());
    TrainingRun.check(model, training.untrainable());
    checkpoints(model, training);
    DataSource data = requireTable("data", "train on");
    gate(validation());
    Publication.check(this);
    JobContext checked =
        Preflight.check(context(), model, Optional.of(data), validation(), label(), List.of())
            .context();
    return dryRun(checked, model, options, Optional.of(data));
  }

  private TrainingCheckpoints checkpoints(FloatModel model, TrainingSettings training) {
    return TrainingCheckpoints.open(tare().files(), training.checkpoint()).check(model, training);
  }

  private CalibrationJob.Result calibrate(
      JobContext context, QuantizeOptions options, FloatModel model, DataSource rows) {
    CalibrationRun run =
        new CalibrationRun(context, RunSettings.calibration(settings()), options.corrections());
    return Lineages.calibrate(run, model, rows, tare().session(), settings());
  }

  private FloatModel readModel(QuantizeOptions options) {
    FloatModel model =
        tare()
            .models()
            .readFloat(
                settings().require("model"), RunSettings.prepare(settings()), options.mapping());
    NothingToQuantize.check(model);
    return model;
  }

  private QualityGate gate(Optional<DataSource> validation) {
    QualityGate gate = RunSettings.gate(settings());
    gate.check(QualityGate.HasRows.of(validation), label());
    return gate;
  }

  private Optional<DataSource> validation() {
    Optional<DataSource> validation = table("validation");
    if (validation.isEmpty() && label().isPresent()) {
      throw TareException.usage(
          "validation.label is %s, but there are no rows to evaluate on: set validation.path",
          label().get());
    }
    return validation;
  }

  private Optional<String> label() {
    return settings().find("validation.label");
  }
}
