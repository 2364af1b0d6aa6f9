package org.tare;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.tare.history.BetterBy;
import org.tare.history.DeployedDrift;
import org.tare.history.StoreTarget;
import org.tare.report.ReportData.Fact;
import org.tare.results.Provenance;
import org.tare.results.QuantizedFiles;
import org.tare.results.ResultJson;
import org.tare.results.Summary;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.stats.CalibrationState;
import org.tare.store.PublishedFolder;
import org.tare.store.states.StateStore;
import org.tare.store.states.Window;

/** What came of a recalibration, and why. */
public final class Recalibration implements Result {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final DateTimeFormatter STAMP =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

  /** How it ended. */
  public enum Outcome {
    /** A model is deployed where none was. */
    FIRST,
    /** The candidate is deployed; what was there before is kept. */
    PUBLISHED,
    /** The data are what the deployed model was calibrated on. */
    UNCHANGED,
    /** The data moved, but the candidate is not better. */
    NOT_BETTER,
    /** The candidate does not meet the quality gate. */
    GATE_NOT_MET,
    /** The same run was made before: nothing was done. */
    DONE_BEFORE,
    /** Another run is at it: nothing was done. */
    BUSY;

    /** As machines read it: {@code not-better}. */
    public String id() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  private final Outcome outcome;
  private final String why;
  private final boolean moved;
  private final List<String> unmet;
  private final Provenance provenance;
  private final List<String> warnings;
  private final Optional<QuantizedFiles> candidate;
  private final Optional<String> former;
  private final Optional<BetterBy> compared;
  private final Map<String, OutputMetrics> outputs;
  private final ObjectNode json;

  private Recalibration(
      Outcome outcome,
      String why,
      boolean moved,
      List<String> unmet,
      Provenance provenance,
      List<String> warnings,
      Optional<QuantizedFiles> candidate,
      Optional<String> former,
      Optional<BetterBy> compared,
      Map<String, OutputMetrics> outputs,
      ObjectNode json) {
    this.outcome = outcome;
    this.why = why;
    this.moved = moved;
    this.unmet = List.copyOf(unmet);
    this.provenance = provenance;
    this.warnings = List.copyOf(warnings);
    this.candidate = candidate;
    this.former = former;
    this.compared = compared;
    this.outputs = outputs;
    this.json = json;
  }

  static Recalibration busy(Provenance provenance, String history) {
    return nothingDone(
        provenance,
        Outcome.BUSY,
        "Another run is at work at this output and holds the lease in " + history,
        false,
        List.of(),
        node -> {});
  }

  /** Of a run that was made before. */
  static Recalibration again(Provenance provenance, String key, JsonNode before) {
    JsonNode then = before.path("recalibration");
    List<String> unmet = new ArrayList<>();
    before.path("gate").path("unmet").forEach(one -> unmet.add(one.asText()));
    String outcome = then.path("outcome").asText();
    return nothingDone(
        provenance,
        Outcome.DONE_BEFORE,
        "The same run ended at "
            + before.path("ended").asText()
            + " with: "
            + outcome
            + ". "
            + then.path("why").asText(),
        then.path("drift").path("moved").asBoolean(),
        outcome.equals(Outcome.GATE_NOT_MET.id()) ? unmet : List.of(),
        node -> node.put("run_key", key).put("then", outcome));
  }

  private static Recalibration nothingDone(
      Provenance provenance,
      Outcome outcome,
      String why,
      boolean moved,
      List<String> unmet,
      java.util.function.Consumer<ObjectNode> more) {
    ObjectNode json = ResultJson.begin(provenance);
    ObjectNode node = json.putObject("recalibration");
    node.put("outcome", outcome.id()).put("why", why);
    more.accept(node);
    ResultJson.end(json, provenance, List.of());
    return new Recalibration(
        outcome,
        why,
        moved,
        unmet,
        provenance,
        List.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Map.of(),
        json);
  }

  /** The result of a run with the key in a file's content; empty if it is of another run. */
  static Optional<JsonNode> parse(byte[] content, String key) {
    try {
      JsonNode result = JSON.readTree(content);
      return Optional.of(result)
          .filter(one -> one.path("recalibration").path("run_key").asText().equals(key));
    } catch (IOException e) {
      // Cut off by a kill, where files do not appear whole.
      return Optional.empty();
    }
  }

