package org.tare.store;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Takes some runs on one store through every order of all their steps. Where two orders have led to
 * the same state, what follows is taken once: the state is what the store holds and the outcomes
 * that each run has had. So all states are visited that any order leads to.
 *
 * <p>No run is held anywhere between its steps: to take one, it is begun anew with the outcomes
 * that it has had.
 */
final class EveryOrder {
  /** What is run; gives a word on what came of it. */
  @FunctionalInterface
  interface Run {
    String on(ReplayedStore store);
  }

  /**
   * What was visited.
   *
   * @param states all of them
   * @param ends those in which all runs are through
   */
  record Visited(int states, int ends) {}

  /**
   * One run on its way.
   *
   * @param outcomes of its steps so far
   * @param digest of them
   * @param result once it is through, otherwise null
   */
  private record Way(List<Object> outcomes, String digest, String result) {
    /** One step further. */
    Way then(List<Object> longer, String word) {
      String rest =
          longer.subList(outcomes.size(), longer.size()).stream()
              .map(ReplayedStore::text)
              .collect(Collectors.joining("\n"));
      return new Way(longer, EveryOrder.digest(digest + rest + word), word);
    }
  }

  /**
   * @param order which run took each step that led here
   */
  private record State(MemoryStore store, List<Way> ways, String order) {
    String digest() {
      return EveryOrder.digest(
          ways.stream().map(Way::digest).collect(Collectors.joining(" ")) + store.contents());
    }
  }

  private EveryOrder() {}

  private static String digest(String text) {
    return HexFormat.of()
        .formatHex(FolderProof.sha256().digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  /**
   * @param check called at each end with the store and the words of the runs
   */
  static Visited of(
      MemoryStore store, List<Run> runs, BiConsumer<MemoryStore, List<String>> check) {
    State first =
        new State(store, runs.stream().map(run -> new Way(List.of(), "", null)).toList(), "");
    Deque<State> open = new ArrayDeque<>(List.of(first));
    Set<String> seen = new HashSet<>(Set.of(first.digest()));
    int ends = 0;
    while (!open.isEmpty()) {
      State state = open.pop();
      List<Integer> going =
          IntStream.range(0, runs.size())
              .filter(i -> state.ways.get(i).result == null)
              .boxed()
              .toList();
      for (int i : going) {
        State next = step(state, i, runs.get(i));
        if (seen.add(next.digest())) {
          open.push(next);
        }
      }
      if (going.isEmpty()) {
        ends++;
        try {
          check.accept(state.store, state.ways.stream().map(Way::result).toList());
        } catch (RuntimeException | Error e) {
          throw new AssertionError("with the order " + state.order + ": " + e.getMessage(), e);
        }
      }
    }
    return new Visited(seen.size(), ends);
  }

  private static State step(State state, int number, Run run) {
    MemoryStore store = state.store.copy();
    List<Object> outcomes = new ArrayList<>(state.ways.get(number).outcomes);
    String order = state.order + number;
    String result = null;
    try {
      result = run.on(new ReplayedStore(store, outcomes, number));
    } catch (ReplayedStore.Stopped e) {
      // It goes on from there.
    } catch (RuntimeException | Error e) {
      throw new AssertionError("with the order " + order + ": " + e, e);
    }
    List<Way> ways = new ArrayList<>(state.ways);
    ways.set(number, ways.get(number).then(outcomes, result));
    return new State(store, ways, order);
  }
}
