package org.tare.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.stats.Samples;

class KernelSumsTest {
  private static final double HALF = 0.5 + 1e-6;

  private static int size(long... shape) {
    long size = 1;
    for (long dim : shape) {
      size *= dim;
    }
    return (int) size;
  }

  private static ChannelQParams qparams(float[] values, long[] shape, boolean perChannel) {
    WeightQuantizer quantizer =
        new WeightQuantizer(QParamsRule.ONNXRUNTIME.spec(DType.INT8, true, false));
    return perChannel ? quantizer.perChannel(values, shape, 0) : quantizer.perTensor(values);
  }

  private static QParams of(ChannelQParams qparams, int output) {
    return qparams.channels().get(qparams.isPerChannel() ? output : 0);
  }

  private static int[] nearest(float[] values, long[] shape, ChannelQParams qparams) {
    int perOutput = values.length / (int) shape[0];
    int[] nearest = new int[values.length];
    for (int i = 0; i < nearest.length; i++) {
      nearest[i] = of(qparams, i / perOutput).quantize(values[i]);
    }
    return nearest;
  }

  private static int[] preserved(float[] values, long[] shape, ChannelQParams qparams) {
    int[] integers = nearest(values, shape, qparams);
    KernelSums.preserve(integers, values, shape, qparams, PairLimit.none());
    return integers;
  }

  /** The sum of errors in steps over [from, to) of one output channel. */
  private static double sum(int[] integers, float[] values, QParams q, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += integers[i] - q.zeroPoint() - (double) values[i] / q.scale();
    }
    return sum;
  }

  static Stream<Arguments> kernels() {
    List<Arguments> all = new ArrayList<>();
    for (boolean perChannel : new boolean[] {false, true}) {
      for (long[] shape :
          new long[][] {
            {8, 1, 3, 3}, {16, 1, 5, 5}, {4, 1, 7}, {8, 6, 3, 3}, {4, 32, 1, 3}, {3, 5, 2, 2, 2}
          }) {
        all.add(Arguments.of(shape, perChannel));
      }
    }
    return all.stream();
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("kernels")
  void sumsAreAtMostHalfAStep(long[] shape, boolean perChannel) {
    for (int seed = 0; seed < 20; seed++) {
      float[] values = Samples.normal(new Random(seed), size(shape));
      ChannelQParams qparams = qparams(values, shape, perChannel);
      int[] integers = preserved(values, shape, qparams);
      int perOutput = values.length / (int) shape[0];
      int kernel = perOutput / (int) shape[1];
      for (int o = 0; o < shape[0]; o++) {
        QParams q = of(qparams, o);
        int from = o * perOutput;
        double channel = sum(integers, values, q, from, from + perOutput);
        assertTrue(Math.abs(channel) <= HALF, () -> "channel: " + channel);
        for (int start = from; start < from + perOutput; start += kernel) {
          double sum = sum(integers, values, q, start, start + kernel);
          // Kernels that settle the sum of their channel give up some of their own.
          assertTrue(Math.abs(sum) <= (shape[1] == 1 ? HALF : 1 + HALF), () -> "kernel: " + sum);
        }
        for (int i = from; i < from + perOutput; i++) {
          double error = sum(integers, values, q, i, i + 1);
          assertTrue(Math.abs(error) <= 1 + 1e-6, () -> "weight: " + error);
          assertTrue(integers[i] >= q.quantMin() && integers[i] <= q.quantMax());
        }
      }
    }
  }

  @Test
  void limitsHold() {
    // Each is 0.4 steps above an integer; there is no room above 127.
    float[] values = {127.4f, 127.4f, 127.4f, 127.4f};
    ChannelQParams qparams = new ChannelQParams(-1, List.of(QParams.of(1, 0, DType.INT8)));
    assertArrayEquals(
        new int[] {127, 127, 127, 127}, preserved(values, new long[] {1, 1, 2, 2}, qparams));
    float[] below = {-63.4f, -63.4f, 2.4f, -63.4f};
    ChannelQParams narrow = new ChannelQParams(-1, List.of(new QParams(1, 0, DType.INT8, -63, 63)));
    int[] integers = preserved(below, new long[] {1, 1, 2, 2}, narrow);
    assertArrayEquals(new int[] {-63, -63, 2, -63}, integers);
  }

  @Test
  void zeroPointCounts() {
    ChannelQParams qparams = new ChannelQParams(-1, List.of(QParams.of(0.5f, 128, DType.UINT8)));
    float[] values = {0.2f, 0.2f, 0.2f, 0.2f, 0.2f};
    int[] integers = preserved(values, new long[] {1, 1, 5}, qparams);
    assertEquals(5 * 128 + 2, Arrays.stream(integers).sum());
  }

  @Test
  void kernelsOfOneTapStay() {
    long[] shape = {8, 16, 1, 1};
    float[] values = Samples.normal(new Random(1), size(shape));
    for (boolean perChannel : new boolean[] {false, true}) {
      ChannelQParams qparams = qparams(values, shape, perChannel);
      assertArrayEquals(nearest(values, shape, qparams), preserved(values, shape, qparams));
    }
  }

  @Test
  void emptyWeights() {
    ChannelQParams qparams = new ChannelQParams(-1, List.of(QParams.of(1, 0, DType.INT8)));
    for (long[] shape : new long[][] {{0, 3, 3, 3}, {4, 0, 3, 3}, {4, 3, 0, 3}}) {
      // Integers beyond the empty weight are another's: they stay.
      int[] integers = {7, -7};
      KernelSums.preserve(integers, new float[0], shape, qparams, PairLimit.none());
      assertArrayEquals(new int[] {7, -7}, integers, Arrays.toString(shape));
    }
  }

  /** What a convolution makes of a constant input, in its middle, is off by its sums of errors. */
  @Test
  void constantInputHasSmallerError() {
    long[] shape = {32, 16, 3, 3};
    Random random = new Random(7);
    float[] values = Samples.normal(random, size(shape));
    ChannelQParams qparams = qparams(values, shape, true);
    int[] nearest = nearest(values, shape, qparams);
    int[] preserved = preserved(values, shape, qparams);
    float[] input = Samples.normal(random, 16);
    double before = 0;
    double after = 0;
    for (int o = 0; o < 32; o++) {
      QParams q = of(qparams, o);
      double errorBefore = 0;
      double errorAfter = 0;
      for (int c = 0; c < 16; c++) {
        int start = (o * 16 + c) * 9;
        errorBefore += q.scale() * input[c] * sum(nearest, values, q, start, start + 9);
        errorAfter += q.scale() * input[c] * sum(preserved, values, q, start, start + 9);
      }
      before += errorBefore * errorBefore;
      after += errorAfter * errorAfter;
    }
    assertTrue(after < before / 2, before + " to " + after);
  }
}
