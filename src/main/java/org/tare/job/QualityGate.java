package org.tare.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.tare.TareException;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.IntegerMetrics;
import org.tare.spark.tasks.OutputMetrics;

/**
 * How good a quantized model must be to be published. What cannot be shown does not pass: a figure
 * that is NaN, an output that was not compared, a value that was finite in the float model and is
 * not in the quantized one, and a bound on accuracy where nothing is ranked.
 *
 * @param minSqnr dB, of every output
 * @param minCosine of every output
 * @param maxTop1Drop float top-1 less quantized top-1, as a share of rows
 * @param maxTop5Drop the same of top-5
 */
public record QualityGate(
    OptionalDouble minSqnr,
    OptionalDouble minCosine,
    OptionalDouble maxTop1Drop,
    OptionalDouble maxTop5Drop) {

  /** Whether anything is asked for. */
  public boolean isSet() {
    return minSqnr.isPresent() || minCosine.isPresent() || needsLabel();
  }

  private boolean needsLabel() {
    return maxTop1Drop.isPresent() || maxTop5Drop.isPresent();
  }

  /**
   * Refuses, before any work, a gate that nothing could be held against.
   *
   * @param hasRows whether there are rows to evaluate on
   * @param label their column of class numbers
   * @throws TareException if the gate needs what is not there
   */
  public void check(HasRows hasRows, Optional<String> label) {
    if (isSet() && hasRows == HasRows.NO) {
      throw TareException.usage(
          "%s is set, but there are no rows to evaluate on: set validation.path", firstKey());
    }
    if (needsLabel() && label.isEmpty()) {
      throw TareException.usage(
          "%s is set, but there are no labels: set validation.label",
          maxTop1Drop.isPresent() ? "evaluate.max-top1-drop" : "evaluate.max-top5-drop");
    }
  }

  /** Whether there are rows to evaluate on. */
  public enum HasRows {
    YES,
    NO;

    /** Of a table that may be missing. */
    public static HasRows of(Optional<?> table) {
      return table.isPresent() ? YES : NO;
    }
  }

  private String firstKey() {
    return minSqnr.isPresent()
        ? "evaluate.min-sqnr"
        : minCosine.isPresent()
            ? "evaluate.min-cosine"
            : maxTop1Drop.isPresent() ? "evaluate.max-top1-drop" : "evaluate.max-top5-drop";
  }

  /** What the figures do not meet, in a sentence each; empty if they meet all. */
  public List<String> unmet(EvaluationJob.Result found) {
    List<String> unmet = new ArrayList<>();
    if (!isSet()) {
      return unmet;
    }
    for (String output : found.ofOtherShape()) {
      unmet.add("Output \"" + output + "\" was not compared: its shape is another");
    }
    boolean isRanked = false;
    for (Map.Entry<String, OutputMetrics> entry : found.outputs().entrySet()) {
      OutputMetrics metrics = entry.getValue();
      String output = "Output \"" + entry.getKey() + "\": ";
      if (metrics.lost() > 0) {
        unmet.add(output + metrics.lost() + " values are finite in the float model alone");
      }
      least(unmet, output, "SQNR is %s dB, evaluate.min-sqnr asks for %s", minSqnr, metrics.sqnr());
      least(
          unmet,
          output,
          "cosine is %s, evaluate.min-cosine asks for %s",
          minCosine,
          metrics.cosine());
      if (metrics.isLabelled()) {
        isRanked = true;
        drop(unmet, output, "1", maxTop1Drop, metrics.floatTop1(), metrics.quantizedTop1());
        drop(unmet, output, "5", maxTop5Drop, metrics.floatTop5(), metrics.quantizedTop5());
      }
    }
    for (Map.Entry<String, IntegerMetrics> entry : found.integers().entrySet()) {
      IntegerMetrics metrics = entry.getValue();
      if (metrics.isLabelled()) {
        isRanked = true;
        String output = "Output \"" + entry.getKey() + "\": ";
        drop(unmet, output, "1", maxTop1Drop, metrics.floatTop1(), metrics.quantizedTop1());
      }
    }
    if (needsLabel() && !isRanked) {
      unmet.add("No output ranks classes, so there is no accuracy to hold");
    }
    return unmet;
  }

  private static void least(
      List<String> unmet, String output, String sentence, OptionalDouble bound, double figure) {
    // A figure that is NaN is not at least anything.
    if (bound.isPresent() && !(figure >= bound.getAsDouble())) {
      unmet.add(output + String.format(sentence, text(figure), text(bound.getAsDouble())));
    }
  }

  private static void drop(
      List<String> unmet,
      String output,
      String top,
      OptionalDouble bound,
      double floatShare,
      double quantizedShare) {
    // Shares are counts over one number of rows: what rounding adds is no drop.
    if (bound.isPresent() && !(floatShare - quantizedShare <= bound.getAsDouble() + 1e-12)) {
      unmet.add(
          output
              + String.format(
                  Locale.ROOT,
                  "top-%s falls from %.4f to %.4f, evaluate.max-top%s-drop allows %s",
                  top,
                  floatShare,
                  quantizedShare,
                  top,
                  text(bound.getAsDouble())));
    }
  }

  private static String text(double figure) {
    return Double.isFinite(figure)
        ? String.format(Locale.ROOT, "%.9g", figure)
            .replaceFirst("(\\.[0-9]*?)0+$", "$1")
            .replaceFirst("\\.$", "")
        : Double.isNaN(figure) ? "NaN" : figure > 0 ? "infinite" : "-infinite";
  }
}
