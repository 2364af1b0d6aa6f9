package org.tare.quant;

/**
 * Rounds the weights of a convolution so that the errors of each kernel add up to nearly nothing,
 * after Guo et al. 2022 (SQuant). Neighbouring pixels are much alike, so what a kernel's errors add
 * up to is what shows; rounding each weight to the nearest lets that sum grow with the kernel.
 *
 * <p>First within each kernel, then among the kernels of an output channel, weights are moved by
 * one step to the other side of their value, those first whose error grows least, until the sum of
 * errors is at most half a step. A weight that a {@link PairLimit} holds stays. Values are finite.
 */
public final class KernelSums {
  private KernelSums() {}

  /**
   * Changes integers that were rounded to the nearest.
   *
   * @param quantized integers of the weight, row-major
   * @param values [output channels, input channels of a group, kernel...]
   * @param qparams per tensor, or per output channel
   * @param limit that the integers keep to, before and after
   */
  public static void preserve(
      int[] quantized, float[] values, long[] shape, ChannelQParams qparams, PairLimit limit) {
    int channels = (int) shape[0];
    if (channels == 0 || values.length == 0) {
      return;
    }
    int perChannel = values.length / channels;
    int kernel = shape[1] == 0 ? 0 : perChannel / (int) shape[1];
    for (int o = 0; o < channels; o++) {
      QParams q = qparams.channels().get(qparams.isPerChannel() ? o : 0);
      Errors errors = new Errors(quantized, values, q, limit);
      int from = o * perChannel;
      if (kernel > 1) {
        for (int start = from; start < from + perChannel; start += kernel) {
          errors.settle(start, start + kernel, 1);
        }
      }
      if (perChannel > kernel && kernel > 1) {
        errors.settle(from, from + perChannel, kernel);
      }
    }
  }

  /** Rounding errors in steps. */
  private record Errors(int[] quantized, float[] values, QParams q, PairLimit limit) {
    double of(int i) {
      return (quantized[i] - q.zeroPoint()) - (double) values[i] / q.scale();
    }

    /**
     * Moves weights of a range, at most one of each so many neighbours, until their errors add up
     * to at most half a step.
     */
    void settle(int from, int to, int neighbours) {
      boolean[] moved = new boolean[(to - from) / neighbours];
      double sum = 0;
      for (int i = from; i < to; i++) {
        sum += of(i);
      }
      int moves = (int) Math.floor(Math.abs(sum) + 0.5);
      int direction = sum > 0 ? -1 : 1;
      for (int m = 0; m < moves; m++) {
        int best = -1;
        double largest = 0;
        for (int i = from; i < to; i++) {
          // An error on the far side of the value shrinks, or at least stays below a step.
          double error = -direction * of(i);
          int next = quantized[i] + direction;
          boolean fits =
              next >= q.quantMin() && next <= q.quantMax() && !moved[(i - from) / neighbours];
          if (fits && error > largest && limit.allows(quantized, i, next)) {
            largest = error;
            best = i;
          }
        }
        if (best < 0) {
          return;
        }
        quantized[best] += direction;
        moved[(best - from) / neighbours] = true;
      }
    }
  }
}
