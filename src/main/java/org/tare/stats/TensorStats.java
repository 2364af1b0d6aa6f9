package org.tare.stats;

import java.util.Objects;
import java.util.Optional;
import org.tare.TareException;

/**
 * What was observed of one tensor: the exact least and greatest finite value, counts of zeros, NaN
 * and infinities, and a {@link FloatHistogram} of the rest. One pass answers every range method.
 * Three parts are there on request: {@link ChannelStats}, a {@link MovingAverage} and a {@link
 * Recording}; a fourth, {@link Smoothing}, tells what the values were divided by.
 *
 * <p>{@link #merge} is associative and commutative with {@link #empty} as its identity, and {@code
 * observe(a ++ b)} equals {@code merge(observe(a), observe(b))}, exactly: all is integer sums, a
 * minimum and a maximum. A moving average and a recording keep the order of what they saw, and
 * merge by it.
 *
 * <p>Non-finite values: NaN and infinities are counted apart and are in neither min, max nor the
 * histogram. -0.0 is a zero and min and max never are -0.0. Subnormals are values like any other.
 * Of a tensor without finite values, min is +infinity and max -infinity.
 *
 * <p>Not thread-safe. Filled through {@link StatsObserver}.
 */
public final class TensorStats {
  private final FloatHistogram histogram = new FloatHistogram();
  float min = Float.POSITIVE_INFINITY;
  float max = Float.NEGATIVE_INFINITY;
  long zeros;
  long nans;
  long positiveInfinities;
  long negativeInfinities;

  /** The parts; null where they were not asked for. */
  ChannelStats channels;

  MovingAverage average;
  Recording recording;
  Smoothing smoothing;

  TensorStats() {}

  /** Nothing observed: the identity of {@link #merge}. */
  public static TensorStats empty() {
    return new TensorStats();
  }

  /** The stats of the given values. */
  public static TensorStats of(float... values) {
    TensorStats stats = new TensorStats();
    new StatsObserver().observe(stats, values, 0, values.length);
    return stats;
  }

  /**
   * Adds what another tensor's stats hold; the other is not changed.
   *
   * @throws TareException if the parts do not merge, or counts would pass 2^63 - 1; these stats are
   *     then as they were
   */
  @SuppressWarnings("ReferenceEquality") // merging an object with itself would count twice
  public TensorStats merge(TensorStats other) {
    if (other == this) {
      throw new IllegalArgumentException("Cannot merge stats with themselves");
    }
    requireMergeable(other);
    mergeParts(other);
    addCounts(other, 1);
    return this;
  }

  private void addCounts(TensorStats other, long times) {
    histogram.addTimes(other.histogram, times);
    min = Math.min(min, other.min);
    max = Math.max(max, other.max);
    zeros += other.zeros * times;
    nans += other.nans * times;
    positiveInfinities += other.positiveInfinities * times;
    negativeInfinities += other.negativeInfinities * times;
  }

  /** All that can fail, before anything changes. */
  private void requireMergeable(TensorStats other) {
    requireSame("channel statistics", channels, other.channels, other);
    requireSame("a moving average", average, other.average, other);
    requireSame("a recording", recording, other.recording, other);
    if (channels != null && other.channels != null) {
      channels.requireMergeable(other.channels, 1);
    }
    if (average != null && other.average != null) {
      average.requireMergeable(other.average);
    }
    if (recording != null && other.recording != null) {
      recording.requireMergeable(other.recording);
    }
    if (smoothing != null && other.smoothing != null && !smoothing.equals(other.smoothing)) {
      throw TareException.badInput(
          "Cannot merge stats: their values were divided by different factors of SmoothQuant");
    }
    Counts.requireRoom(count(), other.count(), 1);
  }

  private void mergeParts(TensorStats other) {
    if (other.channels != null) {
      channels = channels == null ? other.channels.emptyCopy() : channels;
      channels.merge(other.channels);
    }
    if (other.average != null) {
      MovingAverage theirs = other.average;
      average =
          average == null ? MovingAverage.empty(theirs.constant(), theirs.channels()) : average;
      average.add(theirs);
    }
    if (other.recording != null) {
      recording = recording == null ? Recording.of(other.recording.limit()) : recording;
      recording.add(other.recording);
    }
    smoothing = smoothing == null ? other.smoothing : smoothing;
  }

