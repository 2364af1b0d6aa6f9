package org.tare.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.TareException;
import org.tare.files.Owner;

/** Publishing that is killed before each of its steps, and that meets others between any two. */
class PublishingTest {
  private static final Path PLACE = new Path("/data/out");

  /** Steps where moves are atomic: the moves, and when a look begins and reads the manifest. */
  private static final Set<String> COARSE = Set.of("move", "find", "open");

  private static final List<String> NAMES = List.of("one", "two");
  private static final Owner HERE = Owner.current();
  private static final Owner DEAD = new Owner(HERE.user(), HERE.machine(), HERE.pid(), "before");
  private static final Owner ELSEWHERE = new Owner(HERE.user(), "another machine", 1, "once");

  @TempDir java.nio.file.Path folder;

  /**
   * The process has ended: it does nothing any more, not even what stands in its finally blocks.
   */
  private static final class Killed extends Error {
    private static final long serialVersionUID = 1L;
  }

  @ParameterizedTest
  @CsvSource({"ATOMIC,true", "ATOMIC,false", "NONE,true", "NONE,false"})
  void killedBeforeAnyStepLeavesOneWholeResult(FolderStore.Moves moves, boolean former) {
    int steps = 0;
    for (; isKilledAt(steps, new MemoryStore(moves), PLACE, former); steps++) {}
    assertTrue(steps > (moves == FolderStore.Moves.ATOMIC ? 10 : 20), "only " + steps + " steps");
  }

  @ParameterizedTest
  @CsvSource({"ATOMIC,true", "NONE,true"})
  void killedBeforeAnyStepOnTheLocalFileSystem(FolderStore.Moves moves, boolean former)
      throws IOException {
    boolean killed = true;
    for (int step = 0; killed; step++) {
      FolderStore local = new LocalStore();
      Path place = new Path(Files.createDirectory(folder.resolve("" + step)).toString(), "out");
      killed =
          isKilledAt(
              step, moves == FolderStore.Moves.ATOMIC ? local : withoutMoves(local), place, former);
    }
  }

  private static FolderStore withoutMoves(FolderStore store) {
    return new FolderStore() {
      @Override
      public Moves moves() {
        return Moves.NONE;
      }

      @Override
      public Optional<Entry> find(Path path) throws IOException {
        return store.find(path);
      }

      @Override
      public List<Entry> list(Path folder) throws IOException {
        return store.list(folder);
      }

      @Override
      public java.io.InputStream open(Path file) throws IOException {
        return store.open(file);
      }

      @Override
      public void makeFolder(Path folder) throws IOException {
        store.makeFolder(folder);
      }

      @Override
      public OutputStream create(Path file) throws IOException {
        return store.create(file);
      }

      @Override
      public OutputStream overwrite(Path file) throws IOException {
        return store.overwrite(file);
      }

      @Override
      public void move(Path folder, Path place) {
        throw new UnsupportedOperationException();
      }

      @Override
      public void moveFile(Path file, Path place, Existing existing) {
        throw new UnsupportedOperationException();
      }

      @Override
      public void delete(Path path) throws IOException {
        store.delete(path);
      }

      @Override
      public void copyAccess(Path from, Path to) {
        store.copyAccess(from, to);
      }
    };
  }

  /** Kills a run before the step, then starts another; false if the run had no such step. */
  private static boolean isKilledAt(int at, FolderStore store, Path place, boolean former) {
    if (former) {
      output(store, place, Existing.REFUSE, HERE).publish(content("former"));
    }
    int[] steps = {0};
    boolean killed = false;
    FolderStore mortal =
        new SteppedStore(
            store,
            (step, path) -> {
              if (steps[0]++ >= at) {
                throw new Killed();
              }
            });
    try {
      output(mortal, place, Existing.REPLACE, DEAD).publish(content("killed"));
    } catch (Killed e) {
      killed = true;
    }
    String context = "killed before step " + at + ": ";
    OutputFolder next = output(SteppedStore.later(store), place, Existing.REPLACE, HERE);
    check(next);
    Set<String> expected = former ? Set.of("former", "killed") : Set.of("", "killed");
    assertTrue(expected.contains(found(store, place)), () -> context + found(store, place));
    assertEquals(
        found(store, place).isEmpty() ? Set.of() : Set.of("out"), names(store, place), context);
    next.publish(content("next"));
    assertEquals("next", found(store, place), context);
    assertEquals(Set.of("out"), names(store, place), context);
    return killed;
  }