  /** When an output was made, as its own result tells. */
  static String stamp(PublishedFolder output) {
    try {
      String ended =
          JSON.readTree(output.read("result.json").orElse(new byte[] {'{', '}'}))
              .path("ended")
              .asText();
      return STAMP.format(Instant.parse(ended));
    } catch (IOException | DateTimeException e) {
      return STAMP.format(Instant.EPOCH);
    }
  }

  /** Gathers the parts as they come. */
  static final class Builder {
    private final ObjectNode recalibration = JSON.createObjectNode();
    private Outcome outcome = Outcome.UNCHANGED;
    private String why = "";
    private boolean moved;
    private Optional<QuantizedFiles> candidate = Optional.empty();
    private Optional<EvaluationJob.Result> found = Optional.empty();
    private Optional<GateVerdict> gate = Optional.empty();
    private Optional<String> former = Optional.empty();
    private Optional<BetterBy> compared = Optional.empty();
    private final StateStore.Added slice;

    Builder(String key, StateStore.Added slice) {
      this.slice = slice;
      recalibration.put("run_key", key);
    }

    Builder outcome(Outcome how, String reason) {
      outcome = how;
      why = reason;
      return this;
    }

    void drift(DeployedDrift finding) {
      moved = finding.moved();
      recalibration.set("drift", finding.json());
    }

    void window(Window window) {
      ObjectNode node = recalibration.putObject("window");
      node.put("first", window.days().first().toString());
      node.put("last", window.days().last().toString());
      node.put("rows", window.state().rows());
      node.put("state", window.state().digest());
      var missing = node.putArray("missing");
      window.missing().forEach(day -> missing.add(day.toString()));
    }

    void candidate(QuantizedFiles files) {
      candidate = Optional.of(files);
    }

    void evaluation(EvaluationJob.Result result, Optional<GateVerdict> verdict) {
      found = Optional.of(result);
      gate = verdict;
    }

    void compared(BetterBy better) {
      compared = Optional.of(better);
      better.addTo(recalibration.putObject("compared"));
    }

    void former(String version) {
      former = Optional.of(version);
      recalibration.put("former", version);
    }

    Recalibration build(Provenance provenance, List<String> warnings) {
      ObjectNode json = ResultJson.begin(provenance);
      ObjectNode node = json.putObject("recalibration");
      node.put("outcome", outcome.id()).put("why", why);
      node.setAll(recalibration);
      StoreTarget.addTo(json, slice);
      candidate.ifPresent(files -> files.addTo(json));
      found.ifPresent(one -> ResultJson.addEvaluation(json, one));
      gate.ifPresent(one -> one.addTo(json));
      ResultJson.end(json, provenance, warnings);
      return new Recalibration(
          outcome,
          why,
          moved,
          outcome == Outcome.GATE_NOT_MET
              ? gate.map(GateVerdict::unmet).orElse(List.of())
              : List.of(),
          provenance,
          warnings,
          candidate,
          former,
          compared,
          found.map(EvaluationJob.Result::outputs).orElse(Map.of()),
          json);
    }
  }

  /** How it ended. */
  public Outcome outcome() {
    return outcome;
  }

  /** Why, in a sentence. */
  public String why() {
    return why;
  }

  /** Whether the new rows are not what the deployed model was calibrated on. */
  public boolean moved() {
    return moved;
  }

  /** The version that the former output is kept as; empty if nothing was replaced. */
  public Optional<String> former() {
    return former;
  }

  /** The figures of the candidate and of the deployed model, if both were evaluated. */
  public Optional<BetterBy> compared() {
    return compared;
  }

  /** The figures of the candidate's outputs; empty if it was not evaluated. */
  public Map<String, OutputMetrics> outputs() {
    return outputs;
  }

  @Override
  public List<String> unmet() {
    return unmet;
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
    return json.toPrettyString();
  }

  @Override
  public List<Fact> summary() {
    List<Fact> facts = new ArrayList<>();
    facts.add(new Fact("Recalibration", outcome.id()));
    facts.add(new Fact("Why", why));
    facts.addAll(Summary.of(json));
    return facts;
  }

  void publish(Publication output) {
    QuantizedFiles files = candidate.orElseThrow();
    Map<String, byte[]> content = new LinkedHashMap<>();
    files.state().ifPresent(state -> content.put(CalibrationState.FILE_NAME, state.encodeFile()));
    content.putAll(files.content(json, provenance, warnings));
    output.write(content, files.model());
  }
}
