package org.tare.store.states;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;
import org.tare.store.HadoopFiles;
import org.tare.store.SharedFolder;

/**
 * Calibration states over time; the package says how they lie in the folder. A store that is not
 * there yet holds nothing, and is made by the first state.
 */
public final class StateStore {
  /** The file that says that a folder is a store. */
  public static final String MARK = "_TARE_STATES.json";

  private static final byte[] MARKED = "{\"tare_states\": 1}\n".getBytes(StandardCharsets.UTF_8);

  /** A blob that was written longer ago may be taken for nobody's: it is written anew. */
  private static final Duration FRESH = Duration.ofHours(1);

  private static final Pattern VERSION = Pattern.compile("\\G([0-9]{6})\\.json$");

  /** How long an entry that is not whole is taken for one that is being written. */
  private static final Duration UNDER_WAY = Duration.ofMinutes(1);

  /** Other writers can only be so quick so often. */
  private static final int ATTEMPTS = 50;

  private final SharedFolder folder;

  private StateStore(SharedFolder folder) {
    this.folder = folder;
  }

  /**
   * The store in a folder.
   *
   * @throws TareException if the folder holds something else
   */
  public static StateStore open(HadoopFiles files, String folder) {
    return in(SharedFolder.of(files, "state store", folder));
  }

  /** The store in a folder. */
  public static StateStore in(SharedFolder folder) {
    StateStore store = new StateStore(folder);
    store.checkIsStore();
    return store;
  }

  private void checkIsStore() {
    Optional<byte[]> mark = folder.read(MARK);
    if (mark.isEmpty()) {
      if (folder.find("").filter(item -> !item.isFolder()).isPresent()) {
        throw TareException.badInput(
            "Cannot use state store %s: it is a file, not a folder", folder);
      }
      if (!folder.list("").stream().allMatch(item -> SharedFolder.isStaging(item.name()))) {
        throw TareException.badInput(
            "Cannot use state store %s: it holds no %s, so it is another folder; give a new one, or"
                + " that of a store",
            folder, MARK);
      }
    } else if (!java.util.Arrays.equals(mark.get(), MARKED)) {
      throw TareException.badInput(
          "Cannot use state store %s: its %s is not of version 1, which this Tare reads",
          folder, MARK);
    }
  }

  /** What to do with a slice that is there with other numbers. */
  public enum OnOther {
    /** An error. */
    REFUSE,
    /** The new numbers become its next version. */
    REPLACE
  }

  /** What came of adding a state. */
  public enum Outcome {
    ADDED,
    REPLACED,
    /** The same numbers were there, and still are. */
    SAME
  }

  /** An entry that holds the numbers, and how it came to do so. */
  public record Added(Entry entry, Outcome outcome) {}

  /** Every slice's highest version, in the order of keys and slices. */
  public List<Entry> entries() {
    Map<String, Entry> highest = new TreeMap<>();
    for (Entry entry : everyVersion()) {
      highest.merge(
          entry.key().id() + "/" + entry.slice().fileName(),
          entry,
          (one, other) -> one.version() > other.version() ? one : other);
    }
    List<Entry> entries = new ArrayList<>(highest.values());
    Collections.sort(entries);
    return entries;
  }

  /** All entries that are whole, of older versions too. */
  List<Entry> everyVersion() {
    List<Entry> entries = new ArrayList<>();
    for (SharedFolder.Item series : folder.list("entries")) {
      for (SharedFolder.Item item : folder.list("entries/" + series.name())) {
        String file = "entries/" + series.name() + "/" + item.name();
        if (item.name().endsWith(".json") && !SharedFolder.isStaging(item.name())) {
          read(file).ifPresent(entries::add);
        }
      }
    }
    return entries;
  }

