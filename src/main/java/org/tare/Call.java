package org.tare;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.job.CalibrationRun;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.QuantizeOptions;
import org.tare.settings.RunSettings;
import org.tare.settings.Settings;
import org.tare.spark.rows.DataSource;

/**
 * What all calls have in common: settings by name, and where results go. A later call of a method
 * replaces what an earlier one said.
 *
 * @param <C> the call itself
 */
public abstract sealed class Call<C extends Call<C>>
    permits Calibrate,
        CheckDrift,
        Compare,
        Evaluate,
        Finetune,
        MeasureSensitivity,
        MixTypes,
        Observe,
        Quantize,
        Recalibrate,
        Recommend,
        Run {
  private static final String ORIGIN = "set by the caller";

  private final Tare tare;
  private Settings settings;
  private Optional<Dataset<Row>> data = Optional.empty();
  private Optional<Dataset<Row>> validation = Optional.empty();

  Call(Tare tare) {
    this.tare = tare;
    this.settings = tare.defaults();
  }

  abstract C self();

  /**
   * Carries the call out.
   *
   * @throws TareException if something is wrong that the caller can act on
   */
  public abstract Result run();

  /** Checks all that a run checks before it computes, and tells what it would do. */
  public abstract DryRun dryRun();

  /**
   * Sets any setting of the settings' page.
   *
   * @param value a text, number or boolean, a list of them, or for {@code quantize.overrides} a
   *     list of maps
   * @throws TareException if there is no such key, or it does not take the value
   */
  public C set(String key, Object value) {
    settings.set(key, value, ORIGIN);
    return self();
  }

  /** Sets several. */
  public C set(Map<String, ?> values) {
    values.forEach(this::set);
    return self();
  }

  /** Takes the settings of a job file. */
  public C config(Path jobFile) {
    settings.jobFile(jobFile);
    return self();
  }

  /** Takes these settings in place of all that was said before. */
  public C settings(Settings all) {
    settings = all.copy();
    return self();
  }

  /** Where the results are written; checked before anything is computed. */
  public C output(String folder) {
    return set("output", folder);
  }

  /** Replaces a former output of Tare's. */
  public C overwrite() {
    return set("overwrite", true);
  }

  /** Rows per run of the model. */
  public C batch(int rows) {
    return set("batch", rows);
  }

  /** The column that names rows in messages and chooses samples. */
  public C key(String column) {
    return set("data.key", column).set("validation.key", column);
  }

  /** The column that an input of the model is read from. */
  public C column(String input, String column) {
    return set("inputs." + input + ".column", column);
  }

  /** Counts rows that cannot be decoded and goes on, where they would be an error. */
  public C skipBadRows() {
    return set("bad-rows", "skip");
  }

  C withData(Dataset<Row> rows) {
    data = Optional.of(rows);
    return self();
  }

  C withValidation(Dataset<Row> rows) {
    validation = Optional.of(rows);
    return self();
  }

  Tare tare() {
    return tare;
  }

  Settings settings() {
    return settings;
  }

  /** The rows of a DataFrame that was given, else those that the settings name. */
  Optional<DataSource> table(String prefix) {
    Optional<Dataset<Row>> frame = prefix.equals("data") ? data : validation;
    return frame
        .map(
            rows ->
                RunSettings.table(settings, prefix, new DataSource.Frame(rows, "the DataFrame")))
        .or(() -> RunSettings.table(settings, prefix));
  }

  DataSource requireTable(String prefix, String what) {
    return table(prefix)
        .orElseThrow(
            () ->
                TareException.usage(
                    "Missing the rows to %s: give a DataFrame, or set %s.path, %s.table or %s.query",
                    what, prefix, prefix, prefix));
  }

  /** The rows as they are now, for several readings. Starts Spark. */
  DataSource pinned(DataSource rows) {
    return rows.pinned(tare.spark());
  }

  List<String> inputPaths() {
    return List.of(
            "model",
            "quantized",
            "state",
            "store.path",
            "drift.reference",
            "drift.current",
            "data.path",
            "validation.path")
        .stream()
        .map(settings::find)
        .flatMap(Optional::stream)
        .toList();
  }

  /**
   * What a run would do that observes rows.
   *
   * @param checked as the preflight found that the model takes rows
   */
  DryRun dryRun(
      JobContext checked, FloatModel model, QuantizeOptions options, Optional<DataSource> data) {
    CalibrationRun how =
        new CalibrationRun(checked, RunSettings.calibration(settings), options.corrections());
    return DryRun.of(
        settings,
        model,
        data.filter(rows -> CalibrationRun.isUseful(options.corrections(), model))
            .map(rows -> how.memory(model, rows)));
  }

  JobContext context() {
    return new JobContext(tare.sparkSupplier(), tare.progress(), RunSettings.rows(settings));
  }
}