  /** A claim that was just begun may be of a living run, so nobody takes it. */
  @Test
  void aClaimThatIsCutOffHoldsForSomeMinutes() throws IOException {
    FolderStore store = new MemoryStore(FolderStore.Moves.NONE);
    store.makeFolder(PLACE.getParent());
    Path claim = new Path("/data/.out.claim");
    byte[] whole = HERE.encode();
    for (int length : new int[] {0, 5, 13, whole.length - 1}) {
      try (OutputStream out = store.overwrite(claim)) {
        out.write(whole, 0, length);
      }
      OutputFolder now = output(store, PLACE, Existing.REPLACE, HERE);
      TareException e = assertThrows(TareException.class, () -> now.publish(content("now")));
      assertTrue(
          e.getMessage().contains("another run is writing it at this moment"), e.getMessage());
      output(SteppedStore.later(store), PLACE, Existing.REPLACE, HERE)
          .publish(content("later" + length));
      assertEquals("later" + length, found(store, PLACE));
      assertTrue(store.find(claim).isEmpty(), "of " + length);
    }
    // That of a later version of Tare is not cut off.
    try (OutputStream out = store.overwrite(claim)) {
      out.write("tare-owner 2\nuser=u\n".getBytes(StandardCharsets.UTF_8));
    }
    OutputFolder next = output(SteppedStore.later(store), PLACE, Existing.REPLACE, HERE);
    assertThrows(TareException.class, () -> next.publish(content("next")));
  }

  /** A run that may not replace anything either publishes or finds the place taken. */
  @ParameterizedTest
  @EnumSource(FolderStore.Moves.class)
  void ofTwoRunsIntoANewFolderOneWinsAndTheOtherKeepsItsResult(FolderStore.Moves moves) {
    int orders =
        Interleavings.all(
            () -> {
              FolderStore store = new MemoryStore(moves);
              Run one = new Run(store, "one", Existing.REFUSE, HERE);
              Run two = new Run(store, "two", Existing.REFUSE, HERE);
              return new Interleavings.Scene(
                  one,
                  two,
                  () -> {
                    assertTrue(one.kept.isEmpty() != two.kept.isEmpty(), "one of two wins");
                    String winner = one.kept.isEmpty() ? "one" : "two";
                    assertEquals(winner, found(store, PLACE));
                    assertAllThere(store, List.of(one.kept, two.kept));
                  });
            });
    assertTrue(orders >= (moves == FolderStore.Moves.ATOMIC ? 2 : 100), orders + " orders");
  }

  /** Neither mixes with the other, nor loses its result. */
  @ParameterizedTest
  @CsvSource({"ATOMIC,3000,50", "NONE,5000,30"})
  void twoRunsThatReplaceInEveryOrderOfAllTheirSteps(
      FolderStore.Moves moves, int states, int ends) {
    MemoryStore start = new MemoryStore(moves);
    output(start, PLACE, Existing.REFUSE, HERE).publish(content("former"));
    EveryOrder.Visited visited =
        EveryOrder.of(
            start,
            List.of(replacing("one"), replacing("two")),
            (store, kept) -> {
              if (moves == FolderStore.Moves.ATOMIC) {
                assertEquals(List.of("", ""), kept, "both replace, one after the other");
              }
              List<String> winners = new ArrayList<>(List.of("one", "two"));
              winners.removeIf(name -> !kept.get(NAMES.indexOf(name)).isEmpty());
              assertTrue(winners.contains(found(store, PLACE)), found(store, PLACE));
              assertAllThere(store, kept);
            });
    assertTrue(visited.states() > states && visited.ends() >= ends, visited::toString);
  }

  /** A run for {@link EveryOrder}; its word is where its result is kept, if that was refused. */
  private static EveryOrder.Run replacing(String name) {
    return store -> {
      Run run = new Run(store, name, Existing.REPLACE, HERE);
      run.publish(store);
      return store.fixed(run.kept);
    };
  }

  @Test
  void aRunThatReplacesMeetsOneThatMayNot() {
    int orders =
        Interleavings.all(
            () -> {
              FolderStore store = new MemoryStore(FolderStore.Moves.ATOMIC);
              output(store, PLACE, Existing.REFUSE, HERE).publish(content("former"));
              Run one = new Run(store, "one", Existing.REPLACE, HERE);
              Run two = new Run(store, "two", Existing.REFUSE, HERE);
              return new Interleavings.Scene(
                  one,
                  two,
                  () -> {
                    assertEquals("one", found(store, PLACE));
                    assertAllThere(store, List.of(one.kept, two.kept));
                  });
            });
    assertTrue(orders > 5, orders + " orders");
  }

