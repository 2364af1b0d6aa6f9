package org.tare.correct;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.tare.qconfig.QConfig;
import org.tare.stats.ChannelStats;
import org.tare.stats.Smoothing;

/**
 * Chooses SmoothQuant's factors for the channels of one tensor, see {@link SmoothQuant}.
 *
 * @param weights of all that reads the tensor
 * @param config of the first of them
 */
record SmoothFactors(ChannelStats stats, List<ChannelWeight> weights, QConfig config) {
  private static final double[] ALPHAS = {0.25, 0.35, 0.45, 0.5, 0.55, 0.65, 0.75, 0.85, 0.95, 1};

  /**
   * What was chosen.
   *
   * @param gain the expected error without factors over that with them
   */
  record Choice(Smoothing smoothing, double gain) {}

  /**
   * The best factors, if the error to be expected comes down enough.
   *
   * @param worth the share of the error without factors that it has to come down to
   */
  Optional<Choice> choose(double worth) {
    return weightSquares().flatMap(squares -> choose(worth, squares));
  }

  /** Factors that were chosen before, if they can be applied. */
  Optional<Choice> given(Smoothing smoothing) {
    return weightSquares()
        .map(
            squares ->
                new Choice(
                    smoothing,
                    error(new int[stats.channels()], squares)
                        / error(smoothing.exponents(), squares)));
  }

  private Optional<Choice> choose(double worth, double[] squares) {
    float[] largest = largestWeights();
    double without = error(new int[stats.channels()], squares);
    Choice best = null;
    for (double alpha : ALPHAS) {
      int[] exponents = exponents(largest, alpha);
      double error = error(exponents, squares);
      if (error < without * worth && (best == null || without / error > best.gain())) {
        best = new Choice(new Smoothing((float) alpha, exponents), without / error);
      }
    }
    return Optional.ofNullable(best);
  }

  private float[] largestWeights() {
    float[] largest = new float[stats.channels()];
    for (ChannelWeight weight : weights) {
      float[] values = weight.values();
      for (int i = 0; i < values.length; i++) {
        int c = weight.channel(i);
        largest[c] = Math.max(largest[c], Math.abs(values[i]));
      }
    }
    return largest;
  }

  /**
   * The sum of the squares of each channel's weights; none if a weight is not finite, or a channel
   * has no finite value: then there are no factors.
   */
  private Optional<double[]> weightSquares() {
    int channels = stats.channels();
    double[] squares = new double[channels];
    for (ChannelWeight weight : weights) {
      float[] values = weight.values();
      for (int i = 0; i < values.length; i++) {
        float value = values[i];
        if (!Float.isFinite(value)) {
          return Optional.empty();
        }
        squares[weight.channel(i)] += (double) value * value;
      }
    }
    for (int c = 0; c < channels; c++) {
      if (stats.finiteCount(c) == 0) {
        return Optional.empty();
      }
    }
    return Optional.of(squares);
  }

  /** The factors as powers of two, their geometric mean about 1; 0 for channels of zeros. */
  private int[] exponents(float[] weightMax, double alpha) {
    double[] logs = new double[weightMax.length];
    double sum = 0;
    int counted = 0;
    for (int c = 0; c < logs.length; c++) {
      double largest = Math.max(Math.abs(stats.min(c)), Math.abs(stats.max(c)));
      logs[c] = Double.NaN;
      if (largest > 0 && weightMax[c] > 0) {
        logs[c] = (alpha * Math.log(largest) - (1 - alpha) * Math.log(weightMax[c])) / Math.log(2);
        sum += logs[c];
        counted++;
      }
    }
    double mean = counted == 0 ? 0 : sum / counted;
    int[] exponents = new int[logs.length];
    for (int c = 0; c < logs.length; c++) {
      double exponent = Double.isNaN(logs[c]) ? 0 : Math.rint(logs[c] - mean);
      exponents[c] =
          (int)
              Math.max(-Smoothing.LARGEST_EXPONENT, Math.min(Smoothing.LARGEST_EXPONENT, exponent));
    }
    return exponents;
  }

  private double error(int[] exponents, double[] weightSquares) {
    double low = 0;
    double high = 0;
    double passedOn = 0;
    double[] squares = new double[exponents.length];
    for (int c = 0; c < exponents.length; c++) {
      double factor = Math.scalb(1.0, exponents[c]);
      low = Math.min(low, stats.min(c) / factor);
      high = Math.max(high, stats.max(c) / factor);
      passedOn += factor * factor * weightSquares[c];
      double mean = stats.mean(c);
      double magnitude = stats.sumOfMagnitudes(c) / stats.finiteCount(c);
      squares[c] = Math.max(mean * mean, Math.PI / 2 * magnitude * magnitude) / (factor * factor);
    }
    double step =
        config.activation().scheme().isSymmetric()
            ? Math.max(-low, high) / 127
            : (high - low) / 255;
    double error = step * step / 12 * passedOn;
    for (ChannelWeight weight : weights) {
      error += weightError(weight, exponents, squares);
    }
    return error;
  }

  private double weightError(ChannelWeight weight, int[] exponents, double[] squares) {
    double[] largest = new double[weight.outputs()];
    double[] read = new double[weight.outputs()];
    float[] values = weight.values();
    for (int i = 0; i < values.length; i++) {
      int c = weight.channel(i);
      int n = weight.output(i);
      largest[n] = Math.max(largest[n], Math.abs(values[i]) * Math.scalb(1.0, exponents[c]));
      read[n] += squares[c];
    }
    if (!config.weight().scheme().isPerChannel()) {
      Arrays.fill(largest, Arrays.stream(largest).max().orElse(0));
    }
    double error = 0;
    for (int n = 0; n < largest.length; n++) {
      double step = largest[n] / 127;
      error += step * step / 12 * read[n];
    }
    return error;
  }
}
