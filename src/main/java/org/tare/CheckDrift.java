package org.tare;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.drift.DriftReport;
import org.tare.drift.DriftThresholds;
import org.tare.history.DeployedDrift;
import org.tare.history.DeployedQParams;
import org.tare.history.Lineages;
import org.tare.job.CalibrationRun;
import org.tare.job.ColumnObservation;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.Preflight;
import org.tare.job.QuantizeOptions;
import org.tare.quant.QParams;
import org.tare.settings.DriftSettings;
import org.tare.settings.ObserveSettings;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.RunSettings;
import org.tare.settings.Settings;
import org.tare.spark.rows.DataSource;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/**
 * A check of drift to be: compares a state with another one, which needs no Spark, or with rows,
 * which are observed first.
 */
public final class CheckDrift extends Call<CheckDrift> {
  private Optional<CalibrationState> reference = Optional.empty();
  private Optional<CalibrationState> current = Optional.empty();
  private Optional<SortedMap<String, QParams>> deployed = Optional.empty();

  CheckDrift(Tare tare) {
    super(tare);
  }

  @Override
  CheckDrift self() {
    return this;
  }

  CheckDrift reference(CalibrationState state) {
    reference = Optional.of(state);
    return this;
  }

  /** What was observed now. */
  public CheckDrift current(CalibrationState state) {
    current = Optional.of(state);
    return this;
  }

  /** The file of such a state; or files with rows, which are observed. */
  public CheckDrift current(String path) {
    return set("drift.current", path);
  }

  /** Rows, which are observed: by the model of the reference, or as columns if it has none. */
  public CheckDrift data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** The float model, where rows are to be observed. */
  public CheckDrift model(String file) {
    return set("model", file);
  }

  /** Observes and compares the model's inputs alone: the model is not run. */
  public CheckDrift inputsOnly() {
    return set("drift.inputs-only", true);
  }

  /** The deployed model: an output folder, its qparams.json, or an ONNX file of any tool. */
  public CheckDrift quantized(String path) {
    return set("quantized", path);
  }

  /** The deployed model. */
  public CheckDrift quantized(Quantized made) {
    SortedMap<String, QParams> qparams = new TreeMap<>();
    made.qparams().forEach((tensor, chosen) -> qparams.put(tensor, chosen.qparams()));
    deployed = Optional.of(qparams);
    return this;
  }

  /**
   * Compares.
   *
   * @throws TareException if the states are of different models, or hold nothing to compare
   */
  @Override
  public DriftCheck run() {
    RunInfo info = RunInfo.begin("drift", tare(), settings());
    DriftThresholds thresholds = DriftSettings.of(settings());
    CalibrationState then = readReference();
    Map<String, QParams> qparams = readDeployed();
    Optional<Publication> output = Publication.check(this);
    Observed now = observe(then, info);
    DriftReport report =
        DeployedDrift.between(inputsOf(then, now), now.state(), qparams, thresholds);
    DriftCheck check = new DriftCheck(info.end(now.model()), then, now.state(), report, thresholds);
    output.ifPresent(check::publish);
    return check;
  }

  @Override
  public DryRun dryRun() {
    DriftSettings.of(settings());
    readReference();
    readDeployed();
    Publication.check(this);
    return DryRun.ofSettings(settings());
  }

  /** What was observed now, and by which model if rows were. */
  private record Observed(CalibrationState state, Optional<FloatModel> model) {}

  private CalibrationState readReference() {
    return reference.orElseGet(() -> tare().readState(settings().require("drift.reference")));
  }

  private Map<String, QParams> readDeployed() {
    return deployed.isPresent()
        ? deployed.get()
        : settings()
            .find("quantized")
            .<Map<String, QParams>>map(name -> DeployedQParams.read(tare().files(), name))
            .orElse(Map.of());
  }

  private Observed observe(CalibrationState then, RunInfo info) {
    if (current.isPresent()) {
      return new Observed(current.get(), Optional.empty());
    }
    Optional<String> named = settings().find("drift.current");
    if (named.isPresent() && isState(named.get())) {
      return new Observed(tare().readState(named.get()), Optional.empty());
    }
    named.ifPresent(path -> set("data.path", path));
    DataSource rows =
        table("data")
            .orElseThrow(
                () ->
                    TareException.usage(
                        "Missing what to compare the reference with: give a state, or rows"
                            + " (drift.current, data.table or data.query)"));
    info.table("data", rows);
    return then.modelDigest().isEmpty() ? ofColumns(then, rows) : ofModel(then, rows);
  }

  private boolean isState(String path) {
    return !path.matches(".*[*?\\[\\]{}].*")
        && !tare().files().isFolder(path)
        && CalibrationState.isFile(tare().files().head("state or table", path, 4));
  }

  private Observed ofColumns(CalibrationState then, DataSource rows) {
    Settings columns = settings().copy();
    columns.set("observe.column", List.copyOf(then.tensors().keySet()), "the reference");
    columns.set("calibrate.by", "", "drift");
    SortedMap<String, CalibrationState> states =
        ColumnObservation.run(tare().spark(), rows, ObserveSettings.of(columns), tare().progress())
            .states();
    return new Observed(
        states.getOrDefault("", new CalibrationState("", 0, new TreeMap<>())), Optional.empty());
  }

  private Observed ofModel(CalibrationState then, DataSource rows) {
    QuantizeOptions options = QuantizeSettings.of(settings());
    FloatModel model =
        tare()
            .models()
            .readFloat(
                settings().require("model"), RunSettings.prepare(settings()), options.mapping());
    if (!then.modelDigest().equals(model.prepared().digest())) {
      throw TareException.badInput(
          "Cannot compare: the reference was made with another model (SHA-256 %s, %s has %s)",
          then.modelDigest(), model.name(), model.prepared().digest());
    }
    JobContext context =
        Preflight.check(
                context(), model, Optional.of(rows), Optional.empty(), Optional.empty(), List.of())
            .context();
    CalibrationRun run =
        new CalibrationRun(context, RunSettings.calibration(settings()), options.corrections());
    CalibrationState state =
        (settings().flag("drift.inputs-only")
                ? run.inputs(model, rows)
                : Lineages.calibrate(run, model, rows, tare().session(), settings()))
            .state();
    return new Observed(state, Optional.of(model));
  }

  /** With inputs alone, the rest of the reference is not missing now: it was not asked for. */
  private CalibrationState inputsOf(CalibrationState then, Observed now) {
    if (!settings().flag("drift.inputs-only") || now.model().isEmpty()) {
      return then;
    }
    SortedMap<String, TensorStats> inputs = new TreeMap<>(then.tensors());
    inputs.keySet().retainAll(now.state().tensors().keySet());
    return new CalibrationState(then.modelDigest(), then.slice(), then.rows(), inputs);
  }
}
