package org.tare;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.Recalibration.Outcome;
import org.tare.drift.DriftThresholds;
import org.tare.history.BetterBy;
import org.tare.history.DeployedDrift;
import org.tare.history.Lineages;
import org.tare.history.Notices;
import org.tare.history.RunKey;
import org.tare.history.StoreSelection;
import org.tare.history.StoreTarget;
import org.tare.job.CalibrationRun;
import org.tare.job.EvaluationRun;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.Preflight;
import org.tare.job.QualityGate;
import org.tare.job.QuantizationRun;
import org.tare.job.QuantizeOptions;
import org.tare.job.Warnings;
import org.tare.job.compare.WorstLayers;
import org.tare.onnx.OnnxModel;
import org.tare.results.Json;
import org.tare.results.QuantizedFiles;
import org.tare.settings.DriftSettings;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.RecalibrateSettings;
import org.tare.settings.RunSettings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.stats.CalibrationState;
import org.tare.store.Lease;
import org.tare.store.OutputHistory;
import org.tare.store.PublishedFolder;
import org.tare.store.states.StateStore;
import org.tare.store.states.Window;

/**
 * A recalibration to be: looks whether new data are still what the deployed model was calibrated on
 * and, if they moved, makes a model from the states of the last days and deploys it if it is
 * better.
 *
 * <p>The same run again changes nothing. Of two at once, one does it.
 */
public final class Recalibrate extends Call<Recalibrate> {
  Recalibrate(Tare tare) {
    super(tare);
  }

  @Override
  Recalibrate self() {
    return this;
  }

  /** The new rows. */
  public Recalibrate data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** Files with the new rows. */
  public Recalibrate data(String path) {
    return set("data.path", path);
  }

  /** The rows to evaluate the candidate and the deployed model on. */
  public Recalibrate validation(Dataset<Row> rows) {
    return withValidation(rows);
  }

  /** Files with these rows. */
  public Recalibrate validation(String path) {
    return set("validation.path", path);
  }

  /** The column of class numbers in the validation rows. */
  public Recalibrate label(String column) {
    return set("validation.label", column);
  }

  /**
   * The state store, and the slice of it that the new rows are.
   *
   * @param slice as {@code 2026-11-25}
   */
  public Recalibrate store(String folder, String slice) {
    return set("store.path", folder).set("store.slice", slice);
  }

  /**
   * The days whose states make the candidate.
   *
   * @param length as {@code 7d}
   * @param asOf the last day, as {@code 2026-11-25}
   */
  public Recalibrate window(String length, String asOf) {
    return set("store.window", length).set("store.as-of", asOf);
  }

  /** By which metric the candidate must be better, and by how much. */
  public Recalibrate metric(String name, double margin) {
    return set("recalibrate.metric", name).set("recalibrate.margin", margin);
  }

  /** Makes a candidate though nothing moved, and though the same run was made before. */
  public Recalibrate force() {
    return set("recalibrate.force", true);
  }

  /**
   * Recalibrates.
   *
   * @throws TareException if something is wrong that the caller can act on; then the deployed
   *     output is as it was
   */
  @Override
  public Recalibration run() {
    String output = settings().require("output");
    set("overwrite", true);
    fixDays();
    RecalibrateSettings how = RecalibrateSettings.of(settings());
    Notices notices = new Notices(tare().files(), tare().progress(), how, output, Tare.version());
    try {
      Recalibration result = run(output, how);
      notices.ended(
          new Notices.Outcome(
              result.toJson(), result.provenance(), result.outcome().id(), result.why()));
      return result;
    } catch (TareException e) {
      notices.failed(e);
      throw e;
    }
  }

  private Recalibration run(String output, RecalibrateSettings how) {
    RunInfo info = RunInfo.begin("recalibrate", tare(), settings());
    QuantizeOptions options = QuantizeSettings.of(settings());
    FloatModel model = readModel(options);
    QualityGate gate = check(model, how);
    OutputHistory history = OutputHistory.of(tare().files(), output);
    Optional<Lease> lease = history.lease(how.lease());
    if (lease.isEmpty()) {
      return Recalibration.busy(info.end(Optional.of(model)), history.toString());
    }
    try (Lease held = lease.get()) {
      return new Attempt(output, how, info, options, model, gate, history, held).run();
    }
  }

  @Override
  public DryRun dryRun() {
    set("overwrite", true);
    settings().require("output");
    fixDays();
    QuantizeOptions options = QuantizeSettings.of(settings());
    FloatModel model = readModel(options);
    check(model, RecalibrateSettings.of(settings()));
    Publication.check(this);
    JobContext checked = preflight(model, data(), validation()).context();
    return dryRun(checked, model, options, Optional.of(data()));
  }

