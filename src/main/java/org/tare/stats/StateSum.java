package org.tare.stats;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.tare.TareException;

/**
 * Adds up states: rows add up, tensors merge, and so do the lineages. The slice of several slices
 * is all their names, in order. The sum is the same in any order. The time grows with the sizes of
 * the states, however many there are, and the memory with the size of the sum. Not thread-safe.
 */
public final class StateSum {
  private final Duplicates duplicates;
  private final SortedMap<String, TensorStats> tensors = new TreeMap<>();
  private final Lineage.Sum lineages = new Lineage.Sum();
  private final SortedSet<String> slices = new TreeSet<>();
  private CalibrationState first;
  private boolean isOfSlices = true;
  private long rows;

  /** Of nothing yet. */
  public StateSum(Duplicates duplicates) {
    this.duplicates = duplicates;
  }

  /**
   * Adds a state, which is not changed.
   *
   * @throws TareException if it is of another model than those before, holds parts that do not
   *     merge with theirs or too many values, or shares a source with one of them and duplicates
   *     are refused; the sum is then of no use
   */
  public void add(CalibrationState state) {
    if (first == null) {
      first = state;
    } else if (!first.modelDigest().equals(state.modelDigest())) {
      throw TareException.badInput(
          "Cannot merge calibration states of different models: %s and %s",
          named(first.modelDigest()), named(state.modelDigest()));
    }
    Optional<Lineage.Source> shared = lineages.add(state.lineage());
    if (duplicates == Duplicates.REFUSE) {
      shared.ifPresent(StateSum::refuse);
    }
    if (rows + state.rows() < 0) {
      throw TareException.badInput(
          "Cannot merge calibration states: %d and %d rows are above 2^63 - 1, which no count passes",
          rows, state.rows());
    }
    rows += state.rows();
    isOfSlices &= !state.slice().isEmpty();
    slices.addAll(List.of(state.slice().split(" \\+ ")));
    for (Map.Entry<String, TensorStats> entry : state.tensors().entrySet()) {
      try {
        tensors
            .computeIfAbsent(entry.getKey(), name -> TensorStats.empty())
            .merge(entry.getValue());
      } catch (TareException e) {
        throw TareException.of(e.kind(), "Tensor \"" + entry.getKey() + "\": " + e.getMessage())
            .causedBy(e);
      }
    }
  }

  private static void refuse(Lineage.Source source) {
    Lineage.Origin origin = source.origin();
    throw TareException.badInput(
        "Cannot merge calibration states: both hold data %s%s%s%s (%d rows, %s); allow duplicates to"
            + " count it twice",
        origin.data(),
        origin.snapshot().isEmpty() ? "" : ", snapshot " + origin.snapshot(),
        origin.slice().isEmpty() ? "" : ", slice " + origin.slice(),
        origin.sample().isEmpty() ? "" : ", sample " + origin.sample(),
        source.rows(),
        source.run().when());
  }

  private static String named(String digest) {
    return digest.isEmpty() ? "none (columns of a table)" : digest;
  }

  /**
   * The sum, after which nothing is added any more.
   *
   * @throws IllegalStateException if there is no state to add up
   */
  public CalibrationState state() {
    if (first == null) {
      throw new IllegalStateException("no states to add up");
    }
    return new CalibrationState(
        first.modelDigest(),
        isOfSlices ? String.join(" + ", slices) : "",
        rows,
        Collections.unmodifiableSortedMap(tensors),
        lineages.lineage());
  }
}
