package org.tare.settings;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * How a deployed model is recalibrated.
 *
 * @param margin by how much a candidate must be better
 * @param forces whether a candidate is made though nothing moved
 * @param keptVersions how many former outputs stay for a rollback
 * @param lease how long a run that cannot be seen keeps others away without a sign of life
 * @param url what is told how a run ended
 * @param openLineage the file of the run event
 */
public record RecalibrateSettings(
    Metric metric,
    double margin,
    boolean forces,
    int keptVersions,
    Duration lease,
    Optional<String> url,
    Optional<String> openLineage) {

  /** What a candidate must be better by; more is better. */
  public enum Metric {
    SQNR,
    COSINE,
    TOP1,
    TOP5,
    /** The share of rows whose first class is the float model's. */
    AGREEMENT;

    /** As settings have it. */
    public String id() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Whether it is of labels. */
    public boolean needsLabel() {
      return this == TOP1 || this == TOP5;
    }
  }

  static List<String> metrics() {
    return Arrays.stream(Metric.values()).map(Metric::id).toList();
  }

  /** What the settings say. */
  public static RecalibrateSettings of(Settings settings) {
    return new RecalibrateSettings(
        Metric.valueOf(settings.require("recalibrate.metric").toUpperCase(Locale.ROOT)),
        settings.number("recalibrate.margin"),
        settings.flag("recalibrate.force"),
        settings.whole("recalibrate.keep"),
        Duration.ofMillis((long) (settings.number("recalibrate.lease-minutes") * 60_000)),
        settings.find("notify.url"),
        settings.find("notify.openlineage"));
  }
}
