package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.tare.drift.DriftReport;
import org.tare.drift.DriftThresholds;
import org.tare.drift.TensorDrift;
import org.tare.drift.Verdict;
import org.tare.report.DriftPage;
import org.tare.report.ReportData.Fact;
import org.tare.results.DriftJson;
import org.tare.results.Provenance;
import org.tare.results.ResultJson;
import org.tare.stats.CalibrationState;

/** How far what is observed now is from a reference. */
public final class DriftCheck implements Result {
  private final Provenance provenance;
  private final CalibrationState reference;
  private final CalibrationState current;
  private final DriftReport report;
  private final DriftThresholds thresholds;

  DriftCheck(
      Provenance provenance,
      CalibrationState reference,
      CalibrationState current,
      DriftReport report,
      DriftThresholds thresholds) {
    this.provenance = provenance;
    this.reference = reference;
    this.current = current;
    this.report = report;
    this.thresholds = thresholds;
  }

  /** The comparison, tensor by tensor. */
  public DriftReport report() {
    return report;
  }

  /** Of the whole: the gravest of its tensors'. */
  public Verdict verdict() {
    return report.verdict();
  }

  /** What was observed now. */
  public CalibrationState state() {
    return current;
  }

  @Override
  public Provenance provenance() {
    return provenance;
  }

  @Override
  public List<String> warnings() {
    List<String> warnings = new ArrayList<>();
    double noise = report.tensors().stream().mapToDouble(TensorDrift::noise).max().orElse(0);
    if (noise > thresholds.effect().fail()) {
      warnings.add(
          String.format(
              Locale.ROOT,
              "with %,d and %,d rows, distances with effects below %.2f cannot be told from chance:"
                  + " compare more rows",
              report.referenceRows(),
              report.currentRows(),
              noise));
    }
    addMissing(warnings, report.onlyInReference(), "reference");
    addMissing(warnings, report.onlyInCurrent(), "current state");
    return warnings;
  }

  private static void addMissing(List<String> warnings, List<String> names, String where) {
    if (!names.isEmpty()) {
      warnings.add(
          String.format(
              Locale.ROOT,
              "%d tensor(s) are in the %s alone and were not compared: %s%s",
              names.size(),
              where,
              String.join(", ", names.subList(0, Math.min(3, names.size()))),
              names.size() > 3 ? " …" : ""));
    }
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
            "Compared",
            String.format(
                Locale.ROOT,
                "%,d rows with %,d of the reference, %d tensors",
                report.currentRows(),
                report.referenceRows(),
                report.tensors().size())));
    facts.add(
        new Fact(
            "Verdict",
            String.format(
                Locale.ROOT,
                "%s: %d moved, %d moved a little, %d stable",
                report.verdict().text(),
                report.count(Verdict.MOVED),
                report.count(Verdict.MOVED_A_LITTLE),
                report.count(Verdict.STABLE))));
    facts.add(
        new Fact(
            "Largest effect",
            String.format(Locale.ROOT, "%.2f standard deviations", report.effect())));
    return facts;
  }

  void publish(Publication output) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put(CalibrationState.FILE_NAME, current.encodeFile());
    files.put(
        "report.html",
        DriftPage.render("Drift", summary(), report, warnings()).getBytes(StandardCharsets.UTF_8));
    files.put("result.json", ResultJson.bytes(json()));
    output.write(files, List.of());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    DriftJson.add(result, reference, current, report);
    return ResultJson.end(result, provenance, warnings());
  }
}
