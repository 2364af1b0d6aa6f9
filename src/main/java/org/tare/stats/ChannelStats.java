package org.tare.stats;

import java.util.Arrays;
import org.tare.TareException;

/**
 * What was observed of each channel of a tensor: least and greatest finite value, exact sums of the
 * values and of their magnitudes, counts of NaN and infinities, and on request the whole {@link
 * TensorStats} of each channel.
 *
 * <p>Merging is exact in any order, like that of TensorStats. Sums are added up within a row in
 * float64, in the order of the row's values, and between rows exactly: they do not depend on how
 * rows are batched or partitioned.
 *
 * <p>Of a channel without finite values, min is +infinity and max -infinity. Not thread-safe.
 */
public final class ChannelStats {
  final float[] min;
  final float[] max;
  final long[] finite;
  final long[] nans;
  final long[] positiveInfinities;
  final long[] negativeInfinities;
  final ExactSums sums;
  final ExactSums magnitudes;

  /** By channel, or null if not asked for. */
  final TensorStats[] histograms;

  private ChannelStats(int channels, boolean withHistograms) {
    if (channels < 1) {
      throw new IllegalArgumentException("channels: " + channels);
    }
    min = new float[channels];
    max = new float[channels];
    Arrays.fill(min, Float.POSITIVE_INFINITY);
    Arrays.fill(max, Float.NEGATIVE_INFINITY);
    finite = new long[channels];
    nans = new long[channels];
    positiveInfinities = new long[channels];
    negativeInfinities = new long[channels];
    sums = new ExactSums(channels);
    magnitudes = new ExactSums(channels);
    histograms = withHistograms ? new TensorStats[channels] : null;
    if (withHistograms) {
      Arrays.setAll(histograms, c -> TensorStats.empty());
    }
  }

  /** Nothing observed of that many channels. */
  public static ChannelStats of(int channels) {
    return new ChannelStats(channels, false);
  }

  /** Nothing observed, with a histogram of each channel to come: about 40 kB a channel. */
  public static ChannelStats withHistograms(int channels) {
    return new ChannelStats(channels, true);
  }

  /**
   * Adds what another one holds; the other is not changed.
   *
   * @throws TareException if the channels are not as many, or only one has histograms
   */
  public ChannelStats merge(ChannelStats other) {
    return mergeTimes(other, 1);
  }

  /** Adds another one the given number of times, as merging it that often would. */
  ChannelStats mergeTimes(ChannelStats other, long times) {
    if (channels() != other.channels()) {
      throw TareException.badInput(
          "Cannot merge channel statistics: one has %d channels, the other %d",
          channels(), other.channels());
    }
    if ((histograms == null) != (other.histograms == null)) {
      throw TareException.badInput(
          "Cannot merge channel statistics: one has a histogram of each channel, the other has none");
    }
    for (int c = 0; c < min.length; c++) {
      min[c] = Math.min(min[c], other.min[c]);
      max[c] = Math.max(max[c], other.max[c]);
      addTimes(finite, other.finite, c, times);
      addTimes(nans, other.nans, c, times);
      addTimes(positiveInfinities, other.positiveInfinities, c, times);
      addTimes(negativeInfinities, other.negativeInfinities, c, times);
      if (histograms != null) {
        histograms[c].mergeTimes(other.histograms[c], times);
      }
    }
    sums.addTimes(other.sums, times);
    magnitudes.addTimes(other.magnitudes, times);
    return this;
  }

  private static void addTimes(long[] ours, long[] theirs, int c, long times) {
    ours[c] = Math.addExact(ours[c], Math.multiplyExact(theirs[c], times));
  }

  /** As many channels, with histograms or not, and nothing observed. */
  ChannelStats emptyCopy() {
    return new ChannelStats(channels(), histograms != null);
  }

  public int channels() {
    return min.length;
  }

  public boolean hasHistograms() {
    return histograms != null;
  }

  /** The least finite value of a channel. */
  public float min(int channel) {
    return min[channel];
  }

  /** The greatest finite value of a channel. */
  public float max(int channel) {
    return max[channel];
  }

  /** How many values of a channel are finite. */
  public long finiteCount(int channel) {
    return finite[channel];
  }

  public long nans(int channel) {
    return nans[channel];
  }

  public long positiveInfinities(int channel) {
    return positiveInfinities[channel];
  }

  public long negativeInfinities(int channel) {
    return negativeInfinities[channel];
  }

  /** The sum of a channel's finite values. */
  public double sum(int channel) {
    return sums.value(channel);
  }

  /** The sum of the magnitudes of a channel's finite values. */
  public double sumOfMagnitudes(int channel) {
    return magnitudes.value(channel);
  }

  /** The mean of a channel's finite values; NaN if there are none. */
  public double mean(int channel) {
    return sum(channel) / finite[channel];
  }

  /** The stats of one channel: with a histogram only if {@link #hasHistograms}. */
  public TensorStats channel(int channel) {
    if (histograms == null) {
      throw new IllegalStateException("no histograms");
    }
    return histograms[channel];
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ChannelStats that
        && Arrays.equals(min, that.min)
        && Arrays.equals(max, that.max)
        && Arrays.equals(finite, that.finite)
        && Arrays.equals(nans, that.nans)
        && Arrays.equals(positiveInfinities, that.positiveInfinities)
        && Arrays.equals(negativeInfinities, that.negativeInfinities)
        && sums.equals(that.sums)
        && magnitudes.equals(that.magnitudes)
        && Arrays.equals(histograms, that.histograms);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(min) + Arrays.hashCode(finite);
  }
}
