package org.tare;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import org.tare.history.StoreSelection;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;
import org.tare.store.states.Entry;
import org.tare.store.states.Slice;
import org.tare.store.states.StateKey;
import org.tare.store.states.StateStore;
import org.tare.store.states.Window;

/**
 * Calibration states over time, by slice: of days, above all. A store that is not there yet holds
 * nothing, and is made by the first state.
 */
public final class States {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Tare tare;
  private final StateStore store;
  private final Settings settings;

  States(Tare tare, String folder) {
    this.tare = tare;
    this.store = StateStore.open(tare.files(), folder);
    this.settings = tare.defaults().set("store.path", folder, "set by the caller");
  }

  /** Every slice, by its latest version; sums that were compacted too. */
  public List<Entry> list() {
    return store.entries();
  }

  /** The slices of a name, of every model and configuration. */
  public List<Entry> find(String slice) {
    return list().stream().filter(entry -> entry.slice().name().equals(slice)).toList();
  }

  /** The state of a slice. */
  public CalibrationState read(Entry entry) {
    return store.readState(entry);
  }

  /**
   * Adds a state that was calibrated elsewhere. The same numbers again change nothing.
   *
   * @throws TareException if the slice is there with other numbers
   */
  public StateStore.Added add(CalibrationState state, String slice) {
    return store.add(state, new Slice(slice), StateStore.OnOther.REFUSE, Tare.version());
  }

  /** Adds a state, also in place of other numbers. */
  public StateStore.Added replace(CalibrationState state, String slice) {
    return store.add(state, new Slice(slice), StateStore.OnOther.REPLACE, Tare.version());
  }

  /**
   * The sum of the slices of days in a row, each counted once.
   *
   * @param length as {@code 7d}
   * @param asOf the last day, as {@code 2026-11-25}
   * @throws TareException if days are missing, or the store holds states that do not add up
   */
  public Window window(String length, String asOf) {
    Settings chosen = settings.copy();
    chosen.set("store.window", length, "the caller").set("store.as-of", asOf, "the caller");
    return StoreSelection.of(tare.files(), chosen).ofAny().window().orElseThrow();
  }

  /** The same of one model and configuration, with days that may be missing. */
  public Window window(StateKey key, Window.Days days, Window.Missing missing) {
    return store.window(key, days, missing);
  }

  /** Adds the slices of days up into one, which stands for them in windows that have them all. */
  public StateStore.Added compact(StateKey key, Window.Days days) {
    return store.compact(key, days, Tare.version());
  }

  /** Forgets older versions, slices of days before the given one, and what was compacted. */
  public List<Entry> expire(String before) {
    return store.expire(Window.Days.day(before));
  }

  /** Deletes what no slice needs any more and is older than the grace time; returns the names. */
  public List<String> collect(Duration grace) {
    return store.collect(grace);
  }

  /** Reads everything; returns what is wrong, in a sentence each. */
  public List<String> verify() {
    return store.verify();
  }

  /** Slices as JSON. */
  public static String toJson(List<Entry> entries) {
    ObjectNode root = JSON.createObjectNode();
    ArrayNode all = root.putArray("states");
    entries.forEach(entry -> all.add(json(entry)));
    return root.toPrettyString();
  }

  private static ObjectNode json(Entry entry) {
    ObjectNode node = JSON.createObjectNode();
    node.put("slice", entry.slice().name()).put("version", entry.version());
    node.put("key", entry.key().id());
    node.put("model", entry.key().model()).put("config", entry.key().config());
    node.put("rows", entry.rows()).put("bytes", entry.state().bytes());
    node.put("sha256", entry.state().sha256()).put("state", entry.state().digest());
    node.put("source", entry.data().source()).put("snapshot", entry.data().snapshot());
    node.put("sample", entry.data().sample());
    node.put("written", entry.written().toString()).put("tare", entry.by());
    if (entry.isCompacted()) {
      ArrayNode covers = node.putArray("covers");
      entry.covers().forEach(one -> covers.add(one.slice().name()));
    }
    return node;
  }

  /** Names or sentences as JSON, under a name. */
  public static String toJson(String name, List<String> texts) {
    ObjectNode root = JSON.createObjectNode();
    texts.forEach(root.putArray(name)::add);
    return root.toPrettyString();
  }

  /**
   * The key whose id begins so.
   *
   * @param beginning empty for the only key there is
   * @throws TareException if there is none, or several
   */
  public StateKey key(String beginning) {
    List<StateKey> keys =
        list().stream()
            .map(Entry::key)
            .distinct()
            .filter(key -> key.id().startsWith(beginning))
            .toList();
    if (keys.size() != 1) {
      throw TareException.usage(
          "State store %s holds %s; say by store.key which is meant",
          store,
          keys.isEmpty()
              ? "no such states"
              : "states that do not add up: "
                  + keys.stream().map(StateKey::id).collect(Collectors.joining(", ")));
    }
    return keys.get(0);
  }
}