  private void requireSame(String part, Object ours, Object theirs, TensorStats other) {
    boolean lacks =
        ours == null ? theirs != null && count() > 0 : theirs == null && other.count() > 0;
    if (lacks) {
      throw TareException.badInput(
          "Cannot merge stats: one has %s, the other has none; observe both with the same settings",
          part);
    }
  }

  /**
   * Adds another tensor's counts the given number of times, as merging it that often would. The
   * other has no parts; those of these stats stay as they are.
   *
   * @throws TareException if counts would pass 2^63 - 1; these stats are then as they were
   */
  public TensorStats mergeTimes(TensorStats other, long times) {
    if (other.channels != null || other.average != null || other.recording != null) {
      throw new IllegalArgumentException("parts cannot be merged several times");
    }
    if (times > 0) {
      Counts.requireRoom(count(), other.count(), times);
      addCounts(other, times);
    }
    return this;
  }

  /**
   * The stats of the finite values above a limit; without parts, NaN and infinities. The least
   * value is known to a bucket's width.
   *
   * @param limit below zero, and the end of a bucket
   */
  public TensorStats above(double limit) {
    TensorStats rest = new TensorStats();
    rest.zeros = zeros;
    rest.histogram.addAbove(histogram, limit);
    rest.max = max;
    float[] lowest = {rest.zeros > 0 ? 0f : Float.POSITIVE_INFINITY};
    rest.histogram.forEachAscending(
        (low, high, count) -> lowest[0] = Math.min(lowest[0], (float) low));
    rest.min = Math.min(lowest[0], max);
    return rest;
  }

  /** The least finite value; +infinity if there is none. */
  public float min() {
    return min;
  }

  /** The greatest finite value; -infinity if there is none. */
  public float max() {
    return max;
  }

  public long zeros() {
    return zeros;
  }

  public long nans() {
    return nans;
  }

  public long positiveInfinities() {
    return positiveInfinities;
  }

  public long negativeInfinities() {
    return negativeInfinities;
  }

  /** How many values are finite, zeros included. */
  public long finiteCount() {
    return histogram.total() + zeros;
  }

  /** How many values were observed in all. */
  public long count() {
    return finiteCount() + nans + positiveInfinities + negativeInfinities;
  }

  /** The finite values that are not zero. */
  public FloatHistogram histogram() {
    return histogram;
  }

  /** These stats with room for statistics of channels, which {@link ChannelObserver} fills. */
  public TensorStats with(ChannelStats part) {
    channels = part;
    return this;
  }

  /** These stats with a moving average of the batches' least and greatest values. */
  public TensorStats with(MovingAverage part) {
    average = part;
    return this;
  }

  /** These stats with a recording of the values. */
  public TensorStats with(Recording part) {
    recording = part;
    return this;
  }

  /** These stats as those of values that were divided by factors. */
  public TensorStats with(Smoothing part) {
    smoothing = part;
    return this;
  }

  /** Statistics of each channel, if they were asked for. */
  public Optional<ChannelStats> channels() {
    return Optional.ofNullable(channels);
  }

  /** The moving average of the batches' least and greatest values, if it was asked for. */
  public Optional<MovingAverage> average() {
    return Optional.ofNullable(average);
  }

  /** The first values, if they were asked for. */
  public Optional<Recording> recording() {
    return Optional.ofNullable(recording);
  }

  /** What the values were divided by before they were observed, if they were. */
  public Optional<Smoothing> smoothing() {
    return Optional.ofNullable(smoothing);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TensorStats that
        && Float.compare(min, that.min) == 0
        && Float.compare(max, that.max) == 0
        && zeros == that.zeros
        && nans == that.nans
        && positiveInfinities == that.positiveInfinities
        && negativeInfinities == that.negativeInfinities
        && histogram.equals(that.histogram)
        && Objects.equals(channels, that.channels)
        && Objects.equals(average, that.average)
        && Objects.equals(recording, that.recording)
        && Objects.equals(smoothing, that.smoothing);
  }

  @Override
  public int hashCode() {
    return Objects.hash(min, max, zeros, nans, positiveInfinities, negativeInfinities, histogram);
  }

  @Override
  public String toString() {
    return "TensorStats{count="
        + count()
        + ", min="
        + min
        + ", max="
        + max
        + ", zeros="
        + zeros
        + ", nans="
        + nans
        + ", +inf="
        + positiveInfinities
        + ", -inf="
        + negativeInfinities
        + "}";
  }
}
