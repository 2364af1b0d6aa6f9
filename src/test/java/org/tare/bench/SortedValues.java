package org.tare.bench;

import java.util.Arrays;
import org.tare.quant.QParams;

/**
 * All values in ascending order, with the sums up to each, and those of the squares. The squared
 * error of qparams is then a sum over their levels, and not over the values: the same number but
 * for roundings, in a thousandth of the time.
 */
final class SortedValues {
  private final float[] values;
  private final double[] sums;
  private final double[] squares;

  private SortedValues(float[] values) {
    this.values = values;
    this.sums = new double[values.length + 1];
    this.squares = new double[values.length + 1];
    for (int i = 0; i < values.length; i++) {
      sums[i + 1] = sums[i] + values[i];
      squares[i + 1] = squares[i] + (double) values[i] * values[i];
    }
  }

  static SortedValues of(float[] values) {
    float[] sorted = values.clone();
    Arrays.parallelSort(sorted);
    return new SortedValues(sorted);
  }

  float least() {
    return values[0];
  }

  float greatest() {
    return values[values.length - 1];
  }

  /** The mean squared error of quantizing and dequantizing. */
  double error(QParams q) {
    int first = 0;
    double sum = 0;
    for (int level = q.quantMin(); level <= q.quantMax(); level++) {
      double steps = level - (double) q.zeroPoint();
      int next = level == q.quantMax() ? values.length : upTo((steps + 0.5) * q.scale(), first);
      double place = steps * q.scale();
      sum +=
          squares[next]
              - squares[first]
              - 2 * place * (sums[next] - sums[first])
              + (next - first) * place * place;
      first = next;
    }
    return sum / values.length;
  }

  /** The first place, from one on, whose value is above a bound. */
  private int upTo(double bound, int from) {
    int low = from;
    int stride = 1;
    while (low + stride <= values.length && values[low + stride - 1] <= bound) {
      low += stride;
      stride *= 2;
    }
    int high = Math.min(values.length, low + stride);
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (values[middle] <= bound) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
