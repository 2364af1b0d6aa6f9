package org.tare.stats;

import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Adds the values of a row-major tensor to {@link ChannelStats}, channel by channel. Not
 * thread-safe; a task makes one and keeps it.
 */
public final class ChannelObserver {
  private static final int LANES = 4;

  private final StatsObserver histogramObserver;
  private float[] runs = new float[0];
  private Row row = new Row(0);

  /**
   * Of one row, by channel. Arrays of their own: with places in others the JIT makes no vectors.
   */
  private record Row(
      float[] place,
      double[] wide,
      float[] min,
      float[] max,
      double[] sums,
      double[] magnitudes,
      int[] finite) {
    Row(int channels) {
      this(
          new float[channels],
          new double[channels],
          new float[channels],
          new float[channels],
          new double[channels],
          new double[channels],
          new int[channels]);
    }

    void clear() {
      Arrays.fill(min, Float.POSITIVE_INFINITY);
      Arrays.fill(max, Float.NEGATIVE_INFINITY);
      Arrays.fill(sums, 0);
      Arrays.fill(magnitudes, 0);
      Arrays.fill(finite, 0);
    }
  }

  /**
   * @param histogramObserver fills the histograms of the channels; its scratch memory is shared
   */
  public ChannelObserver(StatsObserver histogramObserver) {
    this.histogramObserver = histogramObserver;
  }

  /**
   * Adds a tensor of the shape [rows, outer, channels, inner], of the values between the buffer's
   * position and limit, which do not move.
   *
   * @param rows how many rows of the table the tensor holds: sums are exact between rows
   */
  public void observe(ChannelStats stats, FloatBuffer values, int rows, int inner) {
    int channels = stats.channels();
    int length = values.remaining();
    if (length == 0) {
      return;
    }
    int perRow = length / rows;
    if (perRow * rows != length || perRow % (channels * inner) != 0) {
      throw new IllegalArgumentException(
          length + " values are not [" + rows + ", …, " + channels + ", " + inner + "]");
    }
    if (row.min.length != channels) {
      row = new Row(channels);
    }
    for (int i = 0; i < rows; i++) {
      int from = values.position() + i * perRow;
      row.clear();
      boolean isDone =
          inner == 1 && stats.histograms == null && addPlaces(row, values, from, perRow);
      if (!isDone) {
        row.clear();
        addRuns(stats, values, from, perRow, inner);
      }
      addTo(stats, row);
    }
  }

  /** The same of values in an array. */
  public void observe(
      ChannelStats stats, float[] values, int from, int length, int rows, int inner) {
    observe(stats, FloatBuffer.wrap(values, from, length), rows, inner);
  }

  private static void addTo(ChannelStats stats, Row row) {
    for (int c = 0; c < row.min.length; c++) {
      // "+ 0f" turns -0.0 into 0.0.
      stats.min[c] = Math.min(stats.min[c], row.min[c] + 0f);
      stats.max[c] = Math.max(stats.max[c], row.max[c] + 0f);
      stats.finite[c] += row.finite[c];
      stats.sums.add(c, row.sums[c]);
      stats.magnitudes.add(c, row.magnitudes[c]);
    }
  }

  /**
   * Adds the values of a row whose channels stand side by side, place after place.
   *
   * @return false if any of them is NaN or infinite: the row then holds something else
   */
  private static boolean addPlaces(Row row, FloatBuffer values, int from, int length) {
    int channels = row.place.length;
    for (int at = from; at < from + length; at += channels) {
      values.get(at, row.place);
      Extremes.lower(row.min, row.place);
      Extremes.raise(row.max, row.place);
      widen(row.wide, row.place);
      add(row.sums, row.magnitudes, row.wide);
    }
    double all = 0;
    for (double magnitude : row.magnitudes) {
      all += magnitude;
    }
    Arrays.fill(row.finite, length / channels);
    return all < Double.POSITIVE_INFINITY;
  }

  /** Apart from the sums: the JIT of Java 17 makes no vectors of this conversion. */
  private static void widen(double[] wide, float[] place) {
    for (int c = 0; c < wide.length; c++) {
      wide[c] = place[c];
    }
  }

  private static void add(double[] sums, double[] magnitudes, double[] values) {
    for (int c = 0; c < sums.length; c++) {
      sums[c] += values[c];
      magnitudes[c] += Math.abs(values[c]);
    }
  }

  /** Adds the values of a row, run after run of a channel. */
  private void addRuns(ChannelStats stats, FloatBuffer buffer, int from, int length, int inner) {
    if (runs.length < length) {
      runs = new float[length];
    }
    buffer.get(from, runs, 0, length);
    int c = 0;
    for (int run = 0; run < length; run += inner) {
      addRun(stats, c, runs, run, inner);
      c = c + 1 == row.min.length ? 0 : c + 1;
    }
  }

  private void addRun(ChannelStats stats, int c, float[] values, int from, int length) {
    float min = row.min[c];
    float max = row.max[c];
    double sum = row.sums[c];
    double magnitude = row.magnitudes[c];
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
    row.min[c] = min;
    row.max[c] = max;
    row.finite[c] += finite;
    row.sums[c] = sum;
    row.magnitudes[c] = magnitude;
    if (stats.histograms != null) {
      histogramObserver.observe(stats.histograms[c], values, from, length);
    }
  }
}
