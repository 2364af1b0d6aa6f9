package org.tare.results;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.tare.report.ReportData.Fact;

/**
 * What a result was made of, with which settings, when, and by which versions.
 *
 * @param command calibrate, quantize, evaluate, observe or run
 * @param spark its version, if anything ran on it
 * @param tables the rows, by {@code data} and {@code validation}
 * @param settings those that are not at their default, by name
 * @param seconds what each step took; {@code total} what all took
 */
public record Provenance(
    String command,
    String tare,
    Optional<String> spark,
    String java,
    Instant started,
    Instant ended,
    Optional<Model> model,
    Map<String, Table> tables,
    Map<String, String> settings,
    Map<String, Double> seconds) {

  /** Versions, dates and sources, as lines. */
  List<Fact> facts() {
    List<Fact> facts = new ArrayList<>();
    facts.add(new Fact("Command", command));
    facts.add(new Fact("Tare", tare));
    spark.ifPresent(version -> facts.add(new Fact("Spark", version)));
    facts.add(new Fact("Java", java));
    facts.add(new Fact("Started", started.truncatedTo(ChronoUnit.SECONDS).toString()));
    facts.add(new Fact("Ended", ended.truncatedTo(ChronoUnit.SECONDS).toString()));
    model.ifPresent(
        read -> {
          facts.add(new Fact("Float model", read.name()));
          facts.add(new Fact("SHA-256 of it", read.sha256()));
        });
    tables.forEach(
        (name, table) ->
            facts.add(
                new Fact(
                    name,
                    table.source()
                        + table.sample().map(sample -> ", sample " + sample).orElse(""))));
    seconds.forEach(
        (step, taken) ->
            facts.add(new Fact("Seconds, " + step, String.format(Locale.ROOT, "%.1f", taken))));
    return facts;
  }

  /** The settings that are not at their default, as lines. */
  List<Fact> settingFacts() {
    return settings.entrySet().stream()
        .map(setting -> new Fact(setting.getKey(), setting.getValue()))
        .toList();
  }

  /** A float model as it was read. */
  public record Model(String name, String sha256, long bytes) {}

  /**
   * A table.
   *
   * @param source path, table, query, or that it was a DataFrame
   * @param sample how much of it was read, as it was set
   */
  public record Table(String source, Optional<String> sample) {}
}
