package org.tare.stats;

import java.util.Objects;

/**
 * What was observed of one tensor: the exact least and greatest finite value, counts of zeros, NaN
 * and infinities, and a {@link FloatHistogram} of the rest. One pass answers every range method.
 *
 * <p>{@link #merge} is associative and commutative with {@link #empty} as its identity, and {@code
 * observe(a ++ b)} equals {@code merge(observe(a), observe(b))}, exactly: all parts are integer
 * sums, a minimum and a maximum.
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

  /** Adds what another tensor's stats hold; the other is not changed. */
  @SuppressWarnings("ReferenceEquality") // merging an object with itself would count twice
  public TensorStats merge(TensorStats other) {
    if (other == this) {
      throw new IllegalArgumentException("Cannot merge stats with themselves");
    }
    histogram.add(other.histogram);
    min = Math.min(min, other.min);
    max = Math.max(max, other.max);
    zeros = Math.addExact(zeros, other.zeros);
    nans = Math.addExact(nans, other.nans);
    positiveInfinities = Math.addExact(positiveInfinities, other.positiveInfinities);
    negativeInfinities = Math.addExact(negativeInfinities, other.negativeInfinities);
    return this;
  }

  /** Adds another tensor's stats the given number of times, as merging it that often would. */
  public TensorStats mergeTimes(TensorStats other, long times) {
    if (times == 0) {
      return this;
    }
    TensorStats scaled = new TensorStats();
    scaled.histogram.addTimes(other.histogram, times);
    scaled.min = other.min;
    scaled.max = other.max;
    scaled.zeros = Math.multiplyExact(other.zeros, times);
    scaled.nans = Math.multiplyExact(other.nans, times);
    scaled.positiveInfinities = Math.multiplyExact(other.positiveInfinities, times);
    scaled.negativeInfinities = Math.multiplyExact(other.negativeInfinities, times);
    return merge(scaled);
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

  @Override
  public boolean equals(Object other) {
    return other instanceof TensorStats that
        && Float.compare(min, that.min) == 0
        && Float.compare(max, that.max) == 0
        && zeros == that.zeros
        && nans == that.nans
        && positiveInfinities == that.positiveInfinities
        && negativeInfinities == that.negativeInfinities
        && histogram.equals(that.histogram);
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
