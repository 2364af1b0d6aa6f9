package org.tare.results;

import java.util.Locale;
import org.tare.spark.tasks.OutputMetrics;

/** How an output of the quantized model stands to the float model's. */
public enum Comparison {
  /** There is noise, and its figure is a number. */
  DIFFERENT("compared"),
  /** Integers, of which a share is the same. */
  INTEGERS("integers"),
  /** Every value is the same. */
  EQUAL("equal to the float model's"),
  /** Every value that is finite in both models is the same. */
  EQUAL_WHERE_FINITE("equal to the float model's, where both are finite"),
  /** The float model gives zeros and the quantized one does not, or it gives no finite value. */
  INFINITE_ERROR(
      "infinite error: the float model gives zeros, or the quantized one nothing finite"),
  /** The float model gives no finite value, so there is nothing to compare. */
  NOT_COMPARABLE("not comparable: the float model gives no finite value");

  private final String text;

  Comparison(String text) {
    this.text = text;
  }

  static Comparison of(OutputMetrics metrics) {
    if (Double.isNaN(metrics.mse())) {
      return metrics.lost() > 0 ? INFINITE_ERROR : NOT_COMPARABLE;
    }
    if (metrics.mse() == 0) {
      return metrics.nonFinite() == 0 ? EQUAL : EQUAL_WHERE_FINITE;
    }
    return Double.isFinite(metrics.sqnr()) ? DIFFERENT : INFINITE_ERROR;
  }

  /** As results have it: {@code not-comparable}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  static Comparison ofId(String id) {
    return valueOf(id.toUpperCase(Locale.ROOT).replace('-', '_'));
  }

  /** For people. */
  public String text() {
    return text;
  }
}
