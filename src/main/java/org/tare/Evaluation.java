package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.report.ReportData.Fact;
import org.tare.results.Provenance;
import org.tare.results.ResultJson;
import org.tare.results.Summary;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.IntegerMetrics;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.spark.tasks.SqlEvaluation;

/** How close a quantized model's outputs are to the float model's. */
public final class Evaluation implements Result {
  private final Provenance provenance;
  private final EvaluationJob.Result found;
  private final Optional<OwnMetric> own;
  private final Optional<GateVerdict> gate;
  private final List<String> warnings;

  Evaluation(
      Provenance provenance,
      EvaluationJob.Result found,
      Optional<OwnMetric> own,
      Optional<GateVerdict> gate,
      List<String> warnings) {
    this.provenance = provenance;
    this.found = found;
    this.own = own;
    this.gate = gate;
    this.warnings = List.copyOf(warnings);
  }

  /**
   * A metric of the user's.
   *
   * @param sql the expression
   * @param figures what it gives of both models
   */
  public record OwnMetric(String sql, SqlEvaluation.Figures figures) {}

  /** The user's own metric, if one was asked for. */
  public Optional<OwnMetric> ownMetric() {
    return own;
  }

  /** Rows that were compared. */
  public long rows() {
    return found.rows();
  }

  /** Rows that could not be decoded and were skipped. */
  public long skippedRows() {
    return found.skipped();
  }

  /** The figures of each float32 output that can be compared, in the model's order. */
  public Map<String, OutputMetrics> outputs() {
    return found.outputs();
  }

  /** How often each output of integers, classes or indices or tokens, is the same. */
  public Map<String, IntegerMetrics> integers() {
    return found.integers();
  }

  @Override
  public Provenance provenance() {
    return provenance;
  }

  @Override
  public List<String> warnings() {
    return warnings;
  }

  @Override
  public List<String> unmet() {
    return gate.map(GateVerdict::unmet).orElse(List.of());
  }

  @Override
  public String toJson() {
    return json().toPrettyString();
  }

  @Override
  public List<Fact> summary() {
    return Summary.of(json());
  }

  void publish(Publication output) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("result.json", ResultJson.bytes(json()));
    output.write(files, List.of());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    ResultJson.addEvaluation(result, found);
    own.ifPresent(one -> ResultJson.addMetric(result, one.sql(), one.figures()));
    gate.ifPresent(one -> one.addTo(result));
    return ResultJson.end(result, provenance, warnings);
  }
}
