package org.tare.results;

import java.time.Instant;
import java.util.Map;
import java.util.Optional;

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
