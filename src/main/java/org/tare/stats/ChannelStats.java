package org.tare.stats;

import java.math.BigInteger;
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
  /** By that share a float64 is surely on the same side of a bound as the exact sum. */
  private static final double CLEAR = 1e-12;

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
   * @throws TareException if the channels are not as many, only one has histograms, or counts would
   *     pass 2^63 - 1; these stats are then as they were
   */
  public ChannelStats merge(ChannelStats other) {
    return mergeTimes(other, 1);
  }

  /** Adds another one the given number of times, as merging it that often would. */
  ChannelStats mergeTimes(ChannelStats other, long times) {
    requireMergeable(other, times);
    for (int c = 0; c < min.length; c++) {
      min[c] = Math.min(min[c], other.min[c]);
      max[c] = Math.max(max[c], other.max[c]);
      finite[c] += other.finite[c] * times;
      nans[c] += other.nans[c] * times;
      positiveInfinities[c] += other.positiveInfinities[c] * times;
      negativeInfinities[c] += other.negativeInfinities[c] * times;
      if (histograms != null) {
        histograms[c].mergeTimes(other.histograms[c], times);
      }
    }
    sums.addTimes(other.sums, times);
    magnitudes.addTimes(other.magnitudes, times);
    return this;
  }

  void requireMergeable(ChannelStats other, long times) {
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
      Counts.requireRoom(count(c), other.count(c), times);
    }
  }

  private long count(int c) {
    return finite[c] + nans[c] + positiveInfinities[c] + negativeInfinities[c];
  }

  /** Whether a channel's sums can be those of its values, as far as counts and range tell. */
  boolean sumsFit(int c) {
    double greatest = Math.max(-min[c], max[c]);
    double sum = sums.value(c);
    double sumOfMagnitudes = magnitudes.value(c);
    // Within a row float64 rounds, at most to twice the sum.
    double bound = 2 * greatest * finite[c];
    boolean isClear =
        finite[c] > 0
            && min[c] < 0
            && max[c] > 0
            && sumOfMagnitudes > greatest * (1 + CLEAR)
            && sumOfMagnitudes < bound * (1 - CLEAR)
            && Math.abs(sum) < sumOfMagnitudes * (1 - CLEAR);
    return isClear || fit(c, sums.exact(c), magnitudes.exact(c));
  }

  private boolean fit(int c, BigInteger sum, BigInteger sumOfMagnitudes) {
    if (finite[c] == 0) {
      return sum.signum() == 0 && sumOfMagnitudes.signum() == 0;
    }
    BigInteger greatest = ExactSums.exact(Math.max(-min[c], max[c]));
    BigInteger bound = greatest.multiply(BigInteger.valueOf(finite[c])).shiftLeft(1);
    boolean hasOneSign = min[c] >= 0 || max[c] <= 0;
    int signed = sum.abs().compareTo(sumOfMagnitudes);
    return sumOfMagnitudes.compareTo(greatest) >= 0
        && sumOfMagnitudes.compareTo(bound) <= 0
        && (hasOneSign ? signed == 0 && (sum.signum() >= 0) == (min[c] >= 0) : signed <= 0);
  }

  /** Whether the histogram of a channel counts what the channel counts. */
  boolean histogramFits(int c) {
    TensorStats stats = histograms[c];
    return Float.compare(min[c], stats.min) == 0
        && Float.compare(max[c], stats.max) == 0
        && finite[c] == stats.finiteCount()
        && nans[c] == stats.nans
        && positiveInfinities[c] == stats.positiveInfinities
        && negativeInfinities[c] == stats.negativeInfinities;
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
