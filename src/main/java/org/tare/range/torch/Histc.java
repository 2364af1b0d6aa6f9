package org.tare.range.torch;

import org.tare.TareException;

/**
 * {@code torch.histc}: equal bins between two bounds, in float32 as PyTorch's CPU kernel counts.
 */
public final class Histc {
  private Histc() {}

  /**
   * The counts; values outside of the bounds are skipped. Counts are float32, so they stop at 2^24
   * in each bin.
   *
   * @param low if equal to {@code high}, the values' own range is taken, and if that is a point,
   *     one unit more on each side
   * @throws TareException if a bound is not finite or they are in the wrong order; NaN values,
   *     whose bin PyTorch leaves undefined, are skipped
   */
  public static float[] histc(float[] values, int bins, double low, double high) {
    double a = low;
    double b = high;
    if (a == b && values.length > 0) {
      float min = Float.POSITIVE_INFINITY;
      float max = Float.NEGATIVE_INFINITY;
      for (float value : values) {
        min = Math.min(min, value);
        max = Math.max(max, value);
      }
      a = min;
      b = max;
    }
    if (a == b) {
      a -= 1;
      b += 1;
    }
    if (a > b) {
      throw TareException.badInput(
          "Cannot make a histogram as PyTorch does: its range [%s, %s] is the wrong way round",
          a, b);
    }
    if (!Double.isFinite(a) || !Double.isFinite(b)) {
      throw TareException.badInput(
          "Cannot make a histogram as PyTorch does: its range [%s, %s] is not finite", a, b);
    }
    float[] counts = new float[bins];
    float from = (float) a;
    float to = (float) b;
    for (float value : values) {
      if (value >= from && value <= to) {
        float position = (value - from) / (to - from) * bins;
        int bin = Math.min(bins - 1, (int) position);
        counts[bin] += 1f;
      }
    }
    return counts;
  }
}
