package org.tare.history;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import org.tare.results.Json;
import org.tare.settings.RecalibrateSettings.Metric;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.OutputMetrics;

/**
 * How a candidate compares with the deployed model by one metric, greater being better. Of several
 * outputs the worst counts.
 *
 * @param margin by how much the candidate must be better
 */
public record BetterBy(Metric metric, double margin, double candidate, double deployed) {
  /** Compares two evaluations on the same rows. */
  public static BetterBy of(
      Metric metric, double margin, EvaluationJob.Result candidate, EvaluationJob.Result deployed) {
    return new BetterBy(metric, margin, worst(metric, candidate), worst(metric, deployed));
  }

  /** NaN if an output has no such figure, or none was compared. */
  private static double worst(Metric metric, EvaluationJob.Result found) {
    double worst = Double.NaN;
    boolean isFirst = true;
    for (OutputMetrics output : found.outputs().values()) {
      boolean counts =
          metric.needsLabel()
              ? output.isLabelled()
              : metric != Metric.AGREEMENT || output.hasClasses();
      if (counts) {
        double figure = figure(metric, output);
        worst = isFirst ? figure : Math.min(worst, figure);
        isFirst = false;
      }
    }
    return worst;
  }

  private static double figure(Metric metric, OutputMetrics output) {
    return switch (metric) {
      case SQNR -> output.sqnr();
      case COSINE -> output.cosine();
      case TOP1 -> output.quantizedTop1();
      case TOP5 -> output.quantizedTop5();
      case AGREEMENT -> output.agreement();
    };
  }

  /** A candidate without a figure never is; one with a figure is better than none. */
  public boolean isBetter() {
    if (Double.isNaN(candidate)) {
      return false;
    }
    if (Double.isNaN(deployed)) {
      return true;
    }
    return margin == 0 ? candidate > deployed : candidate - deployed >= margin;
  }

  /** The comparison in a few words. */
  public String text() {
    return String.format(
        Locale.ROOT,
        "%s is %.6g with the candidate and %.6g with what was deployed, a margin of %.6g is asked"
            + " for",
        metric.id(),
        candidate,
        deployed,
        margin);
  }

  /** Adds the figures to a result. */
  public void addTo(ObjectNode node) {
    node.put("metric", metric.id());
    Json.put(node, "candidate", candidate);
    Json.put(node, "deployed", deployed);
    node.put("margin", margin);
  }
}
