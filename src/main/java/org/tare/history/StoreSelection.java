package org.tare.history;

import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.tare.PrintableText;
import org.tare.TareException;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;
import org.tare.store.states.Entry;
import org.tare.store.states.Slice;
import org.tare.store.states.StateKey;
import org.tare.store.states.StateStore;
import org.tare.store.states.Window;

/** Which states of a store the settings mean: those of a window, or a slice, of one key. */
public record StoreSelection(StateStore store, Settings settings) {
  /** That of the settings, in the store that they name. */
  public static StoreSelection of(HadoopFiles files, Settings settings) {
    return new StoreSelection(StateStore.open(files, settings.require("store.path")), settings);
  }

  /** States, and what they are of. */
  public record Selected(StateKey key, CalibrationState state, Optional<Window> window) {}

  /** Those of any model, if the store holds but one, or {@code store.key} says which. */
  public Selected ofAny() {
    return of(keys(store.entries()), Optional.empty());
  }

  /**
   * Those of a model.
   *
   * @param config which is taken where there are several
   */
  public Selected ofModel(String model, String config) {
    return of(keys(store.ofModel(model)), Optional.of(new StateKey(model, config)));
  }

  private TreeSet<StateKey> keys(List<Entry> entries) {
    return entries.stream()
        .map(Entry::key)
        .filter(key -> settings.find("store.key").map(key.id()::startsWith).orElse(true))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private Selected of(TreeSet<StateKey> keys, Optional<StateKey> wanted) {
    if (keys.isEmpty()) {
      throw TareException.missing(
          "State store %s holds no state of %s yet; calibrate with --store and --slice",
          store, wanted.map(key -> "this model").orElse("such a key"));
    }
    StateKey key = keys.size() == 1 ? keys.first() : wanted.filter(keys::contains).orElse(null);
    if (key == null) {
      throw TareException.usage(
          "State store %s holds states that do not add up: %s; say by store.key which are meant",
          store, keys.stream().map(StateKey::id).collect(Collectors.joining(", ")));
    }
    Optional<String> length = settings.find("store.window");
    Optional<String> slice = settings.find("store.slice");
    if (length.isPresent()) {
      Window window = window(key);
      return new Selected(key, window.state(), Optional.of(window));
    }
    if (slice.isEmpty()) {
      throw TareException.usage(
          "Missing which states of store %s are meant: give --window and --as-of, or --slice",
          store);
    }
    Entry entry =
        store
            .find(key, new Slice(slice.get()))
            .orElseThrow(
                () ->
                    TareException.missing(
                        "State store %s holds no slice %s", store, PrintableText.of(slice.get())));
    return new Selected(key, store.readState(entry), Optional.empty());
  }

  private Window window(StateKey key) {
    return store.window(
        key,
        days(settings),
        settings.flag("store.allow-missing") ? Window.Missing.ALLOW : Window.Missing.REFUSE);
  }

  /**
   * The window that a recalibration makes a candidate of. Days before the first slice of the store
   * are no error: it is younger than the window.
   */
  public Window youngWindow(StateKey key) {
    return store.window(key, days(settings), youngMissing());
  }

  /**
   * Checks, before the work, that this window will be whole with the slice of the settings.
   *
   * @throws TareException if days are missing and must not
   */
  public void checkYoung(StateKey key) {
    Slice coming = new Slice(settings.require("store.slice"));
    store.checkWindow(key, days(settings), youngMissing(), coming);
  }

  private Window.Missing youngMissing() {
    return settings.flag("store.allow-missing") ? Window.Missing.ALLOW : Window.Missing.REFUSE_GAPS;
  }

  /** A warning of a window that has not all its days. */
  public static Optional<String> ofMissing(Window window) {
    return Optional.of(window.missing())
        .filter(days -> !days.isEmpty())
        .map(
            days ->
                String.format(
                    Locale.ROOT,
                    "The window from %s to %s lacks %d day(s) that the store has no state of: %s",
                    window.days().first(),
                    window.days().last(),
                    days.size(),
                    days.stream().map(LocalDate::toString).collect(Collectors.joining(", "))));
  }

  /** The days of the window that the settings describe. */
  public static Window.Days days(Settings settings) {
    return Window.Days.of(settings.require("store.window"), settings.require("store.as-of"));
  }
}
