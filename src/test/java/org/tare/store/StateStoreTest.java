package org.tare.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.TareException;
import org.tare.files.Owner;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;
import org.tare.store.FolderStore.Moves;
import org.tare.store.states.Entry;
import org.tare.store.states.Slice;
import org.tare.store.states.StateKey;
import org.tare.store.states.StateStore;
import org.tare.store.states.StateStore.OnOther;
import org.tare.store.states.StateStore.Outcome;
import org.tare.store.states.Window;

/** The state store: what was added stays, counts once, and survives kills and other writers. */
class StateStoreTest {
  private static final String MODEL = "a".repeat(64);
  private static final String CONFIG = "c".repeat(64);
  private static final StateKey KEY = new StateKey(MODEL, CONFIG);

  private static final class Killed extends Error {
    private static final long serialVersionUID = 1L;
  }

  private static StateStore open(FolderStore store) {
    return StateStore.in(new SharedFolder(store, new Path("/data/states"), "state store", "s"));
  }

  /** A day's state: its values tell it from every other day's. */
  private static CalibrationState state(int day, String data) {
    float[] values = new float[16];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i - 3) * (day + 0.5f);
    }
    TensorStats stats = TensorStats.empty();
    new StatsObserver().observe(stats, values, 0, values.length);
    TreeMap<String, TensorStats> tensors = new TreeMap<>();
    tensors.put("x", stats);
    CalibrationState state = new CalibrationState(MODEL, 4, tensors);
    return state.withLineage(
        Lineage.of(
            new Lineage.Source(
                new Lineage.Origin(data, "v" + data, "", "", List.of("x")),
                state.rows(),
                state.digest(),
                new Lineage.Run(CONFIG, Instant.EPOCH, new TreeMap<>()))));
  }

  private static Slice day(int day) {
    return new Slice(String.format("2026-11-%02d", day));
  }

  private static StateStore.Added add(StateStore store, int day) {
    return store.add(state(day, "day" + day), day(day), OnOther.REFUSE, "test");
  }

  private static Window.Days days(int first, int last) {
    return new Window.Days(LocalDate.of(2026, 11, first), LocalDate.of(2026, 11, last));
  }

  private static CalibrationState sum(int first, int last) {
    CalibrationState sum = state(first, "day" + first);
    for (int day = first + 1; day <= last; day++) {
      sum = sum.merge(state(day, "day" + day));
    }
    return sum;
  }

  private static void assertWindow(StateStore store, int first, int last) {
    assertArrayEquals(
        sum(first, last).encode(),
        store.window(KEY, days(first, last), Window.Missing.REFUSE).state().encode());
  }

  private static String message(Runnable call, TareException.Kind kind) {
    TareException e = assertThrows(TareException.class, call::run);
    assertEquals(kind, e.kind(), e.getMessage());
    return e.getMessage();
  }

  @ParameterizedTest
  @EnumSource(Moves.class)
  void windowIsTheSumOfItsDaysAndNamesThoseThatAreMissing(Moves moves) {
    StateStore store = open(new MemoryStore(moves));
    assertEquals(List.of(), store.entries(), "a store that is not there yet");
    for (int day : new int[] {9, 3, 7, 4, 6, 8}) {
      assertEquals(Outcome.ADDED, add(store, day).outcome());
    }
    assertTrue(
        message(
                () -> store.window(KEY, days(3, 9), Window.Missing.REFUSE),
                TareException.Kind.MISSING_INPUT)
            .endsWith("no slice of 2026-11-05; --allow-missing goes without"));
    Window without = store.window(KEY, days(3, 9), Window.Missing.ALLOW);
    assertEquals(Set.of(LocalDate.of(2026, 11, 5)), without.missing());
    assertEquals(24, without.state().rows());
    add(store, 5);
    assertWindow(store, 3, 9);
    assertWindow(store, 4, 4);
    assertTrue(
        message(
                () -> store.window(KEY, days(20, 22), Window.Missing.ALLOW),
                TareException.Kind.MISSING_INPUT)
            .contains("no slice of any day"));
    assertEquals(List.of(), store.verify());
  }

  @ParameterizedTest
  @EnumSource(Moves.class)
  void sliceCountsOnceHoweverOftenItIsAdded(Moves moves) {
    StateStore store = open(new MemoryStore(moves));
    add(store, 3);
    assertEquals(Outcome.SAME, add(store, 3).outcome());
    assertWindow(store, 3, 3);
    CalibrationState other = state(30, "other");
    String refusal =
        message(
            () -> store.add(other, day(3), OnOther.REFUSE, "test"), TareException.Kind.BAD_INPUT);
    assertTrue(refusal.contains("it is there with other numbers (4 rows of day3"), refusal);
    StateStore.Added replaced = store.add(other, day(3), OnOther.REPLACE, "test");
    assertEquals(Outcome.REPLACED, replaced.outcome());
    assertEquals(2, replaced.entry().version());
    assertArrayEquals(
        other.encode(), store.window(KEY, days(3, 3), Window.Missing.REFUSE).state().encode());
    // The same data under the name of another day is found when they meet.
    store.add(other, day(4), OnOther.REFUSE, "test");
    assertTrue(
        message(
                () -> store.window(KEY, days(3, 4), Window.Missing.REFUSE),
                TareException.Kind.BAD_INPUT)
            .contains("both hold data other"));
  }

  /** Every order of the steps that change something, and of looks at the folder of entries. */
  @ParameterizedTest
  @EnumSource(Moves.class)
  void twoWritersLoseNothing(Moves moves) {
    for (int second : new int[] {3, 4, 33}) {
      int runs =
          Interleavings.all(
              () -> {
                MemoryStore memory = new MemoryStore(moves);
                List<String> outcomes = new ArrayList<>();
                int slice = second == 33 ? 3 : second;
                return new Interleavings.Scene(
                    step -> outcomes.add("1 " + tryToAdd(memory, step::run, 3, 3)),
                    step -> outcomes.add("2 " + tryToAdd(memory, step::run, second, slice)),
                    () -> {
                      StateStore store = open(memory);
                      assertEquals(List.of(), store.verify());
                      if (second == 4) {
                        assertEquals(List.of(Outcome.ADDED, Outcome.ADDED), kinds(outcomes));
                        assertWindow(store, 3, 4);
                      } else if (second == 3) {
                        assertEquals(List.of(Outcome.ADDED, Outcome.SAME), kinds(outcomes));
                        assertWindow(store, 3, 3);
                      } else {
                        assertEquals(1, kinds(outcomes).size(), outcomes.toString());
                        assertTrue(outcomes.toString().contains("other numbers"));
                        int winner = outcomes.contains("1 ADDED") ? 3 : 33;
                        assertEquals(
                            state(winner, "day" + winner),
                            store.window(KEY, days(3, 3), Window.Missing.REFUSE).state());
                      }
                    });
              });
      assertTrue(runs > 5, "only " + runs + " orders");
    }
  }

  private static String tryToAdd(MemoryStore memory, Runnable step, int numbers, int slice) {
    StateStore store =
        open(
            new SteppedStore(
                memory,
                (name, path) -> {
                  boolean isEntry = path.toString().contains("entries");
                  if (name.equals("moveFile")
                      || (isEntry && Set.of("list", "create").contains(name))) {
                    step.run();
                  }
                }));
    try {
      return store
          .add(state(numbers, "day" + numbers), day(slice), OnOther.REFUSE, "test")
          .outcome()
          .name();
    } catch (TareException e) {
      return e.getMessage();
    }
  }

  private static List<Outcome> kinds(List<String> outcomes) {
    return outcomes.stream()
        .map(line -> line.substring(2))
        .filter(line -> !line.contains(" "))
        .map(Outcome::valueOf)
        .sorted()
        .toList();
  }

  @ParameterizedTest
  @EnumSource(Moves.class)
  void killedBeforeAnyStepLeavesAWholeStore(Moves moves) {
    int steps = 0;
    for (boolean killed = true; killed; steps++) {
      MemoryStore memory = new MemoryStore(moves);
      StateStore before = open(memory);
      for (int day = 3; day <= 6; day++) {
        add(before, day);
      }
      before.compact(KEY, days(3, 4), "test");
      int[] left = {steps};
      StateStore store =
          open(
              new SteppedStore(
                  memory,
                  (step, path) -> {
                    if (!Set.of("find", "list", "open").contains(step) && left[0]-- <= 0) {
                      throw new Killed();
                    }
                  }));
      killed = false;
      try {
        add(store, 7);
        store.add(state(5, "day5"), day(5), OnOther.REPLACE, "test");
        store.compact(KEY, days(5, 6), "test");
        store.expire(LocalDate.of(2026, 11, 3));
        store.collect(Duration.ZERO);
      } catch (Killed e) {
        killed = true;
      }
      StateStore after = open(SteppedStore.later(memory));
      // Without atomic moves a file that was begun is there, and harms nobody.
      List<String> damage = new ArrayList<>(after.verify());
      damage.removeIf(
          line ->
              moves == Moves.NONE
                  && line.endsWith(".json is no whole entry; it counts as not written, remove it"));
      assertEquals(List.of(), damage, "after " + steps + " steps");
      assertWindow(after, 3, 6);
      add(after, 7);
      assertWindow(after, 3, 7);
    }
    assertTrue(steps > 10, "only " + steps + " steps");
  }

  @ParameterizedTest
  @EnumSource(Moves.class)
  void compactedDaysStandForTheirSlicesAndCountOnce(Moves moves) {
    StateStore store = open(new MemoryStore(moves));
    for (int day = 3; day <= 9; day++) {
      add(store, day);
    }
    Entry sum = store.compact(KEY, days(4, 6), "test").entry();
    assertEquals(
        List.of(day(4), day(5), day(6)), sum.covers().stream().map(Entry.Covered::slice).toList());
    assertWindow(store, 3, 9);
    assertEquals(5, store.window(KEY, days(3, 9), Window.Missing.REFUSE).parts().size());
    assertWindow(store, 5, 9);
    assertEquals(3, store.expire(LocalDate.of(2026, 1, 1)).size());
    assertWindow(store, 3, 9);
    assertTrue(
        message(
                () -> store.window(KEY, days(5, 9), Window.Missing.REFUSE),
                TareException.Kind.MISSING_INPUT)
            .contains("no slice of 2026-11-05, 2026-11-06; compacted 20261104-20261106 has days"));
    assertTrue(
        message(
                () -> store.add(state(40, "x"), day(4), OnOther.REPLACE, "test"),
                TareException.Kind.BAD_INPUT)
            .contains("part of the compacted"));
    assertEquals(List.of(), store.collect(Duration.ofDays(1)), "all are young");
    assertEquals(3, store.collect(Duration.ofSeconds(-5)).size());
    assertWindow(store, 3, 9);
    // A sum of sums; then the older days go.
    store.compact(KEY, days(3, 7), "test");
    store.expire(LocalDate.of(2026, 1, 1));
    assertEquals(3, store.entries().size());
    assertWindow(store, 3, 9);
    store.expire(LocalDate.of(2026, 11, 9));
    assertEquals(List.of(day(9)), store.entries().stream().map(Entry::slice).toList());
    assertEquals(List.of(), store.verify());
  }

  /** The connection breaks when the file is there, or before it is. */
  @Test
  void outcomeOfACommitIsLookedUpWhenTheAnswerIsLost() {
    for (boolean arrives : new boolean[] {true, false}) {
      MemoryStore memory = new MemoryStore(Moves.NONE);
      boolean[] breaks = {true};
      FolderStore breaking =
          new SteppedStore(memory, (step, path) -> {}) {
            @Override
            public OutputStream create(Path file) throws IOException {
              boolean isBroken = breaks[0] && file.toString().contains("entries");
              OutputStream out = super.create(file);
              return !isBroken
                  ? out
                  : new FilterOutputStream(out) {
                    @Override
                    public void close() throws IOException {
                      breaks[0] = false;
                      if (arrives) {
                        super.close();
                      } else {
                        memory.delete(file);
                      }
                      throw new IOException("connection reset");
                    }
                  };
            }
          };
      StateStore store = open(breaking);
      if (arrives) {
        assertEquals(Outcome.ADDED, add(store, 3).outcome());
      } else {
        assertThrows(TareException.class, () -> add(store, 3));
        assertEquals(Outcome.ADDED, add(store, 3).outcome());
      }
      assertWindow(store, 3, 3);
    }
  }

  @Test
  void everyFlippedBitAndEveryCutIsFound() throws IOException {
    MemoryStore memory = new MemoryStore(Moves.ATOMIC);
    StateStore store = open(memory);
    Entry entry = add(store, 3).entry();
    Path blob =
        new Path(
            "/data/states/blobs/"
                + entry.state().sha256().substring(0, 2)
                + "/"
                + entry.state().sha256()
                + ".tare");
    Path file = new Path("/data/states/entries/" + KEY.id() + "/2026-11-03~000001.json");
    for (Path damaged : List.of(blob, file)) {
      byte[] good = FolderProof.read(memory, damaged);
      for (int bit = 0; bit < good.length * 8; bit++) {
        byte[] bad = good.clone();
        bad[bit / 8] ^= (byte) (1 << bit % 8);
        put(memory, damaged, bad);
        assertEquals(1, store.verify().size(), damaged + ", bit " + bit);
      }
      for (int length = 0; length < good.length; length++) {
        put(memory, damaged, java.util.Arrays.copyOf(good, length));
        assertEquals(1, store.verify().size(), damaged + ", cut to " + length);
      }
      put(memory, damaged, good);
    }
    assertEquals(List.of(), store.verify());
    memory.delete(blob);
    assertTrue(store.verify().get(0).endsWith("(slice 2026-11-03): there is no such file"));
  }

  private static void put(MemoryStore memory, Path file, byte[] content) throws IOException {
    try (OutputStream out = memory.overwrite(file)) {
      out.write(content);
    }
  }

  @Test
  void foldersOfOthersAreLeftAlone() throws IOException {
    MemoryStore memory = new MemoryStore(Moves.ATOMIC);
    memory.makeFolder(new Path("/data/states"));
    assertEquals(List.of(), open(memory).entries(), "an empty folder");
    put(memory, new Path("/data/states/thesis.txt"), new byte[] {1});
    assertTrue(
        message(() -> open(memory), TareException.Kind.BAD_INPUT)
            .contains("it holds no _TARE_STATES.json, so it is another folder"));
  }

  @Test
  void aFolderInThePlaceOfAFileIsNamed(@TempDir java.nio.file.Path folder) throws IOException {
    Path place = new Path(folder.resolve("states").toUri());
    SharedFolder shared = new SharedFolder(new LocalStore(), place, "state store", "s");
    StateStore store = StateStore.in(shared);
    store.add(state(1, "d1"), new Slice("2026-11-01"), OnOther.REFUSE, "test");
    java.nio.file.Path mark = folder.resolve("states/_TARE_STATES.json");
    Files.delete(mark);
    Files.createDirectory(mark);
    String told = message(() -> StateStore.in(shared), TareException.Kind.BAD_INPUT);
    assertEquals(
        "Cannot read state store s: it is a folder, and has to be a file (" + mark + ")", told);
  }

  @Test
  void namesOfSlicesAreChecked() {
    for (String name : List.of("", " ", "2026-11-31", "2026-11-01/2026-11-02", "x".repeat(161))) {
      message(() -> new Slice(name), TareException.Kind.USAGE);
    }
    assertFalse(new Slice("all of it").date().isPresent());
    assertEquals(
        LocalDate.of(2026, 11, 25), new Slice("country=DE/2026-11-25").date().orElseThrow());
    MemoryStore memory = new MemoryStore(Moves.ATOMIC);
    StateStore store = open(memory);
    List<String> names = List.of("../2026-11-03", "a/b", "a_2fb", "A", "a", "ä", ".x", "~000001");
    for (int i = 0; i < names.size(); i++) {
      store.add(state(i, "d" + i), new Slice(names.get(i)), OnOther.REFUSE, "test");
    }
    assertEquals(names.size(), store.entries().size());
    assertEquals(List.of(), store.verify());
  }

  @Test
  void leaseOfALivingProcessHoldsAndThatOfADeadOneIsTaken() {
    MemoryStore memory = new MemoryStore(Moves.ATOMIC);
    SharedFolder folder = new SharedFolder(memory, new Path("/data/x"), "folder", "x");
    try (Lease lease = folder.lease("lease", Duration.ofMinutes(1)).orElseThrow()) {
      assertTrue(lease.isHeld());
      assertTrue(folder.lease("lease", Duration.ofMinutes(1)).isEmpty());
    }
    Owner here = Owner.current();
    folder.replace("lease", new Owner(here.user(), here.machine(), here.pid(), "before").encode());
    try (Lease lease = folder.lease("lease", Duration.ofDays(1)).orElseThrow()) {
      assertTrue(lease.isHeld(), "its owner is seen to have ended");
      folder.replace("lease", new Owner(here.user(), "elsewhere", 1, "once").encode());
      assertFalse(lease.isHeld(), "another has taken it");
    }
    assertTrue(folder.lease("lease", Duration.ofDays(1)).isEmpty(), "its owner cannot be seen");
    try (Lease lease = folder.lease("lease", Duration.ZERO).orElseThrow()) {
      assertTrue(lease.isHeld(), "it was not renewed");
    }
    assertTrue(folder.find("lease").isEmpty());
  }
}