  /** Somebody puts a file into the folder, or makes the folder anew, at any moment. */
  @Test
  void aFileThatAppearsIsNeverDeleted() {
    int orders =
        Interleavings.all(
            () -> {
              FolderStore store = new MemoryStore(FolderStore.Moves.ATOMIC);
              output(store, PLACE, Existing.REFUSE, HERE).publish(content("former"));
              Run one = new Run(store, "one", Existing.REPLACE, HERE);
              Interleavings.Actor user =
                  step -> {
                    step.run();
                    put(store, new Path(PLACE, "notes.txt"));
                  };
              return new Interleavings.Scene(
                  one,
                  user,
                  () -> {
                    boolean isThere = !text(store, new Path(PLACE, "notes.txt")).isEmpty();
                    for (String name : names(store, PLACE)) {
                      isThere |=
                          !text(store, new Path(PLACE.getParent(), name + "/notes.txt")).isEmpty();
                    }
                    assertTrue(isThere, "the file is gone: " + store);
                    String result = one.kept.isEmpty() ? "out" : one.kept;
                    assertEquals("one", found(store, new Path(PLACE.getParent(), result)));
                    assertFalse(store.toString().contains(".staging-"), store::toString);
                  });
            });
    assertTrue(orders > 5, orders + " orders");
  }

  /** Another machine's start puts the former folder back while the run is between its moves. */
  @ParameterizedTest
  @EnumSource(FolderStore.Moves.class)
  void theStartOfAnotherRunDoesNotDisturbOneOfAnotherMachine(FolderStore.Moves moves) {
    Interleavings.Stage stage =
        () -> {
          FolderStore store = new MemoryStore(moves);
          output(store, PLACE, Existing.REFUSE, HERE).publish(content("former"));
          Run one = new Run(store, "one", Existing.REPLACE, ELSEWHERE);
          Interleavings.Actor start =
              step -> {
                try {
                  check(output(stepped(store, step), PLACE, Existing.REPLACE, HERE));
                } catch (TareException e) {
                  // Where files are copied to their place, it may see some of them.
                  assertEquals(FolderStore.Moves.NONE, moves, e.getMessage());
                }
              };
          return new Interleavings.Scene(
              one,
              start,
              () -> {
                assertEquals("", one.kept);
                assertEquals("one", found(store, PLACE));
                assertEquals(Set.of("out"), names(store, PLACE));
              });
        };
    Interleavings.some(stage, 200, 7);
  }

  /** Two starts find the same killed run. */
  @ParameterizedTest
  @EnumSource(FolderStore.Moves.class)
  void twoStartsRecoverTheSameKilledRun(FolderStore.Moves moves) {
    for (int at = 8; at < 40; at += 2) {
      int killedAt = at;
      Interleavings.Stage stage =
          () -> {
            FolderStore store = new MemoryStore(moves);
            output(store, PLACE, Existing.REFUSE, HERE).publish(content("former"));
            int[] done = {0};
            SteppedStore.Hook kill =
                (step, path) -> {
                  if (done[0]++ >= killedAt) {
                    throw new Killed();
                  }
                };
            try {
              output(new SteppedStore(store, kill), PLACE, Existing.REPLACE, DEAD)
                  .publish(content("killed"));
            } catch (Killed e) {
              // As it should be.
            }
            Interleavings.Actor start =
                step -> {
                  try {
                    check(output(stepped(store, step), PLACE, Existing.REPLACE, HERE));
                  } catch (TareException e) {
                    // It may see what the other start is copying.
                    assertEquals(FolderStore.Moves.NONE, moves, e.getMessage());
                  }
                };
            return new Interleavings.Scene(
                start,
                start,
                () -> {
                  check(output(SteppedStore.later(store), PLACE, Existing.REPLACE, HERE));
                  assertTrue(
                      Set.of("former", "killed").contains(found(store, PLACE)), store::toString);
                  assertEquals(Set.of("out"), names(store, PLACE));
                });
          };
      Interleavings.some(stage, 10, at);
    }
  }

