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
import org.tare.job.RoundingRun;
import org.tare.job.Warnings;
import org.tare.job.compare.WorstLayers;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.RunSettings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.stats.CalibrationState;

/** The whole job to be: calibration, quantization with measured corrections, and evaluation. */
public final class Run extends Call<Run> {
  Run(Tare tare) {
    super(tare);
  }

  @Override
  Run self() {
    return this;
  }

  /** The rows to calibrate on; the modes dynamic and weight-only can do without. */
  public Run data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** Files with the rows to calibrate on. */
  public Run data(String path) {
    return set("data.path", path);
  }

  /** The rows to evaluate on. */
  public Run validation(Dataset<Row> rows) {
    return withValidation(rows);
  }

  /** Files with the rows to evaluate on. */
  public Run validation(String path) {
    return set("validation.path", path);
  }

  /** The column of class numbers in the validation rows. */
  public Run label(String column) {
    return set("validation.label", column);
  }

  /** Columns; each combination of their values gets a state of its own, in the same pass. */
  public Run by(String... columns) {
    return set("calibrate.by", List.of(columns));
  }

  /** What differs by operator or name, as {@code quantize.overrides} has it. */
  public Run overrides(List<Map<String, Object>> rules) {
    return set("quantize.overrides", rules);
  }

  /**
   * Calibrates, quantizes and evaluates. Models, rows and output are checked before anything is
   * computed. If a step after calibration fails and there is an output, the state is kept beside
   * it; so it is, with the result, if the quantized model does not meet the quality gate: then
   * {@link RunResult#unmet} says why nothing was published.
   */
  @Override
  public RunResult run() {
    RunInfo info = RunInfo.begin("run", tare(), settings());
    QuantizeOptions options = QuantizeSettings.withRows(settings());
    FloatModel model = readModel(options);
    Optional<DataSource> givenData = data(model);
    Optional<DataSource> givenValidation = validation();
    QualityGate gate = gate(givenValidation);
    Optional<Publication> output = Publication.check(this);
    Optional<DataSource> data = givenData.map(this::pinned);
    Optional<DataSource> validation = givenValidation.map(this::pinned);
    Preflight.Checked checked = Preflight.check(context(), model, data, validation, label(), by());
    JobContext context = checked.context();
    List<String> warnings = new ArrayList<>(checked.notes());
    Optional<CalibrationJob.Result> observed =
        data.filter(rows -> CalibrationRun.isUseful(options.corrections(), model))
            .map(rows -> calibrate(context, options, model, rows));
    Optional<CalibrationState> state = observed.map(CalibrationJob.Result::state);
    state.map(Warnings::ofNonFinite).ifPresent(warnings::addAll);
    try {
      QuantizationRun.Result quantized =
          learned(
              context,
              options,
              new QuantizationRun(context, options, RunInfo.metadata()).run(model, state, data),
              state,
              data);
      warnings.addAll(quantized.warnings());
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
                  new EvaluationRun(context)
                      .ofSaturation(
                          model.name(),
                          model.original(),
                          quantized.quantized().model(),
                          model.types(),
                          validation.get(),
                          found))
          .ifPresent(warnings::addAll);
      evaluation
          .map(
              found ->
                  Warnings.ofOutputs(
                      found, () -> WorstLayers.of(context, model, quantized, validation.get())))
          .ifPresent(warnings::addAll);
      data.ifPresent(rows -> info.table("data", rows));
      validation.ifPresent(rows -> info.table("validation", rows));
      observed.ifPresent(found -> info.seconds("calibrate", found.seconds()));
      quantized.correctSeconds().ifPresent(taken -> info.seconds("correct", taken));
      info.seconds("quantize", quantized.seconds());
      evaluation.ifPresent(found -> info.seconds("evaluate", found.seconds()));
      RunResult result =
          new RunResult(
              tare().files(),
              info.end(Optional.of(model)),
              options,
              observed,
              quantized,
              evaluation,
              evaluation.flatMap(found -> GateVerdict.of(gate, found)),
              Optional.empty(),
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
    QuantizeOptions options = QuantizeSettings.withRows(settings());
    FloatModel model = readModel(options);
    Optional<DataSource> data = data(model);
    gate(validation());
    Publication.check(this);
    JobContext checked =
        Preflight.check(context(), model, data, validation(), label(), by()).context();
    return dryRun(checked, model, options, data);
  }

  /** The same with learned rounding, if that is wanted and better. */
  private QuantizationRun.Result learned(
      JobContext context,
      QuantizeOptions options,
      QuantizationRun.Result begun,
      Optional<CalibrationState> state,
      Optional<DataSource> data) {
    if (!QuantizeSettings.learnsRounding(settings())) {
      return begun;
    }
    return new RoundingRun(
            context, options, RunInfo.metadata(), QuantizeSettings.rounding(settings()))
        .run(begun, state.orElseThrow(), data.orElseThrow());
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
    if (QuantizeSettings.learnsRounding(settings())) {
      RoundingRun.check(model);
    }
    return model;
  }

  private Optional<DataSource> data(FloatModel model) {
    return model.needsState() ? Optional.of(requireTable("data", "calibrate on")) : table("data");
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

  private List<String> by() {
    return RunSettings.calibration(settings()).by();
  }
}
