package org.tare.report;

import java.util.List;
import org.tare.plan.ActivationQParams;
import org.tare.stats.TensorStats;

/**
 * What the report shows.
 *
 * @param summary lines of name and value
 * @param tensors in the order of the graph
 * @param floatNodes operator, name and reason of what stays float32
 * @param warnings sentences
 */
public record ReportData(
    String title,
    List<Fact> summary,
    List<Tensor> tensors,
    List<List<String>> floatNodes,
    List<String> warnings) {

  /** A name and a value. */
  public record Fact(String name, String value) {}

  /** One observed tensor with its choice. */
  public record Tensor(String name, TensorStats stats, ActivationQParams chosen) {}
}
