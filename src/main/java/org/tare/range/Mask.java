package org.tare.range;

import org.tare.stats.TensorStats;

/**
 * The values of an attention mask in a tensor of scores: -1e4, -1e9 or -3.4e38 (float32's least)
 * added to what must not count, or -infinity itself.
 *
 * <p>Values below {@value #LEAST_MAGNITUDE} in a narrow cluster, {@value #GAP} times further from
 * zero than everything else, with nothing in between, are a mask. A range over them would leave one
 * integer for all the scores. A range without them would clip them to the least score, and softmax
 * would give weight to what was masked. So the range is that of the scores, extended downwards by
 * {@value #MARGIN}: what is clipped there has a weight below e^-{@value #MARGIN}, as a mask should.
 *
 * <p>A tensor of nothing but mask and zeros is the mask itself: both values are represented exactly
 * and the range holds both.
 */
final class Mask {
  /** The least of common masks, -1e4, with scores of a thousand or two added to it. */
  private static final double LEAST_MAGNITUDE = 8192;

  private static final double GAP = 32;

  /** Two masks added up, with scores: a spread of more than that is no mask. */
  private static final double WIDEST = 2.2;

  private static final double LEAST_SHARE = 1e-4;

  /** e^-16 is 1e-7: a thousand masked positions together stay below half a step of 1/256. */
  private static final float MARGIN = 16;

  private final TensorStats rest;
  private final long count;

  private Mask(TensorStats rest, long count) {
    this.rest = rest;
    this.count = count;
  }

  /** The mask of the stats; one of no values if there is none. */
  static Mask of(TensorStats stats) {
    Gap gap = new Gap();
    stats.histogram().forEachAscending(gap::bucket);
    gap.bucket(0, 0, stats.zeros());
    boolean isMask =
        gap.masked > 0
            && gap.hasRest
            && gap.masked >= LEAST_SHARE * stats.finiteCount()
            && !(gap.greatestRest == 0);
    if (!isMask) {
      long infinite = stats.negativeInfinities();
      boolean isInfiniteMask = infinite >= LEAST_SHARE * (stats.finiteCount() + infinite);
      return new Mask(stats, isInfiniteMask ? infinite : 0);
    }
    // What is left may hold a mask of another kind: -1e4 beside -3.4e38.
    Mask further = Mask.of(stats.above(-gap.nearestMasked));
    return new Mask(further.rest, gap.masked + stats.negativeInfinities() + further.count);
  }

  /** Reads buckets in ascending order and finds where the mask ends. */
  private static final class Gap {
    private long masked;
    private double nearestMasked;
    private double furthestMasked;
    private boolean hasRest;
    private double greatestRest;

    void bucket(double low, double high, long count) {
      if (count == 0) {
        return;
      }
      boolean isFar = high <= -LEAST_MAGNITUDE && !hasRest;
      boolean isNarrow = masked == 0 || -low * WIDEST >= furthestMasked;
      if (isFar && isNarrow) {
        furthestMasked = masked == 0 ? -high : furthestMasked;
        nearestMasked = -high;
        masked += count;
        return;
      }
      hasRest = true;
      greatestRest = Math.max(greatestRest, Math.max(Math.abs(low), Math.abs(high)));
      if (greatestRest * GAP > nearestMasked) {
        masked = 0;
        nearestMasked = Double.POSITIVE_INFINITY;
      }
    }
  }

  /** The stats without the mask's values: those given if there is no mask. */
  TensorStats rest() {
    return rest;
  }

  long count() {
    return count;
  }

  /** The range that a method chose for the rest, with room for the mask to be clipped into. */
  Range extend(Range range) {
    if (count == 0) {
      return range;
    }
    float low = Math.min(range.min(), rest.min()) - MARGIN;
    return new Range(Float.isInfinite(low) ? range.min() : low, range.max());
  }
}
