package org.tare.streams;

import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.Calibration;
import org.tare.States;
import org.tare.Tare;
import org.tare.TareException;
import org.tare.settings.Settings;
import org.tare.settings.StreamSettings;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;
import org.tare.store.states.Entry;
import org.tare.store.states.Slice;
import org.tare.store.states.StateKey;
import org.tare.store.states.StateStore;

/**
 * The batches of a stream as slices of a store, {@code NAME/2026-11-25/batch-000012}. The day is
 * the one in UTC on which Spark began the batch. Spark writes that time into its checkpoint before
 * a batch runs and reads it there when it gives the batch again, so the name is the same then.
 *
 * <p>With columns to slice by, each slice of a batch has a state: {@code
 * NAME/2026-11-25/batch-000012/country=DE}. Where the values have a date, as in {@code
 * NAME/batch-000012/day=2026-11-25}, it is that of the slice.
 */
final class StreamedSlices {
  /** The column that says when a batch was begun, in seconds. */
  static final String BEGUN = "__tare_batch_begun";

  /** In a stream that is the time of the batch, the same however often it runs. */
  static final String BEGIN = "unix_seconds(current_timestamp())";

  private static final String DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}";

  private final Settings settings;
  private final StreamSettings how;
  private final Consumer<String> progress;
  private final List<StreamResult.Batch> batches = Collections.synchronizedList(new ArrayList<>());

  StreamedSlices(Settings settings, StreamSettings how, Consumer<String> progress) {
    this.settings = how.ofBatch(settings);
    this.how = how;
    this.progress = progress;
  }

  /** What came of the batches so far, in their order. */
  List<StreamResult.Batch> batches() {
    synchronized (batches) {
      return List.copyOf(batches);
    }
  }

  /** Calibrates on a batch and adds its states to the store; a batch without rows adds nothing. */
  void add(Dataset<Row> batch, Long id) {
    List<Row> first = batch.select(BEGUN).takeAsList(1);
    if (first.isEmpty()) {
      return;
    }
    LocalDate day =
        Instant.ofEpochSecond(first.get(0).getLong(0)).atZone(ZoneOffset.UTC).toLocalDate();
    // The batch belongs to the session of the query, which is a copy of the caller's.
    Tare tare = Tare.on(batch.sparkSession()).withProgress(progress);
    Calibration made =
        tare.calibrate(settings.require("model")).settings(settings).data(batch.drop(BEGUN)).run();
    States store = tare.states(how.store());
    SortedMap<String, CalibrationState> states = new TreeMap<>();
    if (made.slices().isEmpty()) {
      states.put("", made.state());
    } else {
      states.putAll(made.slices());
    }
    List<Entry> there = store.list();
    List<StateStore.Added> added = new ArrayList<>();
    for (Map.Entry<String, CalibrationState> one : states.entrySet()) {
      Name name = new Name(how.name(), id, one.getKey());
      added.add(add(store, there, named(one.getValue(), name), name, day));
    }
    batches.add(new StreamResult.Batch(id, made.state().rows(), made.skippedRows(), added));
    progress.accept(
        String.format(
            Locale.ROOT,
            "Batch %d of %s: %,d rows%s",
            id,
            how.name(),
            made.state().rows(),
            added.stream().allMatch(one -> one.outcome() == StateStore.Outcome.SAME)
                ? ", in the store already"
                : ""));
    made.warnings().forEach(warning -> progress.accept("warning: " + warning));
  }

  /** Batches with the same rows are not the same data: each is told by its number. */
  private static CalibrationState named(CalibrationState state, Name name) {
    List<Lineage.Source> sources = new ArrayList<>();
    for (Lineage.Source source : state.lineage().sources()) {
      Lineage.Origin was = source.origin();
      Lineage.Origin origin =
          new Lineage.Origin(
              "stream " + name.stream() + ", batch " + name.batch(),
              was.snapshot(),
              was.slice(),
              was.sample(),
              was.columns());
      sources.add(new Lineage.Source(origin, source.rows(), source.digest(), source.run()));
    }
    return state.withLineage(new Lineage(sources));
  }

  private StateStore.Added add(
      States store, List<Entry> there, CalibrationState state, Name name, LocalDate day) {
    StateKey key = StateKey.of(state);
    List<Entry> own = there.stream().filter(entry -> entry.key().equals(key)).toList();
    for (Entry sum : own) {
      for (Entry.Covered covered : sum.covers()) {
        // Slices that were compacted may be gone, and are in the sum.
        if (name.isOf(covered.slice()) && covered.digest().equals(state.digest())) {
          return new StateStore.Added(sum, StateStore.Outcome.SAME);
        }
      }
    }
    // With a checkpoint that was lost the batches come again, on another day.
    Optional<String> before =
        own.stream().map(Entry::slice).filter(name::isOf).map(Slice::name).findFirst();
    try {
      return store.add(state, before.orElseGet(() -> name.on(day)));
    } catch (TareException e) {
      throw before.isEmpty() || e.kind() != TareException.Kind.BAD_INPUT
          ? e
          : TareException.badInput(
                  "%s. Batch %d of a stream %s was counted with other rows: if this is another"
                      + " stream, give it another name (stream.name); if the checkpoint %s was"
                      + " lost, the rows are cut into other batches now",
                  e.getMessage(), name.batch(), how.name(), how.checkpoint())
              .causedBy(e);
    }
  }

  /**
   * What a slice of a stream is called.
   *
   * @param slice of the columns to slice by; empty for all rows
   */
  record Name(String stream, long batch, String slice) {
    String on(LocalDate day) {
      boolean hasDate = Pattern.compile("(?<![0-9])" + DATE + "(?![0-9])").matcher(slice).find();
      return stream + (hasDate ? "" : "/" + day) + rest();
    }

    private String rest() {
      return String.format(Locale.ROOT, "/batch-%06d", batch)
          + (slice.isEmpty() ? "" : "/" + slice);
    }

    /** Whether that is its name, on any day. */
    boolean isOf(Slice other) {
      return other.name().startsWith(stream + "/")
          && other.name().substring(stream.length()).replaceFirst("^/" + DATE, "").equals(rest());
    }
  }
}
