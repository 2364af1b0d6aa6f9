package org.tare.stats;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Where the numbers of a {@link CalibrationState} come from: the runs that made it, each with its
 * data, settings, time and versions.
 *
 * <p>Lineages add up as states merge, in any order and grouping: a source that was counted twice
 * stands twice.
 *
 * @param sources in their order, which does not depend on that of merging
 */
public record Lineage(List<Source> sources) {
  /** Nothing is known. */
  public static final Lineage NONE = new Lineage(List.of());

  public Lineage {
    List<Source> sorted = new ArrayList<>(sources);
    Collections.sort(sorted);
    sources = List.copyOf(sorted);
  }

  /** One run. */
  public static Lineage of(Source source) {
    return new Lineage(List.of(source));
  }

  /**
   * Which values a run read.
   *
   * @param data path of the files, name of the table, or text of the query
   * @param snapshot which version of the data, as the caller knows it: a fingerprint of the files,
   *     a version of the table; may be empty
   * @param slice the part of the table, as in {@code country=DE}; empty for all of it
   * @param sample how rows were chosen, as in {@code 1000 rows, seed 7}; empty for all of them
   * @param columns those that were read, in the order of the model's inputs
   */
  public record Origin(
      String data, String snapshot, String slice, String sample, List<String> columns)
      implements Comparable<Origin> {
    private static final Comparator<Origin> ORDER =
        Comparator.comparing(Origin::data)
            .thenComparing(Origin::snapshot)
            .thenComparing(Origin::slice)
            .thenComparing(Origin::sample)
            .thenComparing(Origin::columns, Lineage::compare);

    public Origin {
      Objects.requireNonNull(data, "data");
      Objects.requireNonNull(snapshot, "snapshot");
      Objects.requireNonNull(slice, "slice");
      Objects.requireNonNull(sample, "sample");
      columns = List.copyOf(columns);
    }

    @Override
    public int compareTo(Origin other) {
      return ORDER.compare(this, other);
    }
  }

  /**
   * How and when it ran.
   *
   * @param settingsDigest SHA-256 of the settings, in hexadecimal
   * @param when it ended, to the second
   * @param versions by name, as in {@code tare}, {@code spark}, {@code java}, {@code onnxruntime}
   */
  public record Run(String settingsDigest, Instant when, SortedMap<String, String> versions)
      implements Comparable<Run> {
    private static final Comparator<Run> ORDER =
        Comparator.comparing(Run::when)
            .thenComparing(Run::settingsDigest)
            .thenComparing(run -> List.copyOf(run.versions.keySet()), Lineage::compare)
            .thenComparing(run -> List.copyOf(run.versions.values()), Lineage::compare);

    public Run {
      Objects.requireNonNull(settingsDigest, "settingsDigest");
      when = when.truncatedTo(ChronoUnit.SECONDS);
      SortedMap<String, String> ordered = new TreeMap<>();
      ordered.putAll(versions);
      versions = Collections.unmodifiableSortedMap(ordered);
    }

    @Override
    public int compareTo(Run other) {
      return ORDER.compare(this, other);
    }
  }

  /**
   * A run and the state that it made.
   *
   * @param rows how many it observed
   * @param digest {@link CalibrationState#digest} of the state as it was first made
   */
  public record Source(Origin origin, long rows, String digest, Run run)
      implements Comparable<Source> {
    private static final Comparator<Source> ORDER =
        Comparator.comparing(Source::origin)
            .thenComparing(Source::rows)
            .thenComparing(Source::digest)
            .thenComparing(Source::run);

    public Source {
      Objects.requireNonNull(origin, "origin");
      Objects.requireNonNull(digest, "digest");
      Objects.requireNonNull(run, "run");
      if (rows < 0) {
        throw new IllegalArgumentException("rows: " + rows);
      }
    }

    @Override
    public int compareTo(Source other) {
      return ORDER.compare(this, other);
    }

    /** Which numbers of which data these are, in whatever run. */
    private List<String> counted() {
      return List.of(origin.data, origin.snapshot, origin.slice, origin.sample, digest);
    }
  }

  /** Adds up lineages; the time grows with the number of their sources. Not thread-safe. */
  static final class Sum {
    private final List<Source> all = new ArrayList<>();

    /** The first source, in their order, of each kind of numbers. */
    private final Map<List<String>, Source> counted = new HashMap<>();

    /** Adds a lineage; tells a source of those before that counts the same as one of its own. */
    Optional<Source> add(Lineage lineage) {
      Optional<Source> shared =
          lineage.sources.stream()
              .map(source -> counted.get(source.counted()))
              .filter(Objects::nonNull)
              .min(Comparator.naturalOrder());
      for (Source source : lineage.sources) {
        all.add(source);
        counted.merge(source.counted(), source, (one, two) -> one.compareTo(two) <= 0 ? one : two);
      }
      return shared;
    }

    Lineage lineage() {
      return new Lineage(all);
    }
  }

  private static int compare(List<String> one, List<String> other) {
    for (int i = 0; i < Math.min(one.size(), other.size()); i++) {
      int order = one.get(i).compareTo(other.get(i));
      if (order != 0) {
        return order;
      }
    }
    return Integer.compare(one.size(), other.size());
  }

  /** Whether nothing is known. */
  public boolean isEmpty() {
    return sources.isEmpty();
  }
}
