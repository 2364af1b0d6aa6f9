package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.tare.history.Lineages;
import org.tare.job.CalibrationRun;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.Preflight;
import org.tare.job.QuantizeOptions;
import org.tare.job.trials.Criterion;
import org.tare.job.trials.SearchCheckpoints;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.RunSettings;
import org.tare.settings.Settings;
import org.tare.settings.TrialSettings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.stats.CalibrationState;

/**
 * What trials of layers start from: a model, its state (given, or observed now), and rows to judge
 * on.
 */
record TrialInputs(
    FloatModel model,
    JobContext context,
    CalibrationState state,
    DataSource rows,
    Optional<String> label,
    List<String> warnings) {

  /** Checks what a call was given, without computing. */
  static FloatModel check(Call<?> call) {
    Settings settings = call.settings();
    QuantizeOptions options = QuantizeSettings.of(settings);
    FloatModel model =
        call.tare()
            .models()
            .readFloat(settings.require("model"), RunSettings.prepare(settings), options.mapping());
    boolean isGiven = settings.find("state").isPresent();
    if (isGiven == call.table("data").isPresent()) {
      throw TareException.usage(
          isGiven
              ? "Give a state or data to calibrate on, not both"
              : "Missing what the ranges are chosen from: set state, or data to calibrate on");
    }
    rows(call);
    return model;
  }

  private static DataSource rows(Call<?> call) {
    return call.table("validation").orElseGet(() -> call.requireTable("data", "judge on"));
  }

  /** The file that the search writes what it measured to, if there is to be one. */
  static Optional<SearchCheckpoints> checkpoints(Call<?> call) {
    String origin = TrialSettings.origin(call.settings());
    return TrialSettings.checkpoint(call.settings())
        .map(file -> SearchCheckpoints.open(call.tare().files(), file, origin));
  }

  /** The search has ended, and its results are written. */
  static void end(Call<?> call, Optional<SearchCheckpoints> checkpoints) {
    if (!TrialSettings.keepsCheckpoint(call.settings())) {
      checkpoints.ifPresent(SearchCheckpoints::end);
    }
  }

  /** Reads and calibrates what a call was given. */
  static TrialInputs of(Call<?> call, RunInfo info, Criterion criterion) {
    FloatModel model = check(call);
    Settings settings = call.settings();
    Optional<String> label = settings.find("validation.label");
    Optional<DataSource> data = call.table("data").map(call::pinned);
    DataSource rows = call.table("validation").map(call::pinned).orElseGet(data::orElseThrow);
    Preflight.Checked checked =
        Preflight.check(call.context(), model, data, Optional.of(rows), label, List.of());
    criterion.sql(checked.context(), model, rows);
    CalibrationState state =
        data.isEmpty()
            ? call.tare().readState(settings.require("state"))
            : calibrate(call, checked.context(), model, data.get(), info);
    if (!state.modelDigest().equals(model.prepared().digest())) {
      throw TareException.badInput(
          "Cannot quantize %s: the state was made with another model (SHA-256 %s, this one has %s)",
          model.name(), state.modelDigest(), model.prepared().digest());
    }
    info.table(call.table("validation").isPresent() ? "validation" : "data", rows);
    return new TrialInputs(
        model, checked.context(), state, rows, label, new ArrayList<>(checked.notes()));
  }

  private static CalibrationState calibrate(
      Call<?> call, JobContext context, FloatModel model, DataSource data, RunInfo info) {
    // Forms are made of the float model as it is, without SmoothQuant's factors.
    call.settings().set("quantize.smooth-quant", "false", "trials of layers");
    QuantizeOptions options = QuantizeSettings.of(call.settings());
    CalibrationRun how =
        new CalibrationRun(
            context, RunSettings.calibration(call.settings()), options.corrections());
    CalibrationJob.Result observed =
        Lineages.calibrate(how, model, data, call.tare().session(), call.settings());
    info.table("data", data).seconds("calibrate", observed.seconds());
    return observed.state();
  }
}
