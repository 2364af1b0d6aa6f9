package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.tare.job.trials.LayerType;
import org.tare.job.trials.MixRun;
import org.tare.report.ReportData.Fact;
import org.tare.results.LayerPages;
import org.tare.results.Provenance;
import org.tare.results.ResultJson;
import org.tare.results.TrialsJson;

/** The types of layers that cost least, in bytes or time, and keep a target. */
public final class Mix implements Result {
  private final Provenance provenance;
  private final MixRun.Options options;
  private final MixRun.Result found;
  private final String jobFile;
  private final List<String> warnings;

  Mix(
      Provenance provenance,
      MixRun.Options options,
      MixRun.Result found,
      String jobFile,
      List<String> warnings) {
    this.provenance = provenance;
    this.options = options;
    this.found = found;
    this.jobFile = jobFile;
    this.warnings = List.copyOf(warnings);
  }

  /** What quantizes the model so: entries of {@code quantize.overrides}. */
  public List<Map<String, Object>> overrides() {
    return found.overrides();
  }

  /** The assignment, and what it is judged to be. */
  public MixRun.Point chosen() {
    return found.chosen();
  }

  /** Assignments that none that was measured beats in both cost and metric, the cheapest first. */
  public List<MixRun.Point> front() {
    return found.front(options.metric());
  }

  /** How often a whole model was judged. */
  public int evaluations() {
    return found.evaluations();
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
            String.format(Locale.ROOT, "%,d rows, %d forms", found.rows(), found.evaluations())));
    for (LayerType type : options.types()) {
      long count = found.chosen().assignment().types().stream().filter(type::equals).count();
      facts.add(new Fact("Layers " + type.id(), Long.toString(count)));
    }
    facts.add(new Fact("Weights", String.format(Locale.ROOT, "%,d bytes", found.chosen().bytes())));
    found
        .chosen()
        .seconds()
        .ifPresent(
            seconds ->
                facts.add(
                    new Fact(
                        "Time",
                        String.format(
                            Locale.ROOT,
                            "%.1f microseconds a row on one thread of this machine; all layers %s",
                            1e6 * seconds,
                            uniform()))));
    facts.add(
        new Fact(
            options.metric().id(),
            String.format(
                Locale.ROOT,
                "%.4f, target %s%s",
                found.chosen().metric(),
                options.isDrop() ? "no more lost than " : "",
                options.target())));
    return facts;
  }

  /** The times of models of one type. */
  private String uniform() {
    List<String> texts = new ArrayList<>();
    for (LayerType type : options.types()) {
      double seconds = found.times().stream().mapToDouble(layer -> layer.get(type)).sum();
      texts.add(String.format(Locale.ROOT, "%s: %.1f", type.id(), 1e6 * seconds));
    }
    return String.join(", ", texts);
  }

  void publish(Publication output) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("job.yaml", jobFile.getBytes(StandardCharsets.UTF_8));
    files.put("report.html", LayerPages.of(provenance, summary(), warnings, options, found));
    files.put("result.json", ResultJson.bytes(json()));
    output.write(files, List.of());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    TrialsJson.addMix(result, options, found);
    return ResultJson.end(result, provenance, warnings);
  }
}
