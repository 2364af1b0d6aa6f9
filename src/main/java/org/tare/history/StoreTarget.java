package org.tare.history;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Optional;
import org.tare.TareException;
import org.tare.job.CalibrationRun;
import org.tare.job.FloatModel;
import org.tare.settings.Settings;
import org.tare.spark.rows.DataSource;
import org.tare.stats.CalibrationState;
import org.tare.store.states.Entry;
import org.tare.store.states.Slice;
import org.tare.store.states.StateKey;
import org.tare.store.states.StateStore;

/** The slice of a state store that a calibration fills. */
public record StoreTarget(
    StateStore store,
    Slice slice,
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
    return Optional.of(
        new StoreTarget(
            StateStore.open(session.files(), path.get()),
            new Slice(settings.require("store.slice")),
            new StateKey(model.prepared().digest(), Lineages.digest(settings, how, model)),
            new Entry.Data(data.label(), data.snapshot(session.spark()), Lineages.sample(settings)),
            settings.flag("store.replace") ? StateStore.OnOther.REPLACE : StateStore.OnOther.REFUSE,
            session.version()));
  }

  /**
   * The slice, if it surely holds the state of these very rows.
   *
   * @throws TareException if it surely holds others, and is not to be replaced
   */
  public Optional<StateStore.Added> filled() {
    Optional<Entry> there = store.find(key, slice);
    if (there.isPresent()
        && there.get().data().isSurelyNot(data)
        && onOther == StateStore.OnOther.REFUSE) {
      throw TareException.badInput(
          "Cannot add slice %s to state store %s: it holds %d rows of %s%s as they were on %s, these"
              + " are other data; --replace counts them in its place",
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

  /** Adds the state, as the slice. */
  public StateStore.Added add(CalibrationState state) {
    return store.add(state, slice, onOther, version);
  }

  /** What a result says of it. */
  public static void addTo(ObjectNode result, StateStore.Added added) {
    result
        .putObject("store")
        .put("slice", added.entry().slice().name())
        .put("version", added.entry().version())
        .put("key", added.entry().key().id())
        .put("outcome", added.outcome().name().toLowerCase(java.util.Locale.ROOT));
  }
}
