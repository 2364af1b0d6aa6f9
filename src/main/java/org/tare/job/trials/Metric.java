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
  /** The cosine between the outputs of both models, of the output where it is least. */
  COSINE("cosine"),
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
   * The figure of a form: of the ranked output, or for SQNR and cosine of all.
   *
   * @throws TareException if the outputs have no such figure
   */
  public double of(Map<String, OutputMetrics> outputs) {
    if (this == SQNR) {
      return -10 * Math.log10(OutputMetrics.error(outputs));
    }
    if (this == COSINE) {
      return outputs.values().stream().mapToDouble(OutputMetrics::cosine).min().orElse(Double.NaN);
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

  /** The figure of the float model itself. */
  public double ofFloat(Map<String, OutputMetrics> outputs) {
    return switch (this) {
      case SQNR -> Double.POSITIVE_INFINITY;
      case TOP1 ->
          outputs.values().stream()
              .filter(OutputMetrics::isLabelled)
              .mapToDouble(OutputMetrics::floatTop1)
              .findFirst()
              .orElse(Double.NaN);
      case AGREEMENT, COSINE -> 1;
      case KL -> 0;
    };
  }

  /** Whether a greater figure is better. */
  public boolean isGreaterBetter() {
    return this != KL;
  }
}
