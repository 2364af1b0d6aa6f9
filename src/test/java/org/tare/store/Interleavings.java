package org.tare.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Semaphore;

/**
 * Runs two actors in threads, of which one at a time takes one step, in every order of their steps.
 *
 * <p>Of orders that differ only in steps that do not meet (reads, or steps at different places) one
 * is run: such steps give the same, whichever comes first. That is decided by sleep sets: an actor
 * whose next step has been tried sleeps, while the other one goes on, until a step meets it.
 */
final class Interleavings {
  /** Called by an actor before each of its steps. */
  @FunctionalInterface
  interface Steps {
    void before(Access access);

    /** Before a step that all others meet. */
    default void next() {
      before(new Access(Access.Kind.WRITE, "/"));
    }
  }

  /**
   * What a step does.
   *
   * @param path the file or folder; all below it counts
   */
  record Access(Kind kind, String path) {
    enum Kind {
      READ,
      WRITE
    }

    boolean meets(Access other) {
      boolean isWrite = kind == Kind.WRITE || other.kind == Kind.WRITE;
      return isWrite && (holds(other) || other.holds(this));
    }

    private boolean holds(Access other) {
      return path.equals("/") || other.path.equals(path) || other.path.startsWith(path + "/");
    }
  }

  /** What an actor does. */
  @FunctionalInterface
  interface Actor {
    void run(Steps steps);
  }

  /** Two actors on a fresh state, and what must hold when both are through. */
  record Scene(Actor first, Actor second, Runnable check) {}

  /** Makes a fresh scene. */
  @FunctionalInterface
  interface Stage {
    Scene set();
  }

  /** A point where one of two actors goes on. */
  private static final class Choice {
    private final int open;
    private final Access[] pending;
    private int sleeping;
    private int chosen;

    Choice(int open, Access[] pending, int sleeping) {
      this.open = open;
      this.pending = pending;
      this.sleeping = sleeping;
      this.chosen = first(open & ~sleeping);
    }

    private static int first(int actors) {
      return actors == 0 ? -1 : Integer.numberOfTrailingZeros(actors);
    }

    /** Who sleeps after the step that was chosen. */
    int sleepingAfter() {
      int other = 1 - chosen;
      boolean sleepsOn = (sleeping >> other & 1) == 1 && !pending[other].meets(pending[chosen]);
      return sleepsOn ? 1 << other : 0;
    }

    /** Takes the next actor; false if both have been taken, or need not be. */
    boolean advance() {
      sleeping |= 1 << chosen;
      chosen = first(open & ~sleeping);
      return chosen >= 0;
    }
  }

  private Interleavings() {}

  /** All orders; returns how many were run to their end. */
  static int all(Stage stage) {
    List<Choice> schedule = new ArrayList<>();
    int runs = 0;
    do {
      if (run(stage.set(), schedule)) {
        runs++;
      }
      while (!schedule.isEmpty() && !schedule.get(schedule.size() - 1).advance()) {
        schedule.remove(schedule.size() - 1);
      }
    } while (!schedule.isEmpty());
    return runs;
  }

  /** Some orders, drawn by the seed. */
  static void some(Stage stage, int runs, long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < runs; i++) {
      Scene scene = stage.set();
      Turns turns = new Turns(scene);
      List<Integer> order = new ArrayList<>();
      while (turns.open() != 0) {
        int next = turns.open() == 3 ? random.nextInt(2) : turns.open() - 1;
        order.add(next);
        turns.next(next);
      }
      turns.check(order);
    }
  }

  /**
   * Follows the schedule, and adds to it what is chosen after its end; false if the rest has been
   * run in another order.
   */
  private static boolean run(Scene scene, List<Choice> schedule) {
    Turns turns = new Turns(scene);
    List<Integer> order = new ArrayList<>();
    boolean isNew = true;
    while (turns.open() != 0) {
      int next = turns.open() == 2 ? 1 : 0;
      if (isNew) {
        int at = order.size();
        if (at == schedule.size()) {
          int sleeping = at == 0 ? 0 : schedule.get(at - 1).sleepingAfter();
          Choice choice = new Choice(turns.open(), turns.pending(), sleeping);
          isNew = choice.chosen >= 0;
          if (isNew) {
            schedule.add(choice);
          }
        }
        next = isNew ? schedule.get(at).chosen : next;
      }
      if ((turns.open() >> next & 1) == 0) {
        throw new AssertionError("other steps than before, with the order " + order);
      }
      order.add(next);
      turns.next(next);
    }
    if (isNew) {
      turns.check(order);
    }
    return isNew;
  }

  private static final class Turns {
    private final Semaphore back = new Semaphore(0);
    private final List<Semaphore> turn = List.of(new Semaphore(0), new Semaphore(0));
    private final boolean[] done = new boolean[2];
    private final Access[] pending = new Access[2];
    private final Scene scene;
    private Throwable failure;

    Turns(Scene scene) {
      this.scene = scene;
      start(0, scene.first());
      start(1, scene.second());
    }

    private void start(int number, Actor actor) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  actor.run(
                      access -> {
                        pending[number] = access;
                        back.release();
                        turn.get(number).acquireUninterruptibly();
                      });
                } catch (RuntimeException | Error e) {
                  failure = e;
                } finally {
                  done[number] = true;
                  back.release();
                }
              });
      thread.setDaemon(true);
      thread.start();
      // It runs up to its first step.
      back.acquireUninterruptibly();
    }

    int open() {
      return (done[0] ? 0 : 1) | (done[1] ? 0 : 2);
    }

    void next(int number) {
      turn.get(number).release();
      back.acquireUninterruptibly();
    }

    Access[] pending() {
      return pending.clone();
    }

    /** Whether all went well, once both are through. */
    void check(List<Integer> order) {
      try {
        if (failure != null) {
          throw new AssertionError(failure.toString(), failure);
        }
        scene.check().run();
      } catch (RuntimeException | Error e) {
        throw new AssertionError("with the order " + order + ": " + e.getMessage(), e);
      }
    }
  }
}
