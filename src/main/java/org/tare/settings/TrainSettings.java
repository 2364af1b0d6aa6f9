package org.tare.settings;

import java.util.Locale;
import org.tare.TareException;
import org.tare.job.TrainingSettings;
import org.tare.train.Optimizer;
import org.tare.train.TrainingOptions;
import org.tare.train.Untrainable;

/** What the settings below {@code train} mean, as typed values. */
public final class TrainSettings {
  private TrainSettings() {}

  /** All of them. */
  public static TrainingSettings of(Settings settings) {
    boolean hasLabel = settings.find("train.label").isPresent();
    TrainingOptions options =
        new TrainingOptions(
            TrainingOptions.Loss.valueOf(settings.require("train.loss").toUpperCase(Locale.ROOT)),
            hasLabel ? settings.number("train.label-share") : 0,
            Optimizer.Kind.of(settings.require("train.optimizer")),
            settings.number("train.epochs"),
            settings.whole("train.workers"),
            settings.whole("train.batch"),
            settings.whole("train.round-steps"),
            settings.number("train.learning-rate"),
            settings.number("train.weight-decay"),
            settings.number("train.clip-norm"),
            settings.whole("train.seed"),
            TrainingOptions.Scales.valueOf(
                settings.require("train.scales").toUpperCase(Locale.ROOT)),
            settings.whole("train.freeze-observers-after"),
            TrainingOptions.Normalization.valueOf(
                settings.require("train.batch-normalization").toUpperCase(Locale.ROOT)),
            settings.whole("train.freeze-batch-normalization-after"),
            TrainingOptions.ZeroPoints.valueOf(
                settings.require("train.zero-points").toUpperCase(Locale.ROOT)));
    if (options.zeroPoints() == TrainingOptions.ZeroPoints.LEARNED
        && options.scales() != TrainingOptions.Scales.LEARNED) {
      throw TareException.usage(
          "train.zero-points=learned cannot be used with train.scales=%s: zero points are trained"
              + " with their scales; set train.scales=learned",
          settings.require("train.scales"));
    }
    return new TrainingSettings(
        options,
        settings.find("train.label"),
        settings.whole("train.evaluate-every"),
        settings.whole("train.measure-rows"),
        settings.flag("train.freeze-before-untrainable") ? Untrainable.FROZEN : Untrainable.REFUSED,
        settings.find("train.checkpoint"));
  }
}
