package org.tare.range;

import org.tare.TareException;
import org.tare.quant.QParams;
import org.tare.stats.TensorStats;

/**
 * Chooses the range of a tensor from its stats. Only finite values count; of a constant, single or
 * all-zero tensor the range is that one value.
 */
public final class RangeSearch {
  /** The outer search goes down by this factor on each side, as long as it can pay. */
  private static final double COARSE_RATIO = Math.pow(2, -1.0 / 6);

  private static final int COARSE_STEPS = 120;
  private static final double FINEST_STEP = Math.pow(2, -13);

  private RangeSearch() {}

  /**
   * The range of the method.
   *
   * @throws TareException if no finite value was observed
   */
  public static Range range(
      String tensor, TensorStats stats, RangeMethod method, RangeTarget target) {
    if (stats.finiteCount() == 0) {
      throw TareException.badInput(
          "Cannot choose a range for tensor \"%s\": no finite value was observed (%d NaN,"
              + " %d infinite)",
          tensor, stats.nans(), stats.positiveInfinities() + stats.negativeInfinities());
    }
    if (method instanceof RangeMethod.Percentile percentile) {
      return Percentiles.range(stats, percentile.percentile(), target.symmetric());
    } else if (method instanceof RangeMethod.Mse) {
      return leastSquaredError(stats, target);
    }
    return new Range(stats.min(), stats.max());
  }

  /**
   * The mean of (x - fakeQuantize(x))^2 over the finite values, with those of a bucket taken as
   * uniform in it; 0 for no values.
   */
  public static double expectedSquaredError(TensorStats stats, QParams qparams) {
    return new BucketTable(stats).meanSquaredError(qparams);
  }

  private static Range leastSquaredError(TensorStats stats, RangeTarget target) {
    float min = Math.min(stats.min(), 0f);
    float max = Math.max(stats.max(), 0f);
    if (stats.min() == stats.max()) {
      return new Range(stats.min(), stats.max());
    }
    if (target.symmetric()) {
      max = Math.max(-min, max);
      min = -max;
    }
    Search search = new Search(new BucketTable(stats), target, min, max);
    search.coarse();
    search.refine();
    return search.best;
  }

  /**
   * Shrinks the ends of the full range by factors a (min) and b (max): first over a geometric grid
   * whose rows and columns end where clipping alone costs more than the best found, then around the
   * best by steps that halve.
   */
  private static final class Search {
    private final BucketTable table;
    private final RangeTarget target;
    private final double min;
    private final double max;
    private final boolean oneSided;
    private Range best;
    private double bestError = Double.POSITIVE_INFINITY;
    private double bestA = 1;
    private double bestB = 1;

    Search(BucketTable table, RangeTarget target, float min, float max) {
      this.table = table;
      this.target = target;
      this.min = min;
      this.max = max;
      this.oneSided = target.symmetric() || min == 0 || max == 0;
    }

    void coarse() {
      tryFactors(1, 1);
      double a = 1;
      for (int i = 0; i < COARSE_STEPS; i++, a *= COARSE_RATIO) {
        if (table.clippingError(a * min, oneSided ? a * max : max) > bestError) {
          break;
        }
        double b = oneSided ? a : 1;
        for (int j = 0; j < COARSE_STEPS; j++, b *= COARSE_RATIO) {
          if (table.clippingError(a * min, b * max) > bestError) {
            break;
          }
          tryFactors(a, b);
          if (oneSided) {
            break;
          }
        }
      }
    }

    void refine() {
      for (double step = 1 / 12.0; step > FINEST_STEP; step /= 2) {
        boolean improved = true;
        for (int round = 0; improved && round < 16; round++) {
          double a = bestA;
          double b = bestB;
          double before = bestError;
          double up = Math.exp(step);
          for (int da = -1; da <= 1; da++) {
            for (int db = -1; db <= 1; db++) {
              if (oneSided ? da == db : (da != 0 || db != 0)) {
                tryFactors(Math.min(1, a * Math.pow(up, da)), Math.min(1, b * Math.pow(up, db)));
              }
            }
          }
          improved = bestError < before;
        }
      }
    }

    private void tryFactors(double a, double b) {
      Range range = new Range((float) (min * a), (float) (max * b));
      double error = table.meanSquaredError(target.qparams(range));
      // Of equal errors the wider range wins: it was tried first.
      if (error < bestError) {
        bestError = error;
        best = range;
        bestA = a;
        bestB = b;
      }
    }
  }
}
