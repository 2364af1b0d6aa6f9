package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.history.Lineages;
import org.tare.history.StoreTarget;
import org.tare.job.CalibrationRun;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.NothingToQuantize;
import org.tare.job.Preflight;
import org.tare.job.QuantizeOptions;
import org.tare.job.Warnings;
import org.tare.qconfig.Mode;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.RunSettings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.stats.CalibrationState;
import org.tare.store.states.StateStore;

/** A calibration to be: runs a float model over rows on the executors and merges what it holds. */
public final class Calibrate extends Call<Calibrate> {
  Calibrate(Tare tare) {
    super(tare);
  }

  @Override
  Calibrate self() {
    return this;
  }

  /** The rows. */
  public Calibrate data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** Files with the rows, in Parquet unless {@code data.format} says otherwise. */
  public Calibrate data(String path) {
    return set("data.path", path);
  }

  /** Calibrates on so many of the rows. */
  public Calibrate sample(int rows) {
    return set("data.sample", rows);
  }

  /** Columns; each combination of their values gets a state of its own, in the same pass. */
  public Calibrate by(String... columns) {
    return set("calibrate.by", List.of(columns));
  }

  /**
   * Keeps the state in a store too. The same slice of the same data again computes nothing.
   *
   * <p>With {@link #by} its slices are kept, as {@code country=DE/2026-11-25}.
   *
   * @param folder of the store, which is made if it is not there
   * @param slice as {@code 2026-11-25}
   */
  public Calibrate store(String folder, String slice) {
    return set("store.path", folder).set("store.slice", slice);
  }

  /**
   * Calibrates.
   *
   * @throws TareException if the rows do not fit the model, the output cannot be written, or there
   *     is nothing to calibrate
   */
  @Override
  public Calibration run() {
    RunInfo info = RunInfo.begin("calibrate", tare(), settings());
    QuantizeOptions options = QuantizeSettings.of(settings());
    FloatModel model = readModel(options);
    DataSource given = requireTable("data", "calibrate on");
    Optional<Publication> output = Publication.check(this);
    DataSource data = pinned(given);
    Preflight.Checked checked =
        Preflight.check(
            context(), model, Optional.of(data), Optional.empty(), Optional.empty(), by());
    JobContext context = checked.context();
    List<String> warnings = new ArrayList<>(checked.notes());
    CalibrationRun how =
        new CalibrationRun(context, RunSettings.calibration(settings()), options.corrections());
    Optional<StoreTarget> target = StoreTarget.of(tare().session(), settings(), how, model, data);
    Optional<StateStore.Added> filled = target.flatMap(StoreTarget::filled);
    CalibrationJob.Result observed =
        filled.isPresent()
            ? again(target.get().store().readState(filled.get().entry()))
            : Lineages.calibrate(
                how,
                model,
                data,
                () -> target.flatMap(StoreTarget::latest),
                tare().session(),
                settings());
    warnings.addAll(Warnings.ofNonFinite(observed.state()));
    List<StateStore.Added> added =
        filled.map(List::of).or(() -> target.map(one -> one.add(observed))).orElse(List.of());
    Calibration calibration =
        new Calibration(
            info.table("data", data)
                .seconds("calibrate", observed.seconds())
                .end(Optional.of(model)),
            observed,
            added,
            warnings);
    output.ifPresent(calibration::publish);
    return calibration;
  }

  /** The result of a calibration whose state is there already. */
  private static CalibrationJob.Result again(CalibrationState state) {
    return new CalibrationJob.Result(state, new TreeMap<>(), 0, "", 0, 0);
  }

  @Override
  public DryRun dryRun() {
    QuantizeOptions options = QuantizeSettings.of(settings());
    FloatModel model = readModel(options);
    DataSource data = requireTable("data", "calibrate on");
    Publication.check(this);
    JobContext checked =
        Preflight.check(
                context(), model, Optional.of(data), Optional.empty(), Optional.empty(), by())
            .context();
    return dryRun(checked, model, options, Optional.of(data));
  }

  private List<String> by() {
    return RunSettings.calibration(settings()).by();
  }

  private FloatModel readModel(QuantizeOptions options) {
    FloatModel model =
        tare()
            .models()
            .readFloat(
                settings().require("model"), RunSettings.prepare(settings()), options.mapping());
    NothingToQuantize.check(model);
    if (!CalibrationRun.isUseful(options.corrections(), model)) {
      throw TareException.usage(
          "Nothing to calibrate: the mode %s needs no data%s",
          model.mapping().mode().id(),
          model.mapping().mode() != Mode.WEIGHT_ONLY ? " for this model and these settings" : "");
    }
    return model;
  }
}
