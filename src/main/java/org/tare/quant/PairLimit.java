package org.tare.quant;

import java.util.ArrayList;
import java.util.List;

/**
 * What keeps sums of 8-bit products exact on every CPU.
 *
 * <p>x86 without VNNI multiplies uint8 by int8 and adds two neighbouring products in 16 bits, which
 * saturate: ONNX Runtime's kernels do, and PyTorch's FBGEMM. Two weights of one sign that are
 * together at most {@value #MOST} steps cannot: 255 * 128 is below 2^15. Weights of opposite signs
 * never do. Neighbours are those of {@link WeightColumns#forEachPair}.
 *
 * <p>A channel's scale grows until its rounded integers comply. Rounding is monotonic, so every
 * greater scale complies too.
 *
 * @param which weights are held
 * @param columns how the kernel reads the weight; null if none are held
 */
public record PairLimit(Which which, WeightColumns columns) {
  /** The most that two weights of one sign may be together, in steps. */
  public static final int MOST = 128;

  /** Weights that are held to the limit. */
  public enum Which {
    /** None: nothing can saturate, or nothing shall be done about it. */
    NONE,
    /** Neighbours, whose products are added in 16 bits. */
    NEIGHBOURS,
    /** Any two weights of a column, for kernels with another order. */
    ANY_TWO
  }

  private static final PairLimit NONE = new PairLimit(Which.NONE, null);

  /** No limit. */
  public static PairLimit none() {
    return NONE;
  }

  boolean isNone() {
    return which == Which.NONE;
  }

  /**
   * The least scale of each channel that the limit leaves before anything is rounded; 0 where it
   * does not matter.
   *
   * @param channelOf the channel of each column
   */
  float[] leastScales(float[] values, int channels, int[] channelOf) {
    double[] largest = new double[channels];
    switch (which) {
      case NONE -> {}
      case NEIGHBOURS ->
          columns.forEachPair(
              (column, i, j) -> {
                if (haveOneSign(values[i], values[j])) {
                  int c = channelOf[column];
                  double sum = Math.abs((double) values[i] + values[j]);
                  largest[c] = Math.max(largest[c], sum);
                }
              });
      case ANY_TWO -> {
        Two two = Two.of(columns, values);
        for (int column = 0; column < columns.total(); column++) {
          int c = channelOf[column];
          largest[c] = Math.max(largest[c], two.above(column));
          largest[c] = Math.max(largest[c], two.below(column));
        }
      }
    }
    float[] scales = new float[channels];
    for (int c = 0; c < channels; c++) {
      scales[c] = (float) (largest[c] / MOST);
    }
    return scales;
  }

  /** The qparams with scales that are greater by the little that the rounded integers need. */
  List<QParams> held(float[] values, List<QParams> qparams, int[] channelOf) {
    List<QParams> held = new ArrayList<>(qparams);
    boolean[] exceeds = new boolean[held.size()];
    boolean isOver = !isNone();
    while (isOver) {
      isOver = false;
      mark(values, held, channelOf, exceeds);
      for (int c = 0; c < exceeds.length; c++) {
        if (exceeds[c]) {
          isOver = true;
          exceeds[c] = false;
          QParams q = held.get(c);
          held.set(c, q.withScale(Math.nextUp(q.scale())));
        }
      }
    }
    return held;
  }

  private void mark(float[] values, List<QParams> held, int[] channelOf, boolean[] exceeds) {
    if (which == Which.NEIGHBOURS) {
      QParams[] qparams = held.toArray(QParams[]::new);
      columns.forEachPair(
          (column, i, j) -> {
            int c = channelOf[column];
            QParams q = qparams[c];
            // Rounding adds less than one step to such a sum.
            boolean isNear = Math.abs(values[i]) + Math.abs(values[j]) > (MOST - 1) * q.scale();
            if (isNear && exceeds(q.quantize(values[i]), q.quantize(values[j]))) {
              exceeds[c] = true;
            }
          });
      return;
    }
    Two two = Two.of(columns, values);
    for (int column = 0; column < columns.total(); column++) {
      int c = channelOf[column];
      exceeds[c] |= two.exceeds(column, held.get(c));
    }
  }

  /** Whether a weight may be changed, given the other integers. */
  boolean allows(int[] quantized, int index, int next) {
    if (isNone() || Math.abs(next) <= Math.abs(quantized[index])) {
      return true;
    }
    int column = columns.column(index);
    int place = columns.place(index);
    if (which == Which.NEIGHBOURS) {
      int other = place ^ 1;
      return other >= columns.depth() || !exceeds(next, quantized[columns.index(column, other)]);
    }
    for (int other = 0; other < columns.depth(); other++) {
      if (other != place && exceeds(next, quantized[columns.index(column, other)])) {
        return false;
      }
    }
    return true;
  }

  private static boolean haveOneSign(float a, float b) {
    return (a > 0 && b > 0) || (a < 0 && b < 0);
  }

  private static boolean exceeds(int a, int b) {
    return ((a > 0) == (b > 0)) && Math.abs(a + b) > MOST;
  }

  /** The two greatest and the two least values of each column, 0 where there are none. */
  private record Two(float[] greatest, float[] second, float[] least, float[] secondLeast) {
    static Two of(WeightColumns columns, float[] values) {
      int total = columns.total();
      Two two = new Two(new float[total], new float[total], new float[total], new float[total]);
      for (int i = 0; i < values.length; i++) {
        two.take(columns.column(i), values[i]);
      }
      return two;
    }

    private void take(int column, float value) {
      if (value > greatest[column]) {
        second[column] = greatest[column];
        greatest[column] = value;
      } else if (value > second[column]) {
        second[column] = value;
      } else if (value < least[column]) {
        secondLeast[column] = least[column];
        least[column] = value;
      } else if (value < secondLeast[column]) {
        secondLeast[column] = value;
      }
    }

    double above(int column) {
      return second[column] > 0 ? (double) greatest[column] + second[column] : 0;
    }

    double below(int column) {
      return secondLeast[column] < 0 ? -((double) least[column] + secondLeast[column]) : 0;
    }

    boolean exceeds(int column, QParams q) {
      return PairLimit.exceeds(q.quantize(greatest[column]), q.quantize(second[column]))
          || PairLimit.exceeds(q.quantize(least[column]), q.quantize(secondLeast[column]));
    }
  }
}
