package org.tare.history;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.tare.TareException;
import org.tare.job.CalibrationRun;
import org.tare.job.FloatModel;
import org.tare.settings.Settings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.stats.CalibrationState;
import org.tare.store.states.Entry;
import org.tare.store.states.Slice;
import org.tare.store.states.StateKey;
import org.tare.store.states.StateStore;

/**
 * What a calibration fills of a state store: a slice, or with {@code calibrate.by} several.
 *
 * @param name of the slice; of several, what stands behind the values in their names, or empty
 * @param by whether there are several
 */
public record StoreTarget(
    StateStore store,
    String name,
    boolean by,
    StateKey key,
    Entry.Data data,
    StateStore.OnOther onOther,
    String version) {
  /** That of the settings, if they name a store. */
  public static Optional<StoreTarget> of(
      Session session, Settings settings, CalibrationRun how, FloatModel model, DataSource data) {
    Optional<String> path = settings.find("store.path");
    if (path.isEmpty()) {
      if (settings.find("store.slice").isPresent()) {
        throw TareException.usage("A slice is named, but no store: set store.path, as --store");
      }
      return Optional.empty();
    }
    boolean by = settings.find("calibrate.by").isPresent();
    return Optional.of(
        new StoreTarget(
            StateStore.open(session.files(), path.get()),
            by ? settings.find("store.slice").orElse("") : settings.require("store.slice"),
            by,
            new StateKey(model.prepared().digest(), Lineages.digest(settings, how, model)),
            new Entry.Data(data.label(), data.snapshot(session.spark()), Lineages.sample(settings)),
            settings.flag("store.replace") ? StateStore.OnOther.REPLACE : StateStore.OnOther.REFUSE,
            session.version()));
  }

  /**
   * The slice, if it surely holds the state of these very rows. Of several slices nobody knows
   * before the work which there are.
   *
   * @throws TareException if it surely holds others, and is not to be replaced
   */
  public Optional<StateStore.Added> filled() {
    if (by) {
      return Optional.empty();
    }
    Slice slice = new Slice(name);
    Optional<Entry> there = store.find(key, slice);
    if (there.isPresent()
        && there.get().data().isSurelyNot(data)
        && onOther == StateStore.OnOther.REFUSE) {
      throw TareException.badInput(
          "Cannot add slice %s to state store %s: it holds %d rows of %s%s as they were on %s,"
              + " these are other data; --replace counts them in its place",
          slice.name(),
          store,
          there.get().rows(),
          there.get().data().source(),
          there.get().data().sample().isEmpty() ? "" : ", sample " + there.get().data().sample(),
          there.get().written());
    }
    return there
        .filter(entry -> entry.data().isSurely(data))
        .map(entry -> new StateStore.Added(entry, StateStore.Outcome.SAME));
  }

  /**
   * The state that came last of the same model and settings: new ones are divided by its factors of
   * SmoothQuant, so that their sum has them too.
   */
  public Optional<CalibrationState> latest() {
    return store.entries().stream()
        .filter(entry -> entry.key().equals(key))
        .max(Comparator.comparing(Entry::written))
        .map(store::readState);
  }

  /** Adds the state of all rows, as the slice. */
  public StateStore.Added add(CalibrationState state) {
    if (onOther == StateStore.OnOther.REFUSE) {
      refuse(entry -> entry.slice().name().endsWith("/" + name) && entry.data().isSurely(data));
    }
    return store.add(state, new Slice(name), onOther, version);
  }

  /** Adds what was observed: the state of all rows, or those of the slices and not their sum. */
  public List<StateStore.Added> add(CalibrationJob.Result observed) {
    if (!by) {
      return List.of(add(observed.state()));
    }
    refuse(entry -> entry.slice().name().equals(name));
    List<StateStore.Added> added = new ArrayList<>();
    for (Map.Entry<String, CalibrationState> one : observed.slices().entrySet()) {
      Slice slice = new Slice(one.getKey() + (name.isEmpty() ? "" : "/" + name));
      added.add(store.add(one.getValue(), slice, onOther, version));
    }
    return added;
  }

  /** Rows that are there as a whole and in slices would count twice in windows. */
  private void refuse(Predicate<Entry> counted) {
    for (Entry entry : store.entries()) {
      if (entry.key().equals(key) && counted.test(entry)) {
        throw TareException.badInput(
            "Cannot add %s to state store %s: its rows would count twice, as it holds slice %s;"
                + " give another --slice, or another store",
            by ? "slices by " + name : "slice " + name, store, entry.slice().name());
      }
    }
  }

  /** What a result says of the slice. */
  public static void addTo(ObjectNode result, StateStore.Added added) {
    put(result.putObject("store"), added);
  }

  /** What a result says of several slices. */
  public static void addTo(ObjectNode result, List<StateStore.Added> added) {
    ArrayNode slices = result.putObject("store").putArray("slices");
    added.forEach(one -> put(slices.addObject(), one));
  }

  private static void put(ObjectNode node, StateStore.Added added) {
    node.put("slice", added.entry().slice().name())
        .put("version", added.entry().version())
        .put("key", added.entry().key().id())
        .put("outcome", added.outcome().name().toLowerCase(Locale.ROOT));
  }
}
