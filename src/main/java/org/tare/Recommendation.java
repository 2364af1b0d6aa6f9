package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.job.advice.Advice;
import org.tare.report.ReportData.Fact;
import org.tare.results.AdviceText;
import org.tare.results.Provenance;
import org.tare.results.ResultJson;

/** Which way to quantize a model is the cheapest that is good enough, and why. */
public final class Recommendation implements Result {
  private final Provenance provenance;
  private final Advice advice;
  private final Optional<String> jobFile;
  private final List<String> warnings;

  Recommendation(
      Provenance provenance, Advice advice, Optional<String> jobFile, List<String> notes) {
    this.provenance = provenance;
    this.advice = advice;
    this.jobFile = jobFile;
    List<String> all = new ArrayList<>(notes);
    AdviceText.warning(advice).ifPresent(all::add);
    this.warnings = List.copyOf(all);
  }

  /** What was tried and chosen. */
  public Advice advice() {
    return advice;
  }

  /** The settings of a run that makes what was chosen; empty if nothing could be measured. */
  public Optional<String> jobFile() {
    return jobFile;
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
  public String toJson() {
    return json().toPrettyString();
  }

  @Override
  public List<Fact> summary() {
    return AdviceText.facts(advice);
  }

  void publish(Publication output) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    jobFile.ifPresent(text -> files.put("job.yaml", text.getBytes(StandardCharsets.UTF_8)));
    files.put("report.html", AdviceText.page(provenance, advice, warnings));
    files.put("recommendation.json", ResultJson.bytes(json()));
    output.write(files, List.of());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    AdviceText.addTo(result, advice);
    return ResultJson.end(result, provenance, warnings);
  }
}
