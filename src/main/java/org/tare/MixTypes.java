package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.job.FloatModel;
import org.tare.job.trials.Cost;
import org.tare.job.trials.LayerType;
import org.tare.job.trials.MixRun;
import org.tare.job.trials.SearchCheckpoints;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.TrialSettings;

/** A search to be: for the types of layers that cost least and keep a target. */
public final class MixTypes extends Call<MixTypes> {
  MixTypes(Tare tare) {
    super(tare);
  }

  @Override
  MixTypes self() {
    return this;
  }

  /** Rows to calibrate on, and without validation rows to judge on. */
  public MixTypes data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** Files with such rows. */
  public MixTypes data(String path) {
    return set("data.path", path);
  }

  /** The state of a calibration, in the place of data. */
  public MixTypes state(String file) {
    return set("state", file);
  }

  /** Rows to judge on. */
  public MixTypes validation(Dataset<Row> rows) {
    return withValidation(rows);
  }

  /** Files with rows to judge on. */
  public MixTypes validation(String path) {
    return set("validation.path", path);
  }

  /** The column of class numbers in the validation rows. */
  public MixTypes label(String column) {
    return set("validation.label", column);
  }

  /** The least SQNR in dB, of the mean error over all outputs. */
  public MixTypes minSqnr(double decibels) {
    return set("mix.min-sqnr", decibels);
  }

  /** How much of the metric, which is top1 unless said otherwise, may be lost at most. */
  public MixTypes maxDrop(double share) {
    return set("mix.max-drop", share);
  }

  /** What is to be small: bytes of the weights unless said otherwise, or time. */
  public MixTypes cost(Cost cost) {
    return set("mix.cost", cost.name().toLowerCase(Locale.ROOT));
  }

  /**
   * Searches.
   *
   * @throws TareException if the rows do not fit the model, or nothing keeps the target
   */
  @Override
  public Mix run() {
    RunInfo info = RunInfo.begin("mix", tare(), settings());
    MixRun.Options options = TrialSettings.mix(settings());
    Optional<Publication> output = Publication.check(this);
    Optional<SearchCheckpoints> checkpoints = TrialInputs.checkpoints(this);
    TrialInputs inputs = TrialInputs.of(this, info, options.metric());
    MixRun.Result found =
        new MixRun(inputs.context(), options, checkpoints)
            .run(inputs.model(), inputs.state(), inputs.rows(), inputs.label());
    List<String> warnings = new ArrayList<>(inputs.warnings());
    if (found.chosen().assignment().types().stream().allMatch(LayerType::isFloat)) {
      warnings.add("All layers stay float32: nothing that keeps the target costs less");
    }
    Mix mix =
        new Mix(
            info.seconds("try", found.seconds()).end(Optional.of(inputs.model())),
            options,
            found,
            TrialSettings.jobFile(settings(), found.overrides()),
            warnings);
    output.ifPresent(mix::publish);
    TrialInputs.end(this, checkpoints);
    return mix;
  }

  @Override
  public DryRun dryRun() {
    TrialSettings.mix(settings());
    FloatModel model = TrialInputs.check(this);
    Publication.check(this);
    return dryRun(context(), model, QuantizeSettings.of(settings()), table("data"));
  }
}
