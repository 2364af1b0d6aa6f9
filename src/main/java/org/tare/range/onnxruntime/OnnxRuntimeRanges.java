package org.tare.range.onnxruntime;

import java.util.Arrays;
import org.tare.range.LinearBins;
import org.tare.range.Range;
import org.tare.stats.TensorStats;

/**
 * The ranges of ONNX Runtime's calibrators, 1.30.0, with their peculiarities: percentiles take the
 * left edge of the bin that they fall into on both sides, so the upper end covers too little, at
 * worst nothing above zero; entropy searches only between as many bins as it has levels and all of
 * them, so its default of 128 and 128 is min-max.
 *
 * <p>On an {@link OnnxRuntimeHistogram} the results are the original's. On a merged state the bins
 * are made from the state's histogram, with values of a bucket taken as uniform in it: the same for
 * any partitioning, and as near to the original as one of Tare's buckets is wide. Where the bins'
 * range would overflow float32, and for nothing but zeros, the range is min-max.
 */
public final class OnnxRuntimeRanges {
  private static final float SMOOTHING = 1e-4f;

  private OnnxRuntimeRanges() {}

  /** The percentile calibrator. */
  public static Range percentile(
      OnnxRuntimeHistogram histogram, double percentile, boolean symmetric) {
    return percentile(
        doubles(histogram.counts()),
        histogram.edges(),
        histogram.min(),
        histogram.max(),
        percentile,
        symmetric);
  }

  /** The entropy calibrator. */
  public static Range entropy(OnnxRuntimeHistogram histogram, int levels) {
    return entropy(
        doubles(histogram.counts()), histogram.edges(), histogram.min(), histogram.max(), levels);
  }

  /** The percentile calibrator on a merged state that has finite values. */
  public static Range percentile(
      TensorStats stats, double percentile, int bins, boolean symmetric) {
    float greatest = Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
    float low = symmetric ? leastMagnitude(stats) : -greatest;
    if (low == greatest || Float.isInfinite(2 * greatest)) {
      return new Range(stats.min(), stats.max());
    }
    LinearBins linear =
        symmetric
            ? LinearBins.ofMagnitudes(stats, bins, low, greatest, true)
            : LinearBins.of(stats, bins, low, greatest, true);
    float[] edges = OnnxRuntimeHistogram.linspace(low, greatest, bins);
    return percentile(linear.counts(), edges, stats.min(), stats.max(), percentile, symmetric);
  }

  /** The entropy calibrator on a merged state that has finite values. */
  public static Range entropy(TensorStats stats, int bins, int levels) {
    float greatest = Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
    if (greatest == 0 || Float.isInfinite(2 * greatest)) {
      return new Range(stats.min(), stats.max());
    }
    double[] counts = LinearBins.of(stats, bins, -greatest, greatest, true).counts();
    for (int i = 0; i < bins; i++) {
      counts[i] = Math.rint(counts[i]);
    }
    float[] edges = OnnxRuntimeHistogram.linspace(-greatest, greatest, bins);
    return entropy(counts, edges, stats.min(), stats.max(), levels);
  }

  private static float leastMagnitude(TensorStats stats) {
    if (stats.zeros() > 0) {
      return 0;
    }
    float[] least = {Float.POSITIVE_INFINITY};
    stats
        .histogram()
        .forEachAscending(
            (low, high, count) ->
                least[0] = Math.min(least[0], (float) Math.min(Math.abs(low), Math.abs(high))));
    return Math.max(least[0], stats.min() > 0 ? stats.min() : stats.max() < 0 ? -stats.max() : 0);
  }

  private static double[] doubles(long[] counts) {
    return Arrays.stream(counts).asDoubleStream().toArray();
  }

  private static Range percentile(
      double[] counts, float[] edges, float min, float max, double percentile, boolean symmetric) {
    double total = Arrays.stream(counts).sum();
    double[] cdf = new double[counts.length];
    double sum = 0;
    for (int i = 0; i < counts.length; i++) {
      sum += counts[i] / total;
      cdf[i] = sum;
    }
    float low;
    float high;
    if (symmetric) {
      high = edges[firstAtLeast(cdf, percentile / 100)];
      low = -high;
    } else {
      double cut = (100 - percentile) / 200;
      high = edges[firstAtLeast(cdf, 1 - cut)];
      low = edges[firstAtLeast(cdf, cut)];
    }
    return clamped(low, high, min, max);
  }

