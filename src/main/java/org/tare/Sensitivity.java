package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.tare.job.trials.SensitivityRun;
import org.tare.report.ReportData.Fact;
import org.tare.results.LayerPages;
import org.tare.results.Provenance;
import org.tare.results.ResultJson;
import org.tare.results.TrialsJson;

/** What quantizing each layer costs by itself. */
public final class Sensitivity implements Result {
  private final Provenance provenance;
  private final SensitivityRun.Options options;
  private final SensitivityRun.Result found;
  private final List<String> warnings;

  Sensitivity(
      Provenance provenance,
      SensitivityRun.Options options,
      SensitivityRun.Result found,
      List<String> warnings) {
    this.provenance = provenance;
    this.options = options;
    this.found = found;
    this.warnings = List.copyOf(warnings);
  }

  /** Each layer in each type, the most sensitive first. */
  public List<SensitivityRun.Trial> layers() {
    return found.trials();
  }

  /** All layers of each type together. */
  public List<SensitivityRun.Trial> whole() {
    return found.whole();
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
    List<Fact> facts = new ArrayList<>();
    facts.add(
        new Fact(
            "Judged on",
            String.format(Locale.ROOT, "%,d rows, by %s", found.rows(), options.metric().id())));
    for (SensitivityRun.Trial trial : found.whole()) {
      facts.add(new Fact("All layers " + trial.type().id(), figure(trial)));
    }
    for (SensitivityRun.Trial trial : found.trials()) {
      facts.add(
          new Fact(
              trial.layer().orElseThrow().name(),
              Optional.of(trial.type().id()).filter(id -> options.types().size() > 1).orElse("")
                  + " "
                  + figure(trial)));
    }
    return facts;
  }

  private String figure(SensitivityRun.Trial trial) {
    return String.format(Locale.ROOT, "%s %.4f", options.metric().id(), trial.metric());
  }

  void publish(Publication output) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("report.html", LayerPages.of(provenance, summary(), warnings, options, found));
    files.put("result.json", ResultJson.bytes(json()));
    output.write(files, List.of());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    TrialsJson.addSensitivity(result, options, found);
    return ResultJson.end(result, provenance, warnings);
  }
}
