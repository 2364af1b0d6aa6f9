package org.tare.drift;

import java.util.ArrayList;
import java.util.List;
import org.tare.stats.TensorStats;

/**
 * The buckets of two tensors' histograms, zeros among them, side by side in ascending order.
 *
 * <p>The values of a bucket stand in its middle, but none beyond the least and the greatest value:
 * so a constant stands where it is. Each tensor's places depend on that tensor alone.
 */
final class Cells {
  private final List<Cell> cells = new ArrayList<>();
  private final double referenceTotal;
  private final double currentTotal;

  /**
   * @param reference how many values of the reference it holds
   * @param referencePlace where they stand
   */
  record Cell(long reference, double referencePlace, long current, double currentPlace) {}

  private Cells(TensorStats reference, TensorStats current) {
    referenceTotal = reference.finiteCount();
    currentTotal = current.finiteCount();
  }

  /** Of two tensors, each with a finite value at least. */
  static Cells of(TensorStats reference, TensorStats current) {
    Cells merged = new Cells(reference, current);
    List<Bucket> ours = buckets(reference);
    List<Bucket> theirs = buckets(current);
    int i = 0;
    int j = 0;
    while (i < ours.size() || j < theirs.size()) {
      Bucket one = i < ours.size() ? ours.get(i) : null;
      Bucket other = j < theirs.size() ? theirs.get(j) : null;
      int order = one == null ? 1 : other == null ? -1 : one.compareTo(other);
      merged.cells.add(
          new Cell(
              order <= 0 ? one.count : 0,
              order <= 0 ? one.place : 0,
              order >= 0 ? other.count : 0,
              order >= 0 ? other.place : 0));
      i += order <= 0 ? 1 : 0;
      j += order >= 0 ? 1 : 0;
    }
    return merged;
  }

  private record Bucket(double low, double high, long count, double place)
      implements Comparable<Bucket> {
    @Override
    public int compareTo(Bucket other) {
      int byLow = Double.compare(low, other.low);
      return byLow != 0 ? byLow : Double.compare(high, other.high);
    }
  }

  private static List<Bucket> buckets(TensorStats stats) {
    List<Bucket> buckets = new ArrayList<>();
    double min = stats.min();
    double max = stats.max();
    Runnable zeros =
        () -> {
          if (stats.zeros() > 0) {
            buckets.add(new Bucket(0, 0, stats.zeros(), 0));
          }
        };
    boolean[] isPastZero = {false};
    stats
        .histogram()
        .forEachAscending(
            (low, high, count) -> {
              if (low >= 0 && !isPastZero[0]) {
                isPastZero[0] = true;
                zeros.run();
              }
              double place = Math.min(Math.max((low + high) / 2, min), max);
              // 0.0 and not -0.0, which compares as less.
              buckets.add(new Bucket(low + 0.0, high + 0.0, count, place));
            });
    if (!isPastZero[0]) {
      zeros.run();
    }
    return buckets;
  }

  List<Cell> list() {
    return cells;
  }

  double referenceTotal() {
    return referenceTotal;
  }

  double currentTotal() {
    return currentTotal;
  }
}
