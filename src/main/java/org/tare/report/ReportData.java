package org.tare.report;

import java.util.List;
import org.tare.plan.ActivationQParams;
import org.tare.plan.FloatNode;
import org.tare.stats.TensorStats;

/**
 * What the report shows. A section without data is left out.
 *
 * @param summary lines of name and value
 * @param warnings sentences
 * @param tensors in the order of the graph
 * @param weights in the order of their names
 * @param floatNodes what stays float32, and why
 * @param origin versions, dates and sources, as lines of name and value
 * @param settings those that are not at their default
 * @param analysis what was measured of the model's layers
 */
public record ReportData(
    String title,
    List<Fact> summary,
    List<String> warnings,
    List<Tensor> tensors,
    List<Weight> weights,
    List<FloatNode> floatNodes,
    List<Fact> origin,
    List<Fact> settings,
    Analysis analysis) {
  public ReportData {
    summary = List.copyOf(summary);
    warnings = List.copyOf(warnings);
    tensors = List.copyOf(tensors);
    weights = List.copyOf(weights);
    floatNodes = List.copyOf(floatNodes);
    origin = List.copyOf(origin);
    settings = List.copyOf(settings);
  }

  /** A page of nothing but a summary and what was measured of the layers. */
  public static ReportData of(
      String title, List<Fact> summary, List<String> warnings, Analysis analysis) {
    return new ReportData(
        title, summary, warnings, List.of(), List.of(), List.of(), List.of(), List.of(), analysis);
  }

  /** The same data with versions, dates and sources, and with settings. */
  public ReportData withOrigin(List<Fact> lines, List<Fact> set) {
    return new ReportData(
        title, summary, warnings, tensors, weights, floatNodes, lines, set, analysis);
  }

  /** The same data with other measurements of the layers. */
  public ReportData with(Analysis other) {
    return new ReportData(
        title, summary, warnings, tensors, weights, floatNodes, origin, settings, other);
  }

  /** A name and a value. */
  public record Fact(String name, String value) {}

  /**
   * One observed tensor with its choice.
   *
   * @param op the type of the node that computes it; empty of an input of the model
   * @param methods the ranges that other methods would have chosen
   */
  public record Tensor(
      String name,
      String op,
      TensorStats stats,
      ActivationQParams chosen,
      List<MethodRange> methods) {
    public Tensor {
      methods = List.copyOf(methods);
    }
  }
}
