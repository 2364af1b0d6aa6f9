package org.tare.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Semaphore;

/**
 * Runs two actors in threads, of which one at a time takes one step, in every order of their steps.
 */
final class Interleavings {
  /** What an actor does; it calls the step before each of its steps. */
  @FunctionalInterface
  interface Actor {
    void run(Runnable step);
  }

  /** Two actors on a fresh state, and what must hold when both are through. */
  record Scene(Actor first, Actor second, Runnable check) {}

  /** Makes a fresh scene. */
  @FunctionalInterface
  interface Stage {
    Scene set();
  }

  private Interleavings() {}

  /** All orders; returns how many there are. */
  static int all(Stage stage) {
    List<Integer> schedule = new ArrayList<>();
    int runs = 0;
    while (true) {
      List<Integer> choices = new ArrayList<>(schedule);
      // Which choices there were: bit by actor.
      List<Integer> open = run(stage.set(), choices, null);
      runs++;
      int last = choices.size() - 1;
      while (last >= 0 && !(choices.get(last) == 0 && open.get(last) == 3)) {
        last--;
      }
      if (last < 0) {
        return runs;
      }
      schedule = new ArrayList<>(choices.subList(0, last));
      schedule.add(1);
    }
  }

  /** Some orders, drawn by the seed. */
  static void some(Stage stage, int runs, long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < runs; i++) {
      run(stage.set(), new ArrayList<>(), random);
    }
  }

  private static List<Integer> run(Scene scene, List<Integer> choices, Random random) {
    Turns turns = new Turns(scene);
    List<Integer> open = new ArrayList<>();
    for (int i = 0; turns.open() != 0; i++) {
      open.add(turns.open());
      if (i == choices.size()) {
        boolean both = turns.open() == 3;
        int free = both && random != null ? random.nextInt(2) : turns.open() == 2 ? 1 : 0;
        choices.add(free);
      }
      turns.next(choices.get(i));
    }
    try {
      turns.rethrow();
      scene.check().run();
    } catch (RuntimeException | Error e) {
      throw new AssertionError("with the order " + choices + ": " + e.getMessage(), e);
    }
    return open;
  }

  private static final class Turns {
    private final Semaphore back = new Semaphore(0);
    private final List<Semaphore> turn = List.of(new Semaphore(0), new Semaphore(0));
    private final boolean[] done = new boolean[2];
    private Throwable failure;

    Turns(Scene scene) {
      start(0, scene.first());
      start(1, scene.second());
    }

    private void start(int number, Actor actor) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  actor.run(
                      () -> {
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

    void rethrow() {
      if (failure != null) {
        throw new AssertionError(failure.toString(), failure);
      }
    }
  }
}
