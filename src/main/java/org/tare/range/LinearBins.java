package org.tare.range;

import org.tare.stats.TensorStats;

/**
 * The histogram of a state on equal bins: values of a bucket are taken as uniform in it, so counts
 * become fractions. Min and max are exact; zeros are at zero.
 */
public final class LinearBins {
  private final double[] counts;
  private final double low;
  private final double width;

  private LinearBins(int bins, double low, double high) {
    this.counts = new double[bins];
    this.low = low;
    this.width = (high - low) / bins;
  }

  /**
   * The finite values, between the two ends.
   *
   * @param low at most the least value
   * @param high at least the greatest, above {@code low}
   * @param withZeros whether values that are exactly zero count
   */
  public static LinearBins of(
      TensorStats stats, int bins, double low, double high, boolean withZeros) {
    LinearBins linear = new LinearBins(bins, low, high);
    linear.addAll(stats, false);
    if (withZeros) {
      linear.add(0, 0, stats.zeros());
    }
    return linear;
  }

  /** The magnitudes of the finite values, between the two ends. */
  public static LinearBins ofMagnitudes(
      TensorStats stats, int bins, double low, double high, boolean withZeros) {
    LinearBins linear = new LinearBins(bins, low, high);
    linear.addAll(stats, true);
    if (withZeros) {
      linear.add(0, 0, stats.zeros());
    }
    return linear;
  }

  private void addAll(TensorStats stats, boolean magnitudes) {
    double min = stats.min();
    double max = stats.max();
    stats
        .histogram()
        .forEachAscending(
            (from, to, count) -> {
              double a = Math.min(Math.max(from, min), max);
              double b = Math.max(Math.min(to, max), a);
              if (magnitudes && from < 0) {
                add(-b, -a, count);
              } else {
                add(a, b, count);
              }
            });
  }

  private void add(double a, double b, long count) {
    int first = bin(a);
    int last = bin(b);
    if (first == last) {
      counts[first] += (double) count;
      return;
    }
    double left = (double) count;
    for (int i = first; i < last; i++) {
      double from = Math.max(a, low + i * width);
      double to = low + (i + 1) * width;
      double share = count * Math.max(0, to - from) / (b - a);
      counts[i] += share;
      left -= share;
    }
    counts[last] += Math.max(0, left);
  }

  private int bin(double x) {
    return (int) Math.max(0, Math.min(counts.length - 1, (x - low) / width));
  }

  /** Where the bins begin, and where the last one ends. */
  public double[] edges() {
    double[] edges = new double[counts.length + 1];
    for (int i = 0; i < edges.length; i++) {
      edges[i] = low + i * width;
    }
    return edges;
  }

  /** The counts of the bins, not a copy. */
  public double[] counts() {
    return counts;
  }
}
