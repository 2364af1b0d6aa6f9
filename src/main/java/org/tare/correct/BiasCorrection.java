package org.tare.correct;

import java.util.Optional;
import org.tare.quant.ChannelQParams;
import org.tare.quant.QParams;
import org.tare.stats.ChannelStats;

/**
 * What rounding the weights adds to the mean of each output channel (Nagel et al. 2019, Data-Free
 * Quantization; NNCF's fast bias correction):
 *
 * <pre>
 *   shift[o] = sum over c and kernel of (W'[o, c] - W[o, c]) * mean(x[c])
 * </pre>
 *
 * to be taken off the bias. It needs no more than the merged means of the channels of x; the edges
 * of a padded convolution are taken as its middle.
 */
public final class BiasCorrection {
  private BiasCorrection() {}

  /**
   * The shift of each output channel.
   *
   * @param quantized the weight's integers
   * @return empty if a channel has no finite value, or the numbers of channels differ
   */
  public static Optional<double[]> shifts(
      ChannelWeight weight, int[] quantized, ChannelQParams qparams, ChannelStats stats) {
    if (stats.channels() != weight.channels()) {
      return Optional.empty();
    }
    double[] means = new double[stats.channels()];
    for (int c = 0; c < means.length; c++) {
      if (stats.finiteCount(c) == 0) {
        return Optional.empty();
      }
      means[c] = stats.mean(c);
    }
    float[] values = weight.values();
    double[] shifts = new double[weight.outputs()];
    weight.forEachRun(
        (from, to, channel, output, step) -> {
          int o = output;
          for (int i = from; i < to; i++) {
            QParams q = qparams.channels().get(qparams.isPerChannel() ? o : 0);
            double error = q.dequantize(quantized[i]) - (double) values[i];
            shifts[o] += error * means[channel];
            o += step;
          }
        });
    return Optional.of(shifts);
  }
}
