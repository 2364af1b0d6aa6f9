package org.tare.range;

import org.tare.quant.QParams;
import org.tare.stats.TensorStats;

/**
 * The histogram of a tensor laid out for many evaluations of the squared error that qparams cause.
 *
 * <p>Magnitudes below zero and above it stand in one table each, ascending. Within a bucket values
 * are taken as uniform; the outermost buckets end at the exact min and max, which stand apart. Then
 * the error of a bucket is an integral in closed form, whatever the scale; that of all buckets in
 * the first half step around zero, and of all that are clipped, comes from prefix sums.
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
    // The outermost value of each side is known exactly: it stands by itself.
    negative.allocate(sizes[0] + (min < 0 ? 1 : 0));
    positive.allocate(sizes[1] + (max > 0 ? 1 : 0));
    if (min < 0) {
      negative.addDescending(-min, -min, 1);
    }
    stats
        .histogram()
        .forEachAscending(
            (low, high, n) -> {
              double from = Math.min(Math.max(low, min), max);
              double to = Math.max(Math.min(high, max), from);
              // A bucket below zero ends at zero at most: [-high, -low) mirrored.
              if (low < 0) {
                boolean isOutermost = negative.filled == 1;
                negative.addDescending(-to, -from, isOutermost ? n - 1 : n);
              } else {
                boolean isOutermost = positive.filled == sizes[1] - 1;
                positive.addAscending(from, to, isOutermost ? n - 1 : n);
              }
            });
    if (max > 0) {
      positive.addAscending(max, max, 1);
    }
    negative.sum();
    positive.sum();
    count = Math.max(1, stats.finiteCount());
  }

  /**
   * The mean and k standard deviations on each side, cut to [min, max]. Both moments are exact for
   * values that are uniform in their bucket.
   */
  Range sigma(double k, float min, float max) {
    double mean = (positive.total(positive.sum1) - negative.total(negative.sum1)) / count;
    double square = (positive.total(positive.sum2) + negative.total(negative.sum2)) / count;
    double reach = k * Math.sqrt(Math.max(0, square - mean * mean));
    double low = Math.min(max, Math.max(min, mean - reach));
    double high = Math.min(max, Math.max(low, mean + reach));
    return new Range((float) low, (float) high);
  }

  /** The mean of x^2 over the finite values. */
  double meanSquare() {
    return (positive.total(positive.sum2) + negative.total(negative.sum2)) / count;
  }

  /** The share of the finite values above the limit, or, given a limit below zero, below it. */
  double shareBeyond(double limit) {
    return (limit < 0 ? negative.countAbove(-limit) : positive.countAbove(limit)) / count;
  }

  /** The expected error of qparams, by some measure. */
  interface ErrorMeasure {
    /** The mean of the measure over the finite values. */
    double mean(QParams qparams);

    /** At least this much is lost by clipping to [min, max], whatever the step. */
    double clipping(double min, double max);
  }

  /** The mean of (x - fakeQuantize(x))^2 over the finite values. */
  double meanSquaredError(QParams qparams) {
    double step = qparams.scale();
    return (negative.error(step, -qparams.lowest()) + positive.error(step, qparams.highest()))
        / count;
  }

  /** The error |x - fakeQuantize(x)|^p; for p other than 2 in units of the greatest magnitude. */
  ErrorMeasure error(double p) {
    return p == 2 ? new SquaredError() : new PowerError(p);
  }

  private final class SquaredError implements ErrorMeasure {
    @Override
    public double mean(QParams qparams) {
      return meanSquaredError(qparams);
    }

    @Override
    public double clipping(double min, double max) {
      return (negative.clipped(-min) + positive.clipped(max)) / count;
    }
  }

  private final class PowerError implements ErrorMeasure {
    private final double p;

    /** Powers of what is at most 1 neither overflow nor all vanish. */
    private final double unit;

    private final Side scaledNegative;
    private final Side scaledPositive;
    private final double[] negativeMoments;
    private final double[] positiveMoments;

    PowerError(double p) {
      this.p = p;
      double greatest = Math.max(negative.greatest(), positive.greatest());
      unit = greatest > 0 ? 1 / greatest : 1;
      scaledNegative = negative.scaled(unit);
      scaledPositive = positive.scaled(unit);
      negativeMoments = scaledNegative.moments(p);
      positiveMoments = scaledPositive.moments(p);
    }

    @Override
    public double mean(QParams qparams) {
      double step = qparams.scale() * unit;
      return (scaledNegative.powerError(p, negativeMoments, step, -qparams.lowest() * unit)
              + scaledPositive.powerError(p, positiveMoments, step, qparams.highest() * unit))
          / count;
    }

    @Override
    public double clipping(double min, double max) {
      return (scaledNegative.powerClipped(p, -min * unit)
              + scaledPositive.powerClipped(p, max * unit))
          / count;
    }
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
      set(filled++, from, to, (double) n);
    }

    void addDescending(double from, double to, long n) {
      set(low.length - ++filled, from, to, (double) n);
    }

    private void set(int i, double from, double to, double n) {
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

    double total(double[] sums) {
      return sums[sums.length - 1];
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

    /** How many values are above the limit. */
    double countAbove(double limit) {
      int first = firstFrom(limit);
      double above = sum0[low.length] - sum0[first];
      int cut = first - 1;
      if (cut >= 0 && high[cut] > limit) {
        above += counts[cut] * (high[cut] - limit) / (high[cut] - low[cut]);
      }
      return above;
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

    /** x to the power; small whole ones, which are the common ones, without a call of pow. */
    private static double power(double x, double exponent) {
      if (exponent == 2) {
        return x * x;
      } else if (exponent == 3) {
        return x * x * x;
      } else if (exponent == 4) {
        return x * x * (x * x);
      } else if (exponent == 5) {
        return x * x * (x * x) * x;
      }
      return Math.pow(x, exponent);
    }

    /** Sums over the buckets before the index of counts times the mean of x^p. */
    double[] moments(double p) {
      double[] sums = new double[low.length + 1];
      for (int i = 0; i < low.length; i++) {
        sums[i + 1] = sums[i] + counts[i] * meanPower(p, low[i], high[i]);
      }
      return sums;
    }

    /** The mean of x^p for x uniform in [a, b], a at least 0. */
    private static double meanPower(double p, double a, double b) {
      double middle = (a + b) / 2;
      // For narrow buckets the difference of powers cancels: the middle is as good.
      return b - a <= 1e-6 * middle
          ? power(middle, p)
          : (power(b, p + 1) - power(a, p + 1)) / ((p + 1) * (b - a));
    }

    double greatest() {
      return high.length == 0 ? 0 : high[high.length - 1];
    }

    /** The same counts with all values multiplied. */
    Side scaled(double unit) {
      Side scaled = new Side();
      scaled.allocate(low.length);
      for (int i = 0; i < low.length; i++) {
        scaled.set(i, low[i] * unit, high[i] * unit, counts[i]);
      }
      return scaled;
    }

    /** The sum of (x - limit)^p over the buckets wholly above the limit. */
    double powerClipped(double p, double limit) {
      double sum = 0;
      for (int i = firstFrom(limit); i < low.length; i++) {
        sum += counts[i] * meanPower(p, low[i] - limit, high[i] - limit);
      }
      return sum;
    }

    /** The sum of |error|^p with grid points 0, step, 2 step, … up to limit. */
    double powerError(double p, double[] moments, double step, double limit) {
      if (low.length == 0) {
        return 0;
      }
      int clippedFrom = firstFrom(limit);
      int i = Math.min(Math.max(firstFrom(step / 2) - 1, 0), clippedFrom);
      double error = moments[i] + powerClipped(p, limit);
      double scale = Math.pow(step, p + 1) / (p + 1);
      double wholeStep = 2 * Math.pow(0.5, p + 1);
      double lastEdge = Double.NaN;
      double atLastEdge = 0;
      for (; i < clippedFrom; i++) {
        double a = low[i];
        double b = high[i];
        if (a == b) {
          double distance = a > limit ? a - limit : Math.abs(a - Math.rint(a / step) * step);
          error += counts[i] * power(distance, p);
          continue;
        }
        double atLow =
            a == lastEdge ? atLastEdge : powerIntegral(p, a, step, limit, scale, wholeStep);
        double atHigh = powerIntegral(p, b, step, limit, scale, wholeStep);
        error += counts[i] * (atHigh - atLow) / (b - a);
        lastEdge = b;
        atLastEdge = atHigh;
      }
      return error;
    }

    private static double powerIntegral(
        double p, double x, double step, double limit, double scale, double wholeStep) {
      double inside = Math.min(x, limit);
      double steps = inside / step;
      double whole = Math.rint(steps);
      double rest = steps - whole;
      double integral =
          scale * (whole * wholeStep + Math.copySign(power(Math.abs(rest), p + 1), rest));
      double above = x - inside;
      return above > 0 ? integral + power(above, p + 1) / (p + 1) : integral;
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
