package org.tare;

import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.job.FloatModel;
import org.tare.job.trials.SearchCheckpoints;
import org.tare.job.trials.SensitivityRun;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.TrialSettings;

/** A measurement to be: what quantizing each layer costs, one layer at a time. */
public final class MeasureSensitivity extends Call<MeasureSensitivity> {
  MeasureSensitivity(Tare tare) {
    super(tare);
  }

  @Override
  MeasureSensitivity self() {
    return this;
  }

  /** Rows to calibrate on, and without validation rows to judge on. */
  public MeasureSensitivity data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** Files with such rows. */
  public MeasureSensitivity data(String path) {
    return set("data.path", path);
  }

  /** The state of a calibration, in the place of data. */
  public MeasureSensitivity state(String file) {
    return set("state", file);
  }

  /** Rows to judge on. */
  public MeasureSensitivity validation(Dataset<Row> rows) {
    return withValidation(rows);
  }

  /** Files with rows to judge on. */
  public MeasureSensitivity validation(String path) {
    return set("validation.path", path);
  }

  /** The column of class numbers in the validation rows. */
  public MeasureSensitivity label(String column) {
    return set("validation.label", column);
  }

  /**
   * Measures.
   *
   * @throws TareException if the rows do not fit the model, or it has no layer to try
   */
  @Override
  public Sensitivity run() {
    RunInfo info = RunInfo.begin("sensitivity", tare(), settings());
    SensitivityRun.Options options = TrialSettings.sensitivity(settings());
    Optional<Publication> output = Publication.check(this);
    Optional<SearchCheckpoints> checkpoints = TrialInputs.checkpoints(this);
    TrialInputs inputs = TrialInputs.of(this, info, options.metric());
    SensitivityRun.Result found =
        new SensitivityRun(inputs.context(), options, checkpoints)
            .run(inputs.model(), inputs.state(), inputs.rows(), inputs.label());
    Sensitivity sensitivity =
        new Sensitivity(
            info.seconds("try", found.seconds()).end(Optional.of(inputs.model())),
            options,
            found,
            inputs.warnings());
    output.ifPresent(sensitivity::publish);
    TrialInputs.end(this, checkpoints);
    return sensitivity;
  }

  @Override
  public DryRun dryRun() {
    TrialSettings.sensitivity(settings());
    FloatModel model = TrialInputs.check(this);
    Publication.check(this);
    return dryRun(context(), model, QuantizeSettings.of(settings()), table("data"));
  }
}
