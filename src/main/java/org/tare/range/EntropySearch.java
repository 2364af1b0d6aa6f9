package org.tare.range;

import org.tare.quant.QuantSpec;
import org.tare.stats.TensorStats;

/**
 * The threshold of least information loss, after TensorRT's calibration (S. Migacz, "8-bit
 * Inference with TensorRT", GTC 2017).
 *
 * <p>Magnitudes stand in 2,048 equal bins. For a threshold of i bins, P are the bins within it,
 * with all mass beyond added to the outermost; Q are the same bins without that mass, collapsed to
 * as many levels as the type has and spread evenly again over the bins of a level that hold
 * anything in P. The threshold with the least KL(P || Q) wins, the smallest of equals; the end of
 * the range is half a bin further out.
 *
 * <p>Symmetric types have half their integers for the magnitudes (128 of int8), as in the original.
 * For affine ranges, the bins are signed, the window is [-i, i] cut to what was observed, and all
 * integers are levels. Zeros are left out: they are represented exactly whatever the threshold. A
 * type of 2,048 levels or more leaves nothing to search: the range is min-max.
 */
final class EntropySearch {
  private static final int BINS = 2048;

  /**
   * What Q has where it holds nothing and P has what was cut off: the count by which MXNet and ONNX
   * Runtime smooth. Without it no threshold in an empty stretch before an outlier could win.
   */
  private static final double SMOOTHING = 1e-4;

  private final double[] counts;

  /** Sums over the bins before the index: of counts, of c ln c, of bins that hold anything. */
  private final double[] sums;

  private final double[] logs;
  private final int[] used;

  private EntropySearch(double[] counts) {
    this.counts = counts;
    int n = counts.length;
    sums = new double[n + 1];
    logs = new double[n + 1];
    used = new int[n + 1];
    for (int i = 0; i < n; i++) {
      double count = counts[i];
      sums[i + 1] = sums[i] + count;
      logs[i + 1] = logs[i] + (count > 0 ? count * Math.log(count) : 0);
      used[i + 1] = used[i] + (count > 0 ? 1 : 0);
    }
  }

  /** The range; of a constant tensor, that value; of a type of many levels, min-max. */
  static Range search(TensorStats stats, QuantSpec spec) {
    if (stats.min() == stats.max() || spec.steps() + 1 >= BINS) {
      return new Range(stats.min(), stats.max());
    }
    double greatest = Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
    double width = greatest / BINS;
    int levels = (int) spec.steps() + 1;
    if (spec.symmetric()) {
      levels = (levels + 1) / 2;
      EntropySearch search =
          new EntropySearch(LinearBins.ofMagnitudes(stats, BINS, 0, greatest, false).counts());
      int best = search.best(BINS, levels, levels);
      float threshold = (float) Math.min(greatest, (best + 0.5) * width);
      return new Range(-threshold, threshold);
    }
    boolean isOneSided = stats.min() >= 0 || stats.max() <= 0;
    int first = isOneSided ? levels : Math.max(1, levels / 2);
    EntropySearch search =
        new EntropySearch(LinearBins.of(stats, 2 * BINS, -greatest, greatest, false).counts());
    int best = search.best(BINS, first, levels);
    float threshold = (float) Math.min(greatest, (best + 0.5) * width);
    float low = Math.max(stats.min(), -threshold);
    float high = Math.min(stats.max(), threshold);
    return new Range(Math.min(low, high), Math.max(low, high));
  }

  /** The half-width in bins of the window of least divergence. */
  private int best(int bins, int first, int levels) {
    boolean isSigned = counts.length > bins;
    int lowest = 0;
    while (lowest < counts.length - 1 && counts[lowest] == 0) {
      lowest++;
    }
    int highest = counts.length;
    while (highest > lowest + 1 && counts[highest - 1] == 0) {
      highest--;
    }
    int best = bins;
    double least = Double.POSITIVE_INFINITY;
    for (int i = Math.min(first, bins); i <= bins; i++) {
      int from = isSigned ? Math.max(lowest, bins - i) : 0;
      int to = isSigned ? Math.min(highest, bins + i) : i;
      double divergence = from < to ? divergence(from, to, levels) : Double.POSITIVE_INFINITY;
      if (divergence < least) {
        least = divergence;
        best = i;
      }
    }
    return best;
  }

  /** KL(P || Q) of the window; infinite if Q has nothing at all. */
  private double divergence(int from, int to, int levels) {
    int size = to - from;
    double inside = sums[to] - sums[from];
    double total = sums[counts.length];
    if (!(inside > 0)) {
      return Double.POSITIVE_INFINITY;
    }
    double below = sums[from];
    double above = total - sums[to];
    double pLogP = logs[to] - logs[from];
    pLogP += gain(counts[from], below, size == 1 ? above : 0);
    if (size > 1) {
      pLogP += gain(counts[to - 1], above, 0);
    }
    double pLogQ = 0;
    int used = Math.min(levels, size);
    int start = from;
    for (int level = 0; level < used; level++) {
      int end = from + (int) ((long) (level + 1) * size / used);
      double q = sums[end] - sums[start];
      double p = q;
      int filled = this.used[end] - this.used[start];
      if (start == from && below > 0) {
        p += below;
        filled += counts[from] == 0 ? 1 : 0;
      }
      if (end == to && above > 0) {
        p += above;
        filled += counts[to - 1] == 0 ? 1 : 0;
      }
      if (p > 0) {
        pLogQ += p * Math.log(Math.max(q, SMOOTHING) / filled);
      }
      start = end;
    }
    return (pLogP - pLogQ) / total - Math.log(total) + Math.log(inside);
  }

  /** How much c ln c grows by what is added. */
  private static double gain(double count, double more, double evenMore) {
    double sum = count + more + evenMore;
    if (sum == count) {
      return 0;
    }
    return sum * Math.log(sum) - (count > 0 ? count * Math.log(count) : 0);
  }
}
