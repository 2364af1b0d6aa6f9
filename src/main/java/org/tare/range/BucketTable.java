package org.tare.range;

import org.tare.quant.QParams;
import org.tare.stats.TensorStats;

/**
 * The histogram of a tensor laid out for many evaluations of the squared error that qparams cause.
 *
 * <p>Magnitudes below zero and above it stand in one table each, ascending. Within a bucket values
 * are taken as uniform, and the outermost buckets end at the exact min and max. Then the error of a
 * bucket is an integral in closed form, whatever the scale; that of all buckets in the first half
 * step around zero, and of all that are clipped, comes from prefix sums.
 */
final class BucketTable {
  private final Side negative;
  private final Side positive;
  private final double count;

  BucketTable(TensorStats stats) {
    negative = new Side();
    positive = new Side();
    double min = stats.min();
    double max = stats.max();
    int[] sizes = new int[2];
    stats.histogram().forEachAscending((low, high, n) -> sizes[low < 0 ? 0 : 1]++);
    negative.allocate(sizes[0]);
    positive.allocate(sizes[1]);
    stats
        .histogram()
        .forEachAscending(
            (low, high, n) -> {
              double from = Math.min(Math.max(low, min), max);
              double to = Math.max(Math.min(high, max), from);
              // A bucket below zero ends at zero at most: [-high, -low) mirrored.
              if (low < 0) {
                negative.addDescending(-to, -from, n);
              } else {
                positive.addAscending(from, to, n);
              }
            });
    negative.sum();
    positive.sum();
    count = Math.max(1, stats.finiteCount());
  }

  /** The mean of (x - fakeQuantize(x))^2 over the finite values. */
  double meanSquaredError(QParams qparams) {
    double step = qparams.scale();
    return (negative.error(step, -qparams.lowest()) + positive.error(step, qparams.highest()))
        / count;
  }

  /** At least this much is lost by clipping to [min, max], whatever the step. */
  double clippingError(double min, double max) {
    return (negative.clipped(-min) + positive.clipped(max)) / count;
  }

  private static final class Side {
    private double[] low;
    private double[] high;
    private double[] counts;

    /** Sums over the buckets before the index: of counts, of first and second moments. */
    private double[] sum0;

    private double[] sum1;
    private double[] sum2;
    private int filled;

    void allocate(int size) {
      low = new double[size];
      high = new double[size];
      counts = new double[size];
    }

    void addAscending(double from, double to, long n) {
      set(filled++, from, to, n);
    }

    void addDescending(double from, double to, long n) {
      set(low.length - ++filled, from, to, n);
    }

    private void set(int i, double from, double to, long n) {
      low[i] = from;
      high[i] = to;
      counts[i] = n;
    }

    void sum() {
      int size = low.length;
      sum0 = new double[size + 1];
      sum1 = new double[size + 1];
      sum2 = new double[size + 1];
      for (int i = 0; i < size; i++) {
        double a = low[i];
        double b = high[i];
        sum0[i + 1] = sum0[i] + counts[i];
        sum1[i + 1] = sum1[i] + counts[i] * (a + b) / 2;
        sum2[i + 1] = sum2[i] + counts[i] * (a * a + a * b + b * b) / 3;
      }
    }

    /** The first bucket whose low end is at least x. */
    private int firstFrom(double x) {
      int from = 0;
      int to = low.length;
      while (from < to) {
        int middle = (from + to) >>> 1;
        if (low[middle] < x) {
          from = middle + 1;
        } else {
          to = middle;
        }
      }
      return from;
    }

    /** The sum of (x - limit)^2 over buckets wholly above the limit. */
    double clipped(double limit) {
      return clippedFrom(firstFrom(limit), limit);
    }

    private double clippedFrom(int first, double limit) {
      int last = low.length;
      double n = sum0[last] - sum0[first];
      double x = sum1[last] - sum1[first];
      double xx = sum2[last] - sum2[first];
      return Math.max(0, xx - 2 * limit * x + limit * limit * n);
    }

    /** The sum of squared errors with grid points 0, step, 2 step, … up to limit. */
    double error(double step, double limit) {
      int size = low.length;
      if (size == 0) {
        return 0;
      }
      int clippedFrom = firstFrom(limit);
      // Buckets that end within half a step of zero: the error is the value itself.
      int i = Math.min(Math.max(firstFrom(step / 2) - 1, 0), clippedFrom);
      double error = sum2[i] + clippedFrom(clippedFrom, limit);
      double lastEdge = Double.NaN;
      double atLastEdge = 0;
      for (; i < clippedFrom; i++) {
        double a = low[i];
        double b = high[i];
        if (a == b) {
          double distance = a > limit ? a - limit : a - Math.rint(a / step) * step;
          error += counts[i] * distance * distance;
          continue;
        }
        double atLow = a == lastEdge ? atLastEdge : integral(a, step, limit);
        double atHigh = integral(b, step, limit);
        error += counts[i] * (atHigh - atLow) / (b - a);
        lastEdge = b;
        atLastEdge = atHigh;
      }
      return error;
    }

    /** The integral of the squared error from 0 to x: a twelfth of step^3 for each whole step. */
    private static double integral(double x, double step, double limit) {
      double inside = Math.min(x, limit);
      double steps = inside / step;
      double whole = Math.rint(steps);
      double rest = steps - whole;
      double integral = step * step * step * (whole / 12 + rest * rest * rest / 3);
      double above = x - inside;
      return above > 0 ? integral + above * above * above / 3 : integral;
    }
  }
}