  private static Range clamped(float low, float high, float min, float max) {
    float from = Math.max(low, min);
    float to = Math.min(high, max);
    // The original lets the ends cross where it cuts off one whole sign.
    return new Range(Math.min(from, to), to);
  }

  private static int firstAtLeast(double[] cdf, double share) {
    int i = 0;
    while (i < cdf.length && cdf[i] < share) {
      i++;
    }
    return i;
  }

  private static Range entropy(double[] counts, float[] edges, float min, float max, int levels) {
    int n = counts.length;
    int zero = n / 2;
    int bestStart = 0;
    int bestEnd = n;
    double least = Double.POSITIVE_INFINITY;
    boolean isFirst = true;
    for (int half = levels / 2; half <= zero; half++) {
      int start = zero - half;
      int end = Math.min(zero + half + 1, n);
      double divergence = divergence(counts, start, end, levels);
      if (isFirst || divergence < least) {
        isFirst = false;
        least = divergence;
        bestStart = start;
        bestEnd = end;
      }
    }
    return clamped(edges[bestStart], edges[bestEnd], min, max);
  }

  private static double divergence(double[] counts, int start, int end, int levels) {
    int size = end - start;
    double[] sliced = Arrays.copyOfRange(counts, start, end);
    double[] p = sliced.clone();
    for (int i = 0; i < start; i++) {
      p[0] += counts[i];
    }
    for (int i = end; i < counts.length; i++) {
      p[size - 1] += counts[i];
    }
    int merged = size / levels;
    double[] q = new double[size];
    for (int level = 0; level < levels; level++) {
      double sum = 0;
      int filled = 0;
      for (int i = level * merged; i < (level + 1) * merged; i++) {
        sum += sliced[i];
        filled += p[i] != 0 ? 1 : 0;
      }
      if (level == levels - 1) {
        for (int i = levels * merged; i < size; i++) {
          sum += sliced[i];
        }
      }
      if (filled > 0) {
        // The original keeps q in an array of integers.
        Arrays.fill(q, level * merged, (level + 1) * merged, Math.floor(sum / filled));
      }
    }
    if (!smooth(p) || !smooth(q)) {
      return Double.POSITIVE_INFINITY;
    }
    // Candidates differ by less than float32 resolves, so its rounding decides in the original.
    float pSum = pairwiseSum(p, 0, size);
    float qSum = pairwiseSum(q, 0, size);
    double[] terms = new double[size];
    for (int i = 0; i < size; i++) {
      float pShare = (float) p[i] / pSum;
      float qShare = (float) q[i] / qSum;
      terms[i] = pShare * (float) Math.log(pShare / qShare);
    }
    return pairwiseSum(terms, 0, size);
  }

  /** NumPy's sum of float32 values: eight at a time in blocks of up to 128, blocks in pairs. */
  private static float pairwiseSum(double[] values, int from, int length) {
    if (length < 8) {
      float sum = 0;
      for (int i = from; i < from + length; i++) {
        sum += (float) values[i];
      }
      return sum;
    }
    if (length > 128) {
      int half = length / 2;
      half -= half % 8;
      return pairwiseSum(values, from, half) + pairwiseSum(values, from + half, length - half);
    }
    float[] lanes = new float[8];
    int whole = length - length % 8;
    for (int i = 0; i < whole; i++) {
      lanes[i % 8] += (float) values[from + i];
    }
    float sum =
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
            + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    for (int i = whole; i < length; i++) {
      sum += (float) values[from + i];
    }
    return sum;
  }

  /** Gives zeros a little, taken from the rest; false if there is nothing to take it from. */
  private static boolean smooth(double[] counts) {
    int zeros = 0;
    for (double count : counts) {
      zeros += count == 0 ? 1 : 0;
    }
    int rest = counts.length - zeros;
    if (rest == 0) {
      return false;
    }
    float taken = (float) ((double) SMOOTHING * zeros / rest);
    if (taken >= 1) {
      return false;
    }
    for (int i = 0; i < counts.length; i++) {
      counts[i] = counts[i] == 0 ? SMOOTHING : (float) counts[i] - taken;
    }
    return true;
  }
}
