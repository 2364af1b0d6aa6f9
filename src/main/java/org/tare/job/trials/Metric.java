package org.tare.job.trials;

import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.spark.tasks.OutputMetrics;

/** What forms are judged by. */
public enum Metric {
  /** Signal to noise in dB, of the mean error over all outputs. */
  SQNR("sqnr"),
  /** The share of rows whose label comes first. */
  TOP1("top1"),
  /** The share of rows whose first class is the float model's. */
  AGREEMENT("agreement"),
  /** The divergence of the quantized classes from the float ones, in nats a row; less is better. */
  KL("kl");

  private final String id;

  Metric(String id) {
    this.id = id;
  }

  public String id() {
    return id;
  }

  /**
   * The metric of the given name.
   *
   * @throws TareException if there is none
   */
  public static Metric of(String key, String name) {
    return Arrays.stream(values())
        .filter(metric -> metric.id.equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                TareException.usage(
                    "%s cannot be \"%s\": it is %s",
                    key,
                    name,
                    Arrays.stream(values()).map(Metric::id).collect(Collectors.joining(", "))));
  }

  /**
   * The figure of a form: of the ranked output for all but the SQNR.
   *
   * @throws TareException if the outputs have no such figure
   */
  public double of(Map<String, OutputMetrics> outputs) {
    if (this == SQNR) {
      return -10 * Math.log10(OutputMetrics.error(outputs));
    }
    OutputMetrics ranked =
        outputs.values().stream()
            .filter(OutputMetrics::hasClasses)
            .findFirst()
            .orElseThrow(
                () ->
                    TareException.usage(
                        "The metric cannot be %s: no output of the model ranks classes; take sqnr",
                        id));
    if (this == TOP1 && !ranked.isLabelled()) {
      throw TareException.usage(
          "The metric cannot be top1 without labels: set validation.label, or take agreement");
    }
    return switch (this) {
      case TOP1 -> ranked.quantizedTop1();
      case AGREEMENT -> ranked.agreement();
      default -> ranked.divergence();
    };
  }

  /** Whether a greater figure is better. */
  public boolean isGreaterBetter() {
    return this != KL;
  }
}
