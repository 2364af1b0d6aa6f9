package org.tare.correct;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
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
            squares -> {
              double[] errors = errors(List.of(none(), smoothing.exponents()), squares);
              return new Choice(smoothing, errors[0] / errors[1]);
            });
  }

  private int[] none() {
    return new int[stats.channels()];
  }

  private Optional<Choice> choose(double worth, double[] squares) {
    float[] largest = largestWeights();
    List<int[]> candidates = new ArrayList<>(List.of(none()));
    for (double alpha : ALPHAS) {
      candidates.add(exponents(largest, alpha));
    }
    double[] errors = errors(candidates, squares);
    double without = errors[0];
    Choice best = null;
    for (int i = 0; i < ALPHAS.length; i++) {
      double error = errors[i + 1];
      if (error < without * worth && (best == null || without / error > best.gain())) {
        Smoothing smoothing = new Smoothing((float) ALPHAS[i], candidates.get(i + 1));
        best = new Choice(smoothing, without / error);
      }
    }
    return Optional.ofNullable(best);
  }

  private float[] largestWeights() {
    float[] largest = new float[stats.channels()];
    for (ChannelWeight weight : weights) {
      float[] values = weight.values();
      weight.forEachRun(
          (from, to, c, output, step) -> {
            for (int i = from; i < to; i++) {
              largest[c] = Math.max(largest[c], Math.abs(values[i]));
            }
          });
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
      weight.forEachRun(
          (from, to, c, output, step) -> {
            for (int i = from; i < to; i++) {
              squares[c] += (double) values[i] * values[i];
            }
          });
    }
    for (int c = 0; c < channels; c++) {
      // No sum of squares of finite float32 values is beyond float64.
      if (!Double.isFinite(squares[c]) || stats.finiteCount(c) == 0) {
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

  /** The error to be expected with each of the candidates. */
  private double[] errors(List<int[]> candidates, double[] weightSquares) {
    double[] powers = powers();
    double[] errors =
        candidates.stream().mapToDouble(e -> activationError(e, weightSquares)).toArray();
    for (ChannelWeight weight : weights) {
      float[] values = weight.values();
      IntStream.range(0, errors.length)
          .parallel()
          .forEach(i -> errors[i] += weightError(weight, values, candidates.get(i), powers));
    }
    return errors;
  }

  /** About what the squares of each channel's values are on average. */
  private double[] powers() {
    double[] powers = new double[stats.channels()];
    for (int c = 0; c < powers.length; c++) {
      double mean = stats.mean(c);
      double magnitude = stats.sumOfMagnitudes(c) / stats.finiteCount(c);
      powers[c] = Math.max(mean * mean, Math.PI / 2 * magnitude * magnitude);
    }
    return powers;
  }

  private double activationError(int[] exponents, double[] weightSquares) {
    double low = 0;
    double high = 0;
    double passedOn = 0;
    for (int c = 0; c < exponents.length; c++) {
      double factor = Math.scalb(1.0, exponents[c]);
      low = Math.min(low, stats.min(c) / factor);
      high = Math.max(high, stats.max(c) / factor);
      passedOn += factor * factor * weightSquares[c];
    }
    double step =
        config.activation().scheme().isSymmetric()
            ? Math.max(-low, high) / 127
            : (high - low) / 255;
    return step * step / 12 * passedOn;
  }

  private double weightError(
      ChannelWeight weight, float[] values, int[] exponents, double[] powers) {
    double[] factors = new double[exponents.length];
    double[] squares = new double[exponents.length];
    for (int c = 0; c < factors.length; c++) {
      factors[c] = Math.scalb(1.0, exponents[c]);
      squares[c] = powers[c] / (factors[c] * factors[c]);
    }
    double[] largest = new double[weight.outputs()];
    double[] read = new double[weight.outputs()];
    weight.forEachRun(
        (from, to, c, output, step) -> {
          double factor = factors[c];
          double square = squares[c];
          int n = output;
          for (int i = from; i < to; i++) {
            largest[n] = Math.max(largest[n], Math.abs(values[i]) * factor);
            read[n] += square;
            n += step;
          }
        });
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
