package org.tare.report;

import java.util.Arrays;
import org.tare.range.LinearBins;
import org.tare.range.RangeSearch;
import org.tare.stats.TensorStats;

/**
 * A tensor's histogram as it is drawn: on equal bins, and by half powers of two. Zeros are in
 * neither, for they would dwarf the rest; those of an attention mask are left out too.
 *
 * @param from the least value
 * @param to the greatest value
 * @param linear counts of {@value #BINS} equal bins between the two
 * @param top the half power of two, as twice its exponent or one more, of the greatest magnitude
 * @param negative counts of values below zero by half powers of two, from that of the greatest
 *     magnitude down; what is smaller than all is in the last
 * @param positive the same of values above zero
 */
record TensorBins(
    double from, double to, double[] linear, int top, double[] negative, double[] positive) {
  /** As many as in the pictures that observers are taught with. */
  static final int BINS = 100;

  /** Half powers of two on each side. */
  static final int STEPS = 48;

  static TensorBins of(TensorStats all) {
    TensorStats stats = RangeSearch.withoutMask(all);
    double from = stats.min();
    double to = stats.max();
    if (!(from < to)) {
      return new TensorBins(from, to, new double[0], 0, new double[0], new double[0]);
    }
    int top = HalfPowers.of(Math.max(Math.abs(from), Math.abs(to)));
    double[] negative = new double[STEPS];
    double[] positive = new double[STEPS];
    stats
        .histogram()
        .forEachAscending(
            (low, high, count) -> {
              double magnitude = low < 0 ? low + (high - low) / 2 : low;
              int step = Math.min(STEPS - 1, Math.max(0, top - HalfPowers.of(Math.abs(magnitude))));
              (low < 0 ? negative : positive)[step] += (double) count;
            });
    return new TensorBins(
        from,
        to,
        LinearBins.of(stats, BINS, from, to, false).counts(),
        top,
        trimmed(negative),
        trimmed(positive));
  }

  /** Whether there is nothing to draw: one value at most. */
  boolean isConstant() {
    return linear.length == 0;
  }

  private static double[] trimmed(double[] counts) {
    int length = counts.length;
    while (length > 0 && counts[length - 1] == 0) {
      length--;
    }
    return Arrays.copyOf(counts, length);
  }
}