  @Test
  void theLoserSaysWhereItsResultIs() {
    FolderStore store = new MemoryStore(FolderStore.Moves.ATOMIC);
    OutputFolder late = output(store, PLACE, Existing.REFUSE, HERE);
    check(late);
    output(store, PLACE, Existing.REFUSE, HERE).publish(content("early"));
    TareException e = assertThrows(TareException.class, () -> late.publish(content("late")));
    assertEquals(TareException.Kind.CANNOT_WRITE, e.kind());
    assertTrue(
        e.getMessage()
            .matches(
                "Cannot write output /data/out: it appeared while this run was at work; the result"
                    + " of this run is kept in /data/out\\.unpublished-[0-9a-f]{8}"),
        e.getMessage());
    assertEquals("early", found(store, PLACE));
  }

  /** A run that publishes, and notes where its result is kept if that was refused. */
  private static final class Run implements Interleavings.Actor {
    private final FolderStore store;
    private final String name;
    private final Existing existing;
    private final Owner owner;
    private String kept = "";

    Run(FolderStore store, String name, Existing existing, Owner owner) {
      this.store = store;
      this.name = name;
      this.existing = existing;
      this.owner = owner;
    }

    @Override
    public void run(Runnable step) {
      publish(stepped(store, step));
    }

    void publish(FolderStore view) {
      try {
        output(view, PLACE, existing, owner).publish(content(name));
      } catch (TareException e) {
        assertTrue(
            e.getMessage().contains("; the result of this run is kept in /data/out."),
            e.toString());
        kept = e.getMessage().substring(e.getMessage().lastIndexOf('/') + 1);
      }
    }
  }

  /**
   * Each result that was not published is kept whole, and nothing else is left.
   *
   * @param kept where the result of each of {@link #NAMES} is kept; empty if it was published
   */
  private static void assertAllThere(FolderStore store, List<String> kept) {
    Set<String> expected = new TreeSet<>(Set.of("out"));
    for (int i = 0; i < kept.size(); i++) {
      if (!kept.get(i).isEmpty()) {
        assertEquals(NAMES.get(i), found(store, new Path(PLACE.getParent(), kept.get(i))));
        expected.add(kept.get(i));
      }
    }
    assertEquals(expected, names(store, PLACE));
  }

  /**
   * Tells steps: the moves and when a look begins; where there is a claim, its file matters, and
   * that nobody writes to the place without it. The other side of a move is a run's own working
   * folder.
   */
  private static FolderStore stepped(FolderStore store, Runnable step) {
    boolean isAtomic = store.moves() == FolderStore.Moves.ATOMIC;
    return new SteppedStore(
        store,
        (what, path) -> {
          String name = path.getName();
          boolean isOwn = path.toString().contains(".staging-");
          boolean isStep =
              isAtomic
                  ? COARSE.contains(what)
                  : name.contains(".claim")
                      || name.equals("a.txt")
                      || name.equals(OutputFolder.SUCCESS);
          if (isStep && !isOwn && !what.equals("write")) {
            step.run();
          }
        });
  }

  private static OutputFolder output(
      FolderStore store, Path place, Existing existing, Owner owner) {
    return new OutputFolder(store, place, Paths.shown(place), existing, owner);
  }

  private static void check(OutputFolder output) {
    try {
      output.check("out");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, byte[]> content(String name) {
    byte[] text = name.getBytes(StandardCharsets.UTF_8);
    return Map.of("a.txt", text, "b/" + name + ".txt", text);
  }

  /** Whose result is at the place; fails if it is not whole and its own. */
  private static String found(FolderStore store, Path place) {
    try {
      if (store.find(place).isEmpty()) {
        return "";
      }
      String name = text(store, new Path(place, "a.txt"));
      assertEquals(name, text(store, new Path(place, "b/" + name + ".txt")));
      assertTrue(store.find(new Path(place, OutputFolder.SUCCESS)).isPresent(), store::toString);
      return name
          + FolderProof.objection(store, place, FolderProof.Depth.CONTENTS)
              .filter(reason -> !reason.contains("notes.txt"))
              .orElse("");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String text(FolderStore store, Path file) {
    try {
      return store.find(file).isPresent()
          ? new String(FolderProof.read(store, file), StandardCharsets.UTF_8)
          : "";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void put(FolderStore store, Path file) {
    try {
      store.makeFolder(file.getParent());
      try (OutputStream out = store.create(file)) {
        out.write('x');
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Set<String> names(FolderStore store, Path place) {
    try {
      Set<String> names = new TreeSet<>();
      store.list(place.getParent()).forEach(entry -> names.add(entry.name()));
      return names;
    } catch (IOException e) {
      return new TreeSet<>();
    }
  }
}