  /** The entry in a file; empty if it is not whole, so that it was never committed. */
  private Optional<Entry> read(String file) {
    Optional<byte[]> content = folder.read(file);
    if (content.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(EntryCodec.decode(content.get())).filter(e -> e.file().equals(file));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** The highest version of a slice; a slice that is not there is no error. */
  public Optional<Entry> find(StateKey key, Slice slice) {
    return look(key, slice).highest();
  }

  /**
   * What one look at the folder shows of a slice. What is decided by it and committed under the
   * next number is decided by what is still so, since whoever is quicker takes that number.
   *
   * @param next the number of its next version; files that are not whole have theirs
   * @param isUnderWay whether an entry that is not whole is a minute old at most: only where files
   *     do not appear whole can another run be writing it
   */
  private record Look(Optional<Entry> highest, int next, boolean isUnderWay) {}

  private Look look(StateKey key, Slice slice) {
    String prefix = slice.fileName() + "~";
    Instant before = Instant.now().minus(UNDER_WAY);
    Optional<Entry> highest = Optional.empty();
    int last = 0;
    boolean isUnderWay = false;
    for (SharedFolder.Item item : folder.list("entries/" + key.id())) {
      Matcher version = VERSION.matcher(item.name());
      if (!item.name().startsWith(prefix) || !version.find(prefix.length())) {
        continue;
      }
      last = Math.max(last, Integer.parseInt(version.group(1)));
      Optional<Entry> entry = read("entries/" + key.id() + "/" + item.name());
      isUnderWay |= entry.isEmpty() && item.modified().isAfter(before);
      if (entry.isPresent() && highest.filter(one -> one.compareTo(entry.get()) > 0).isEmpty()) {
        highest = entry;
      }
    }
    return new Look(highest, last + 1, isUnderWay);
  }

  /**
   * Adds a state under the name of a slice. The same numbers again change nothing.
   *
   * @throws TareException if the slice is there with other numbers and these are not to be
   *     replaced, or is part of a compacted entry
   */
  public Added add(CalibrationState state, Slice slice, OnOther onOther, String by) {
    StateKey key = StateKey.of(state);
    Entry.Data data = data(state);
    return commit(key, slice, data, state, List.of(), onOther, by);
  }

  /** Where the rows of a state came from; of several sources nothing is said. */
  private static Entry.Data data(CalibrationState state) {
    List<Lineage.Source> sources = state.lineage().sources();
    if (sources.size() != 1) {
      return Entry.Data.NONE;
    }
    Lineage.Origin origin = sources.get(0).origin();
    return new Entry.Data(origin.data(), origin.snapshot(), origin.sample());
  }

  private Added commit(
      StateKey key,
      Slice slice,
      Entry.Data data,
      CalibrationState state,
      List<Entry.Covered> covers,
      OnOther onOther,
      String by) {
    byte[] content = state.encodeFile();
    String digest = state.digest();
    String sha256 = EntryCodec.sha256(content);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      Look look = look(key, slice);
      Optional<Entry> there = look.highest();
      if (there.isPresent() && there.get().state().digest().equals(digest)) {
        readState(there.get());
        return new Added(there.get(), Outcome.SAME);
      }
      if (there.isPresent() && onOther == OnOther.REFUSE) {
        throw other(there.get(), data);
      }
      refuseCovered(key, slice);
      if (look.isUnderWay()) {
        throw TareException.tryAgain(
            "Cannot add slice %s to state store %s: another run is writing it, or was killed while"
                + " it did, less than a minute ago",
            slice.name(), folder);
      }
      makeMark();
      putBlob(sha256, content);
      Entry entry =
          new Entry(
              key,
              slice,
              look.next(),
              data,
              state.rows(),
              new Entry.Blob(sha256, content.length, digest),
              covers,
              Instant.now().truncatedTo(ChronoUnit.SECONDS),
              by,
              UUID.randomUUID().toString());
      if (folder.create(entry.file(), EntryCodec.encode(entry)) == SharedFolder.Created.NOW) {
        return new Added(entry, there.isPresent() ? Outcome.REPLACED : Outcome.ADDED);
      }
    }
    throw TareException.tryAgain(
        "Cannot add slice %s to state store %s: other runs write it again and again",
        slice.name(), folder);
  }

  private TareException other(Entry there, Entry.Data data) {
    return TareException.badInput(
        "Cannot add slice %s to state store %s: it is there with other numbers (%d rows of %s,"
            + " written %s; these are of %s); --replace counts the new ones in their place",
        there.slice().name(),
        folder,
        there.rows(),
        there.data().source(),
        there.written(),
        data.source());
  }

  private void refuseCovered(StateKey key, Slice slice) {
    for (Entry entry : entries()) {
      boolean isCovered =
          entry.key().equals(key)
              && entry.covers().stream().anyMatch(one -> one.slice().equals(slice));
      if (isCovered) {
        throw TareException.badInput(
            "Cannot add slice %s to state store %s: it is part of the compacted %s, which cannot be"
                + " changed",
            slice.name(), folder, entry.slice().name());
      }
    }
  }

  private void makeMark() {
    if (folder.find(MARK).isEmpty()) {
      folder.create(MARK, MARKED);
    }
  }

  private void putBlob(String sha256, byte[] content) {
    String file = Entry.blobFile(sha256);
    Optional<SharedFolder.Item> there = folder.find(file);
    boolean isGood =
        there.isPresent()
            && there.get().length() == content.length
            && there.get().modified().isAfter(Instant.now().minus(FRESH))
            && folder.read(file).map(EntryCodec::sha256).filter(sha256::equals).isPresent();
    if (!isGood) {
      folder.replace(file, content);
    }
  }

  /**
   * The state of an entry.
   *
   * @throws TareException if its blob is missing or damaged
   */
  public CalibrationState readState(Entry entry) {
    String file = Entry.blobFile(entry.state().sha256());
    String named = folder + "/" + file + " (slice " + entry.slice().name() + ")";
    byte[] content =
        folder
            .read(file)
            .orElseThrow(
                () -> TareException.missing("Cannot read state %s: there is no such file", named));
    if (!EntryCodec.sha256(content).equals(entry.state().sha256())) {
      throw TareException.badInput(
          "Cannot read state %s: its bytes are not those that were written, the file is damaged or"
              + " cut short",
          named);
    }
    CalibrationState state = CalibrationState.decode(content, named);
    if (!state.digest().equals(entry.state().digest())
        || !state.modelDigest().equals(entry.key().model())
        || state.rows() != entry.rows()) {
      throw TareException.badInput("Cannot read state %s: it is not the state of its entry", named);
    }
    return state;
  }

  /**
   * The slices of days in a row.
   *
   * @throws TareException if days are missing and must not, no slice is there at all, or two of
   *     them hold the same numbers of the same data
   */
  public Window window(StateKey key, Window.Days days, Window.Missing missing) {
    return Window.of(this, entries(), key, days, missing);
  }

  /**
   * Checks that a window will be whole once a slice has come.
   *
   * @throws TareException if other days are missing and must not
   */
  public void checkWindow(StateKey key, Window.Days days, Window.Missing missing, Slice coming) {
    Window.check(this, entries(), key, days, missing, coming.date());
  }

  /** A digest that is the same as long as the window's slices have the same numbers. */
  public String digestOf(StateKey key, Window.Days days) {
    StringBuilder text = new StringBuilder();
    for (Entry entry : entries()) {
      if (entry.key().equals(key)) {
        entry.covers().forEach(one -> append(text, one.slice(), one.digest(), days));
        if (!entry.isCompacted()) {
          append(text, entry.slice(), entry.state().digest(), days);
        }
      }
    }
    // A compaction changes no number.
    return EntryCodec.sha256(
        text.toString()
            .lines()
            .distinct()
            .sorted()
            .collect(Collectors.joining("\n"))
            .getBytes(StandardCharsets.UTF_8));
  }

  private static void append(StringBuilder text, Slice slice, String digest, Window.Days days) {
    if (slice.date().filter(days::holds).isPresent()) {
      text.append(slice.fileName()).append(' ').append(digest).append('\n');
    }
  }

  /** The entries of a model, of all configurations, by highest versions. */
  public List<Entry> ofModel(String model) {
    return entries().stream().filter(entry -> entry.key().model().equals(model)).toList();
  }

  /**
   * Adds up the slices of days into one entry, so that windows read fewer files. The slices stay,
   * until {@link #expire} takes them.
   *
   * @throws TareException if there are fewer than two
   */
  public Added compact(StateKey key, Window.Days days, String by) {
    Window window = Window.of(this, entries(), key, days, Window.Missing.ALLOW);
    List<Entry.Covered> covers = new ArrayList<>();
    for (Entry part : window.parts()) {
      if (part.isCompacted()) {
        covers.addAll(part.covers());
      } else {
        covers.add(new Entry.Covered(part.slice(), part.version(), part.state().digest()));
      }
    }
    if (covers.size() < 2) {
      throw TareException.badInput(
          "Nothing to compact in state store %s: from %s to %s it holds %d slice(s)",
          folder, days.first(), days.last(), covers.size());
    }
    Slice name =
        new Slice(
            "compacted "
                + days.first().toString().replace("-", "")
                + "-"
                + days.last().toString().replace("-", ""));
    return commit(key, name, Entry.Data.NONE, window.state(), covers, OnOther.REPLACE, by);
  }

  /**
   * Forgets what nobody needs any more: older versions, slices of days before the given one, and
   * slices that a compacted entry is the sum of. Their blobs go with {@link #collect}.
   *
   * @return what was forgotten
   */
  public List<Entry> expire(LocalDate before) {
    List<Entry> current = entries();
    List<Entry> sums =
        current.stream()
            .filter(entry -> entry.isCompacted() && Window.isValid(entry, current))
            .toList();
    // What stands for others must be whole.
    sums.forEach(this::readState);
    Set<String> kept = new HashSet<>();
    for (Entry entry : current) {
      boolean isOld =
          entry.isCompacted()
              ? entry.covers().stream().allMatch(one -> isBefore(one.slice().date(), before))
              : isBefore(entry.date(), before);
      boolean isInSum =
          sums.stream().anyMatch(sum -> sum.key().equals(entry.key()) && stands(sum, entry));
      if (!isOld && !isInSum) {
        kept.add(entry.file());
      }
    }
    List<Entry> forgotten = new ArrayList<>();
    List<Entry> all = new ArrayList<>(everyVersion());
    // In ascending order of versions: a kill must not make an older one the highest.
    Collections.sort(all);
    for (Entry entry : all) {
      if (!kept.contains(entry.file())) {
        folder.delete(entry.file());
        forgotten.add(entry);
      }
    }
    return forgotten;
  }

  private static boolean isBefore(Optional<LocalDate> date, LocalDate before) {
    return date.isPresent() && date.get().isBefore(before);
  }

  /** Whether a sum is one with this very version of a slice, or with all of another sum. */
  private static boolean stands(Entry sum, Entry entry) {
    if (entry.isCompacted()) {
      return sum.covers().size() > entry.covers().size()
          && sum.covers().containsAll(entry.covers());
    }
    return sum.covers().stream()
        .anyMatch(one -> one.slice().equals(entry.slice()) && one.version() == entry.version());
  }

  /**
   * Deletes blobs that no entry names, and files that killed runs left on their way, if they are
   * older than the grace time: a run that is at work may be about to name them.
   *
   * @return their names
   */
  public List<String> collect(Duration grace) {
    Instant before = Instant.now().minus(grace);
    List<String> old = new ArrayList<>();
    for (SharedFolder.Item first : folder.list("blobs")) {
      for (SharedFolder.Item blob : folder.list("blobs/" + first.name())) {
        if (blob.modified().isBefore(before)) {
          old.add("blobs/" + first.name() + "/" + blob.name());
        }
      }
    }
    for (SharedFolder.Item series : folder.list("entries")) {
      for (SharedFolder.Item item : folder.list("entries/" + series.name())) {
        if (SharedFolder.isStaging(item.name()) && item.modified().isBefore(before)) {
          old.add("entries/" + series.name() + "/" + item.name());
        }
      }
    }
    // The entries are read after the blobs: what was named in between is kept.
    Set<String> named = new HashSet<>();
    everyVersion().forEach(entry -> named.add(Entry.blobFile(entry.state().sha256())));
    List<String> deleted = new ArrayList<>();
    for (String file : old) {
      boolean isStillOld =
          folder.find(file).filter(item -> item.modified().isBefore(before)).isPresent();
      if (!named.contains(file) && isStillOld) {
        folder.delete(file);
        deleted.add(file);
      }
    }
    return deleted;
  }

  /** Reads everything; returns what is wrong, in a sentence each. */
  public List<String> verify() {
    List<String> wrong = new ArrayList<>();
    for (SharedFolder.Item series : folder.list("entries")) {
      for (SharedFolder.Item item : folder.list("entries/" + series.name())) {
        String file = "entries/" + series.name() + "/" + item.name();
        if (!SharedFolder.isStaging(item.name()) && read(file).isEmpty()) {
          wrong.add(file + " is no whole entry; it counts as not written, remove it");
        }
      }
    }
    Map<String, Boolean> seen = new HashMap<>();
    for (Entry entry : everyVersion()) {
      if (seen.put(entry.file(), true) == null) {
        try {
          readState(entry);
        } catch (TareException e) {
          wrong.add(e.getMessage());
        }
      }
    }
    return wrong;
  }

  /** Its folder, as it was given. */
  @Override
  public String toString() {
    return folder.toString();
  }
}