  /** Yesterday is one day from the start of the run to its end, and so is the slice. */
  private void fixDays() {
    String day = Window.Days.day(settings().require("store.as-of")).toString();
    set("store.as-of", day);
    if (settings().find("store.slice").isEmpty()) {
      set("store.slice", day);
    }
  }

  /** What can be checked without a table. */
  private QualityGate check(FloatModel model, RecalibrateSettings how) {
    if (model.plan().isEmpty()) {
      throw TareException.usage(
          "Nothing to recalibrate: the mode %s has no ranges that data could move",
          model.mapping().mode().id());
    }
    settings().require("store.path");
    StoreSelection.days(settings());
    DriftSettings.of(settings());
    data();
    validation();
    if (how.metric().needsLabel() && label().isEmpty()) {
      throw TareException.usage(
          "recalibrate.metric is %s, but there are no labels: set validation.label",
          how.metric().id());
    }
    QualityGate gate = RunSettings.gate(settings());
    gate.check(QualityGate.HasRows.YES, label());
    return gate;
  }

  private Preflight.Checked preflight(FloatModel model, DataSource data, DataSource validation) {
    return Preflight.check(
        context(), model, Optional.of(data), Optional.of(validation), label(), List.of());
  }

  private FloatModel readModel(QuantizeOptions options) {
    return tare()
        .models()
        .readFloat(settings().require("model"), RunSettings.prepare(settings()), options.mapping());
  }

  private DataSource data() {
    return requireTable("data", "calibrate on");
  }

  private DataSource validation() {
    return requireTable("validation", "evaluate on");
  }

  private Optional<String> label() {
    return settings().find("validation.label");
  }

  /** One attempt, made with the lease. */
  private final class Attempt {
    private final String output;
    private final RecalibrateSettings how;
    private final RunInfo info;
    private final QuantizeOptions options;
    private final FloatModel model;
    private final QualityGate gate;
    private final OutputHistory history;
    private final Lease lease;
    private final DriftThresholds thresholds = DriftSettings.of(settings());

    private final List<String> warnings = new ArrayList<>();

    /** The new rows, and those that candidates are judged on, with their files as they are now. */
    private DataSource rows;

    private DataSource checkedOn;

    /** As the preflight found that the model takes rows. */
    private JobContext context;

    Attempt(
        String output,
        RecalibrateSettings how,
        RunInfo info,
        QuantizeOptions options,
        FloatModel model,
        QualityGate gate,
        OutputHistory history,
        Lease lease) {
      this.output = output;
      this.how = how;
      this.info = info;
      this.options = options;
      this.model = model;
      this.gate = gate;
      this.history = history;
      this.lease = lease;
    }

    Recalibration run() {
      Publication place = Publication.check(Recalibrate.this).orElseThrow();
      rows = pinned(data());
      checkedOn = pinned(validation());
      Preflight.Checked checked = preflight(model, rows, checkedOn);
      context = checked.context();
      warnings.addAll(checked.notes());
      Optional<PublishedFolder> deployed = PublishedFolder.find(tare().files(), output);
      deployed.ifPresent(PublishedFolder::check);
      CalibrationRun calibration =
          new CalibrationRun(context, RunSettings.calibration(settings()), options.corrections());
      StateStore.Added slice = fillSlice(calibration);
      String key = runKey(slice);
      Optional<JsonNode> before = before(key, deployed);
      if (before.isPresent() && !how.forces()) {
        return Recalibration.again(info.end(Optional.of(model)), key, before.get());
      }
      Recalibration.Builder result = new Recalibration.Builder(key, slice);
      Recalibration made = decide(result, slice, deployed, place);
      history.record(key, made.toJson() + "\n");
      return made;
    }

    /** Calibrates the new rows, unless the store holds the state of these very rows. */
    private StateStore.Added fillSlice(CalibrationRun calibration) {
      info.table("data", rows).table("validation", checkedOn);
      StoreTarget target =
          StoreTarget.of(tare().session(), settings(), calibration, model, rows).orElseThrow();
      StoreSelection.of(tare().files(), settings()).checkYoung(target.key());
      Optional<StateStore.Added> filled = target.filled();
      if (filled.isPresent()) {
        return filled.get();
      }
      CalibrationJob.Result observed =
          Lineages.calibrate(
              calibration, model, rows, target::latest, tare().session(), settings());
      info.seconds("calibrate", observed.seconds());
      return target.add(observed.state());
    }

