package org.tare.stats;

import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * The least and greatest finite value of some values; +infinity and -infinity of none. NaN and
 * infinities are left out, and -0.0 counts as 0.0. For ranges that need nothing else, as moving
 * averages: less than a third of the time that all of {@link TensorStats} takes.
 */
public record Extremes(float min, float max) {
  /** Of no values. */
  public static final Extremes NONE =
      new Extremes(Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);

  /** So many minima and maxima are kept side by side, each of every {@code LANES}-th value. */
  private static final int LANES = 512;

  /** Where one of so many values is not finite, they are taken one by one. */
  private static final int SECTION = 64 * LANES;

  /** Of all values of both. */
  public Extremes merge(Extremes other) {
    return new Extremes(Math.min(min, other.min), Math.max(max, other.max));
  }

  /** Of an array's values. */
  public static Extremes of(float[] values) {
    return of(FloatBuffer.wrap(values));
  }

  /** Of the values between the buffer's position and limit, which do not move. */
  public static Extremes of(FloatBuffer values) {
    Extremes all = NONE;
    int at = values.position();
    if (values.remaining() >= 4 * LANES) {
      Lanes lanes = new Lanes(new float[LANES], new float[LANES], new float[LANES]);
      while (values.limit() - at >= LANES) {
        int length = Math.min(SECTION, (values.limit() - at) / LANES * LANES);
        Extremes section = lanes.of(values, at, length);
        // NaN and infinities stay to the end.
        boolean isFinite = section.max - section.min < Float.POSITIVE_INFINITY;
        all = all.merge(isFinite ? section : oneByOne(values, at, length));
        at += length;
      }
    }
    return all.merge(oneByOne(values, at, values.limit() - at));
  }

  private static Extremes oneByOne(FloatBuffer values, int from, int length) {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (int i = from; i < from + length; i++) {
      float value = values.get(i);
      if (Math.abs(value) <= Float.MAX_VALUE) {
        // Plain comparisons: Math.min takes ten times as long on a ReLU's zeros.
        min = value < min ? value : min;
        max = value > max ? value : max;
      }
    }
    return new Extremes(min + 0f, max + 0f);
  }

  /** Minima and maxima side by side, which the JIT makes vectors of; of one value it does not. */
  private record Lanes(float[] values, float[] min, float[] max) {
    Extremes of(FloatBuffer all, int from, int length) {
      Arrays.fill(min, Float.POSITIVE_INFINITY);
      Arrays.fill(max, Float.NEGATIVE_INFINITY);
      for (int at = from; at < from + length; at += LANES) {
        all.get(at, values);
        lower(min, values);
        raise(max, values);
      }
      float least = Float.POSITIVE_INFINITY;
      float greatest = Float.NEGATIVE_INFINITY;
      for (int i = 0; i < LANES; i++) {
        least = Math.min(least, min[i]);
        greatest = Math.max(greatest, max[i]);
      }
      return new Extremes(least + 0f, greatest + 0f);
    }
  }

  /** Replaces each minimum by the value in its place, where that is less, or NaN. */
  static void lower(float[] min, float[] values) {
    for (int i = 0; i < min.length; i++) {
      min[i] = Math.min(min[i], values[i]);
    }
  }

  /** Replaces each maximum by the value in its place, where that is greater, or NaN. */
  static void raise(float[] max, float[] values) {
    for (int i = 0; i < max.length; i++) {
      max[i] = Math.max(max[i], values[i]);
    }
  }
}
