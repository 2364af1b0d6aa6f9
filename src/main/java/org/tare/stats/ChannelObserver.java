package org.tare.stats;

import java.nio.IntBuffer;

/**
 * Adds the values of a row-major tensor to {@link ChannelStats}, channel by channel. Not
 * thread-safe; a task makes one and keeps it.
 */
public final class ChannelObserver {
  private static final int LANES = 4;

  private final StatsObserver histogramObserver;
  private float[] values = new float[0];
  private double[] rowSums = new double[0];
  private double[] rowMagnitudes = new double[0];

  /**
   * @param histogramObserver fills the histograms of the channels; its scratch memory is shared
   */
  public ChannelObserver(StatsObserver histogramObserver) {
    this.histogramObserver = histogramObserver;
  }

  /**
   * Adds a tensor of the shape [rows, outer, channels, inner].
   *
   * @param bits the float32 values' bits, between the buffer's position and limit; its position
   *     moves to the limit
   * @param rows how many rows of the table the tensor holds: sums are exact between rows
   */
  public void observeBits(ChannelStats stats, IntBuffer bits, int rows, int inner) {
    int length = bits.remaining();
    if (values.length < length) {
      values = new float[length];
    }
    for (int i = 0; i < length; i++) {
      values[i] = Float.intBitsToFloat(bits.get());
    }
    observe(stats, values, 0, length, rows, inner);
  }

  /** The same of values in an array. */
  public void observe(
      ChannelStats stats, float[] values, int from, int length, int rows, int inner) {
    int channels = stats.channels();
    if (length == 0) {
      return;
    }
    int perRow = length / rows;
    if (perRow * rows != length || perRow % (channels * inner) != 0) {
      throw new IllegalArgumentException(
          length + " values are not [" + rows + ", …, " + channels + ", " + inner + "]");
    }
    if (rowSums.length < channels) {
      rowSums = new double[channels];
      rowMagnitudes = new double[channels];
    }
    for (int row = 0; row < rows; row++) {
      int start = from + row * perRow;
      int whole = 0;
      for (int run = start; run < start + perRow; run += channels * inner) {
        if (inner == 1 && stats.histograms == null && isFinite(values, run, channels)) {
          addFinite(stats, values, run);
          whole++;
        } else {
          for (int c = 0; c < channels; c++) {
            addRun(stats, c, values, run + c * inner, inner);
          }
        }
      }
      for (int c = 0; whole > 0 && c < channels; c++) {
        stats.finite[c] += whole;
      }
      for (int c = 0; c < channels; c++) {
        stats.sums.add(c, rowSums[c]);
        stats.magnitudes.add(c, rowMagnitudes[c]);
        rowSums[c] = 0;
        rowMagnitudes[c] = 0;
      }
    }
  }

  private static boolean isFinite(float[] values, int from, int length) {
    int carries = 0;
    for (int i = from; i < from + length; i++) {
      // Added to, an exponent of all ones carries into the sign.
      carries |= (Float.floatToRawIntBits(values[i]) & 0x7f800000) + 0x00800000;
    }
    return carries >= 0;
  }

  /** Adds a finite value to each channel, but does not count them. */
  private void addFinite(ChannelStats stats, float[] values, int from) {
    float[] min = stats.min;
    float[] max = stats.max;
    double[] sums = rowSums;
    double[] magnitudes = rowMagnitudes;
    for (int c = 0; c < min.length; c++) {
      // "+ 0f" turns -0.0 into 0.0.
      float value = values[from + c] + 0f;
      min[c] = value < min[c] ? value : min[c];
      max[c] = value > max[c] ? value : max[c];
      sums[c] += value;
      magnitudes[c] += Math.abs(value);
    }
  }

  private void addRun(ChannelStats stats, int c, float[] values, int from, int length) {
    float min = stats.min[c];
    float max = stats.max[c];
    double sum = rowSums[c];
    double magnitude = rowMagnitudes[c];
    int finite = 0;
    int i = from;
    if (length >= LANES) {
      // Sums that wait for each other take four times as long; which value is in which lane depends
      // on its place in the row alone.
      double sum1 = 0;
      double sum2 = 0;
      double sum3 = 0;
      double magnitude1 = 0;
      double magnitude2 = 0;
      double magnitude3 = 0;
      for (int end = from + length - LANES; i <= end; i += LANES) {
        float v0 = values[i] + 0f;
        float v1 = values[i + 1] + 0f;
        float v2 = values[i + 2] + 0f;
        float v3 = values[i + 3] + 0f;
        double a0 = Math.abs(v0);
        double a1 = Math.abs(v1);
        double a2 = Math.abs(v2);
        double a3 = Math.abs(v3);
        if (!(a0 + a1 + a2 + a3 < Double.POSITIVE_INFINITY)) {
          break;
        }
        float low = v0 < v1 ? v0 : v1;
        float low2 = v2 < v3 ? v2 : v3;
        float high = v0 < v1 ? v1 : v0;
        float high2 = v2 < v3 ? v3 : v2;
        low = low < low2 ? low : low2;
        high = high > high2 ? high : high2;
        min = low < min ? low : min;
        max = high > max ? high : max;
        sum += v0;
        sum1 += v1;
        sum2 += v2;
        sum3 += v3;
        magnitude += a0;
        magnitude1 += a1;
        magnitude2 += a2;
        magnitude3 += a3;
      }
      finite = i - from;
      sum = sum + sum1 + (sum2 + sum3);
      magnitude = magnitude + magnitude1 + (magnitude2 + magnitude3);
    }
    for (; i < from + length; i++) {
      // "+ 0f" turns -0.0 into 0.0.
      float value = values[i] + 0f;
      if (Math.abs(value) <= Float.MAX_VALUE) {
        min = value < min ? value : min;
        max = value > max ? value : max;
        sum += value;
        magnitude += Math.abs(value);
        finite++;
      } else if (Float.isNaN(value)) {
        stats.nans[c]++;
      } else if (value > 0) {
        stats.positiveInfinities[c]++;
      } else {
        stats.negativeInfinities[c]++;
      }
    }
    stats.min[c] = min;
    stats.max[c] = max;
    stats.finite[c] += finite;
    rowSums[c] = sum;
    rowMagnitudes[c] = magnitude;
    if (stats.histograms != null) {
      histogramObserver.observe(stats.histograms[c], values, from, length);
    }
  }
}
