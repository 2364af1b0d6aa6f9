package org.tare.range;

import org.tare.stats.TensorStats;

/**
 * Percentiles of a tensor's finite values on exact counts. The value of a rank is interpolated
 * within its bucket, so it is off by less than 2^-7 of itself; the first and last rank are exact.
 */
final class Percentiles {
  private Percentiles() {}

  /**
   * Affine: from the lower percentile to the upper. Symmetric: [-t, t] with t the percentile of the
   * magnitudes that leaves as many outside.
   */
  static Range range(TensorStats stats, RangeMethod.Percentile percentile, boolean symmetric) {
    if (symmetric) {
      float threshold = (float) magnitudeAt(stats, (percentile.upper() - percentile.lower()) / 100);
      return new Range(-threshold, threshold);
    }
    float low = (float) valueAt(stats, percentile.lower() / 100);
    float high = (float) valueAt(stats, percentile.upper() / 100);
    return new Range(Math.min(low, high), high);
  }

  /** The value below which the given share of all values lies. */
  static double valueAt(TensorStats stats, double share) {
    Ranks ranks = new Ranks(stats.finiteCount(), share);
    stats
        .histogram()
        .forEachAscending(
            (low, high, count) -> {
              if (high > 0) {
                ranks.addZeros(stats.zeros());
              }
              ranks.add(Math.max(low, stats.min()), Math.min(high, stats.max()), count);
            });
    ranks.addZeros(stats.zeros());
    return Math.min(stats.max(), Math.max(stats.min(), ranks.value(stats.min(), stats.max())));
  }

  private static double magnitudeAt(TensorStats stats, double share) {
    // Ascending magnitudes: the negative buckets in reverse, merged with the positive ones. The
    // bucket ends are the same on both sides, so sorting by the low end is enough.
    double greatest = Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
    java.util.TreeMap<Double, double[]> buckets = new java.util.TreeMap<>();
    stats
        .histogram()
        .forEachAscending(
            (low, high, count) -> {
              double from = low < 0 ? -high : low;
              double to = Math.min(low < 0 ? -low : high, greatest);
              double[] bucket = buckets.computeIfAbsent(from, f -> new double[] {to, 0});
              bucket[1] += count;
            });
    Ranks ranks = new Ranks(stats.finiteCount(), share);
    ranks.addZeros(stats.zeros());
    buckets.forEach((from, bucket) -> ranks.add(from, bucket[0], (long) bucket[1]));
    return Math.min(greatest, ranks.value(0, greatest));
  }

  /** Finds the values of two neighbouring ranks while buckets pass in ascending order. */
  private static final class Ranks {
    private final long lower;
    private final double fraction;
    private final long last;
    private double atLower;
    private double atUpper;
    private long seen;
    private boolean zerosAdded;

    Ranks(long count, double share) {
      last = count - 1;
      double position = last * share;
      lower = Math.min(last, (long) position);
      fraction = position - lower;
    }

    void addZeros(long zeros) {
      if (!zerosAdded) {
        zerosAdded = true;
        add(0, 0, zeros);
      }
    }

    void add(double low, double high, long count) {
      long upper = Math.min(lower + 1, last);
      if (lower >= seen && lower < seen + count) {
        atLower = at(low, high, count, lower);
      }
      if (upper >= seen && upper < seen + count) {
        atUpper = at(low, high, count, upper);
      }
      seen += count;
    }

    private double at(double low, double high, long count, long rank) {
      return low + (rank - seen + 0.5) / count * (high - low);
    }

    double value(double min, double max) {
      double first = lower == 0 ? min : lower == last ? max : atLower;
      double second = lower + 1 >= last ? max : atUpper;
      return lower == last ? max : first + fraction * (second - first);
    }
  }
}