    private String runKey(StateStore.Added slice) {
      StateStore store = store();
      return RunKey.of(
          settings(),
          model,
          slice.entry(),
          store.digestOf(slice.entry().key(), StoreSelection.days(settings())),
          List.of(checkedOn.label(), checkedOn.snapshot(tare().spark())));
    }

    private StateStore store() {
      return StoreSelection.of(tare().files(), settings()).store();
    }

    /** What an earlier run with the key came to, if it did and that still stands. */
    private Optional<JsonNode> before(String key, Optional<PublishedFolder> deployed) {
      Optional<JsonNode> inPlace =
          deployed
              .flatMap(folder -> folder.read("result.json"))
              .flatMap(content -> Recalibration.parse(content, key));
      // A run that was killed after it had published has left its result at the place alone.
      inPlace.ifPresent(
          result -> {
            if (history.find(key).isEmpty()) {
              history.record(key, result.toPrettyString() + "\n");
            }
          });
      return deployed.isEmpty()
          ? Optional.empty()
          : history.find(key).flatMap(text -> Recalibration.parse(Json.bytes(text), key));
    }

    private Recalibration decide(
        Recalibration.Builder result,
        StateStore.Added slice,
        Optional<PublishedFolder> deployed,
        Publication place) {
      if (deployed.isPresent()) {
        DeployedDrift drift =
            DeployedDrift.between(
                tare().files(), deployed.get(), store().readState(slice.entry()), thresholds);
        result.drift(drift);
        if (!drift.moved() && !how.forces()) {
          return finish(result.outcome(Outcome.UNCHANGED, "Nothing moved: " + drift.text()));
        }
      }
      Window window = window(slice);
      result.window(window);
      CalibrationState state = window.state();
      warnings.addAll(Warnings.ofNonFinite(state));
      QuantizationRun.Result made =
          new QuantizationRun(context, options, RunInfo.metadata())
              .run(model, Optional.of(state), Optional.of(rows));
      warnings.addAll(made.warnings());
      made.correctSeconds().ifPresent(taken -> info.seconds("correct", taken));
      info.seconds("quantize", made.seconds());
      result.candidate(new QuantizedFiles(options, made, Optional.of(state)));
      EvaluationJob.Result found = evaluate(made.quantized().model());
      warnings.addAll(
          Warnings.ofOutputs(found, () -> WorstLayers.of(context, model, made, checkedOn)));
      info.seconds("evaluate", found.seconds());
      result.evaluation(found, GateVerdict.of(gate, found));
      Optional<BetterBy> better = compare(found, deployed);
      better.ifPresent(result::compared);
      List<String> unmet = gate.unmet(found);
      if (!unmet.isEmpty()) {
        return finish(
            result.outcome(Outcome.GATE_NOT_MET, "Not published: " + String.join("; ", unmet)));
      }
      if (better.isPresent() && !better.get().isBetter()) {
        return finish(result.outcome(Outcome.NOT_BETTER, better.get().text()));
      }
      return publish(result, better, deployed, place);
    }

    private Window window(StateStore.Added slice) {
      Window window =
          StoreSelection.of(tare().files(), settings()).youngWindow(slice.entry().key());
      StoreSelection.ofMissing(window).ifPresent(warnings::add);
      return window;
    }

    private EvaluationJob.Result evaluate(OnnxModel quantized) {
      return new EvaluationRun(context)
          .run(model.name(), model.original(), quantized, model.types(), checkedOn, label());
    }

    private Optional<BetterBy> compare(
        EvaluationJob.Result candidate, Optional<PublishedFolder> deployed) {
      return deployed.map(
          folder ->
              BetterBy.of(
                  how.metric(),
                  how.margin(),
                  candidate,
                  evaluate(tare().models().read(folder.place() + "/model.onnx"))));
    }

    private Recalibration publish(
        Recalibration.Builder result,
        Optional<BetterBy> better,
        Optional<PublishedFolder> deployed,
        Publication place) {
      if (!lease.isHeld()) {
        throw TareException.tryAgain(
            "Cannot publish %s: another run has taken the lease %s meanwhile; nothing was changed",
            place.place(), history);
      }
      deployed.ifPresent(
          folder -> result.former(history.keep(folder, Recalibration.stamp(folder))));
      Recalibration made =
          finish(
              result.outcome(
                  deployed.isPresent() ? Outcome.PUBLISHED : Outcome.FIRST,
                  better.map(BetterBy::text).orElse("Nothing was deployed before")));
      made.publish(place);
      history.prune(how.keptVersions());
      return made;
    }

    private Recalibration finish(Recalibration.Builder result) {
      return result.build(info.end(Optional.of(model)), warnings);
    }
  }
}
