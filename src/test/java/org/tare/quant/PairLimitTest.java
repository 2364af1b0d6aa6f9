package org.tare.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.stats.Samples;

class PairLimitTest {
  private static final WeightQuantizer MIN_MAX =
      new WeightQuantizer(QParamsRule.ONNXRUNTIME.spec(DType.INT8, true));
  private static final WeightQuantizer LEAST_ERROR =
      new WeightQuantizer(QParamsRule.ONNXRUNTIME.spec(DType.INT8, true), true);

  /** A weight's shape, the axis of its channels, and the places of each of its columns. */
  private record Layout(String name, long[] shape, int axis, WeightColumns columns, int[][] at) {
    @Override
    public String toString() {
      return name;
    }

    int size() {
      int size = 1;
      for (long length : shape) {
        size *= (int) length;
      }
      return size;
    }
  }

  private static Layout matrices(int batches, int depth, int columns, int axis) {
    int[][] at = new int[batches * columns][depth];
    for (int b = 0; b < batches; b++) {
      for (int k = 0; k < depth; k++) {
        for (int n = 0; n < columns; n++) {
          at[b * columns + n][k] = (b * depth + k) * columns + n;
        }
      }
    }
    return new Layout(
        batches + " of " + depth + " by " + columns,
        axis == 0 ? new long[] {batches, depth, columns} : new long[] {depth, columns},
        axis,
        WeightColumns.ofMatrices(batches, depth, columns),
        at);
  }

  private static Layout transposed(int columns, int depth) {
    int[][] at = new int[columns][depth];
    for (int i = 0; i < columns * depth; i++) {
      at[i / depth][i % depth] = i;
    }
    long[] shape = {columns, depth};
    return new Layout(
        "transposed " + columns + " by " + depth,
        shape,
        0,
        WeightColumns.ofTransposed(columns, depth),
        at);
  }

  private static Layout convolution(int outputs, int channels, int height, int width) {
    int[][] at = new int[outputs][channels * height * width];
    for (int o = 0; o < outputs; o++) {
      int k = 0;
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          for (int c = 0; c < channels; c++) {
            at[o][k++] = ((o * channels + c) * height + y) * width + x;
          }
        }
      }
    }
    return new Layout(
        "convolution " + outputs + " " + channels + " " + height + " " + width,
        new long[] {outputs, channels, height, width},
        0,
        WeightColumns.ofConvolution(outputs, channels, height * width),
        at);
  }

  static List<Layout> layouts() {
    return List.of(
        matrices(1, 24, 7, 1),
        matrices(1, 25, 7, 1),
        matrices(1, 1, 5, 1),
        matrices(2, 9, 8, 0),
        transposed(7, 24),
        transposed(6, 15),
        convolution(5, 4, 3, 2),
        convolution(6, 3, 3, 3),
        convolution(8, 1, 3, 3),
        convolution(4, 16, 1, 1));
  }

  static Stream<Arguments> layoutsAndLimits() {
    return layouts().stream()
        .flatMap(
            layout ->
                Stream.of(PairLimit.Which.NEIGHBOURS, PairLimit.Which.ANY_TWO)
                    .map(which -> Arguments.of(layout, which)));
  }

  @ParameterizedTest
  @MethodSource("layouts")
  void placesAreThoseOfTheKernels(Layout layout) {
    WeightColumns columns = layout.columns();
    assertEquals(layout.at().length, columns.total());
    assertEquals(layout.at()[0].length, columns.depth());
    int[] visits = new int[layout.size()];
    columns.forEachPair(
        (column, i, j) -> {
          int place = columns.place(i);
          assertEquals(0, place % 2);
          assertEquals(layout.at()[column][place], i);
          assertEquals(layout.at()[column][place + 1], j);
          visits[i]++;
          visits[j]++;
        });
    for (int c = 0; c < layout.at().length; c++) {
      for (int k = 0; k < layout.at()[c].length; k++) {
        int index = layout.at()[c][k];
        assertEquals(index, columns.index(c, k));
        assertEquals(c, columns.column(index));
        assertEquals(k, columns.place(index));
        boolean isAlone = k == layout.at()[c].length - 1 && k % 2 == 0;
        assertEquals(isAlone ? 0 : 1, visits[index]);
      }
    }
  }

  /** The largest sum of two values of one sign that the limit is about, in absolute value. */
  private static double largest(
      Layout layout, PairLimit.Which which, double[] values, int channel) {
    double largest = 0;
    for (int[] column : layout.at()) {
      boolean isOf = channel < 0 || channelOf(layout, column[0]) == channel;
      for (int i = 0; isOf && i < column.length; i++) {
        int end = which == PairLimit.Which.NEIGHBOURS ? (i | 1) + 1 : column.length;
        for (int j = i + 1; j < Math.min(end, column.length); j++) {
          double a = values[column[i]];
          double b = values[column[j]];
          largest = Math.max(largest, a * b > 0 ? Math.abs(a + b) : 0);
        }
      }
    }
    return largest;
  }

  private static int channelOf(Layout layout, int index) {
    int inner = WeightQuantizer.inner(layout.shape(), layout.axis());
    return index / inner % (int) layout.shape()[layout.axis()];
  }

  private static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  private static double[] doubles(int[] values) {
    return java.util.Arrays.stream(values).asDoubleStream().toArray();
  }

  private static ChannelQParams qparams(
      WeightQuantizer quantizer,
      Layout layout,
      float[] values,
      boolean isPerChannel,
      PairLimit limit) {
    return isPerChannel
        ? quantizer.perChannel(values, layout.shape(), layout.axis(), limit)
        : quantizer.perTensor(values, limit);
  }

  private static float[] weights(Layout layout, int seed) {
    Random random = new Random(seed);
    float[] values = Samples.normal(random, layout.size());
    for (int i = 0; i < values.length; i++) {
      // All of one sign for every third, which leaves the most pairs at the limit.
      values[i] = seed % 3 == 0 ? Math.abs(values[i]) : values[i];
      values[i] *= seed % 2 == 0 ? 1e-3f : 40;
    }
    return values;
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layoutsAndLimits")
  void integersComplyAndTheScaleIsTheLeast(Layout layout, PairLimit.Which which) {
    PairLimit limit = new PairLimit(which, layout.columns());
    for (int seed = 0; seed < 60; seed++) {
      float[] values = weights(layout, seed);
      for (boolean isPerChannel : new boolean[] {false, true}) {
        ChannelQParams held = qparams(MIN_MAX, layout, values, isPerChannel, limit);
        ChannelQParams full = qparams(MIN_MAX, layout, values, isPerChannel, PairLimit.none());
        int[] integers = WeightQuantizer.quantize(values, layout.shape(), held);
        for (int integer : integers) {
          assertTrue(integer >= -127 && integer <= 127, "seed " + seed + ": " + integer);
        }
        for (int c = 0; c < held.channels().size(); c++) {
          int channel = isPerChannel ? c : -1;
          double sum = largest(layout, which, doubles(integers), channel);
          assertTrue(sum <= PairLimit.MOST, "seed " + seed + ": " + sum);
          double least =
              Math.max(full.scales()[c], largest(layout, which, doubles(values), channel) / 128);
          // The search for the least error, the rounding to float32, and the steps that rounded
          // integers may need.
          double most = least * (1 + 15 / 512.0) + 8 * Math.ulp((float) least);
          float scale = held.scales()[c];
          assertTrue(scale >= least * (1 - 1e-7) && scale <= most, scale + " for " + least);
          float compliant = (float) least + 4 * Math.ulp((float) least);
          assertTrue(
              error(layout, values, held, c)
                  <= error(layout, values, widened(held, compliant), c) * (1 + 1e-3),
              "seed " + seed);
        }
        assertEquals(DType.INT8, held.dtype());
      }
    }
  }

  private static ChannelQParams widened(ChannelQParams qparams, float scale) {
    return new ChannelQParams(
        qparams.axis(), qparams.channels().stream().map(q -> q.withScale(scale)).toList());
  }

  /** The sum of squared errors of a channel. */
  private static double error(Layout layout, float[] values, ChannelQParams qparams, int channel) {
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      if (!qparams.isPerChannel() || channelOf(layout, i) == channel) {
        double error = values[i] - qparams.channels().get(channel).fakeQuantize(values[i]);
        sum += error * error;
      }
    }
    return sum;
  }

  /** Without the limit the same weights do not comply, so that the law above can fail. */
  @Test
  void fullRangeExceeds() {
    Layout layout = matrices(1, 24, 7, 1);
    float[] values = weights(layout, 3);
    int[] integers =
        WeightQuantizer.quantize(
            values, layout.shape(), MIN_MAX.perChannel(values, layout.shape(), 1));
    assertTrue(largest(layout, PairLimit.Which.NEIGHBOURS, doubles(integers), -1) > PairLimit.MOST);
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layoutsAndLimits")
  void searchOfLeastErrorComplies(Layout layout, PairLimit.Which which) {
    PairLimit limit = new PairLimit(which, layout.columns());
    for (int seed = 0; seed < 20; seed++) {
      float[] values = weights(layout, seed);
      ChannelQParams found = qparams(LEAST_ERROR, layout, values, true, limit);
      int[] integers = WeightQuantizer.quantize(values, layout.shape(), found);
      double sum = largest(layout, which, doubles(integers), -1);
      assertTrue(sum <= PairLimit.MOST, "seed " + seed + ": " + sum);
    }
  }

  @Test
  void greaterScalesComplyToo() {
    Layout layout = convolution(6, 3, 3, 3);
    PairLimit limit = new PairLimit(PairLimit.Which.NEIGHBOURS, layout.columns());
    for (int seed = 0; seed < 20; seed++) {
      float[] values = weights(layout, seed);
      ChannelQParams held = qparams(MIN_MAX, layout, values, true, limit);
      for (float factor : new float[] {1.0001f, 1.01f, 1.37f, 3}) {
        ChannelQParams wider =
            new ChannelQParams(
                0, held.channels().stream().map(q -> q.withScale(q.scale() * factor)).toList());
        int[] integers = WeightQuantizer.quantize(values, layout.shape(), wider);
        assertTrue(
            largest(layout, PairLimit.Which.NEIGHBOURS, doubles(integers), -1) <= PairLimit.MOST);
      }
    }
  }

  @Test
  void pairsOfOppositeSignsAndSevenBitsAreLeftAlone() {
    long[] shape = {4, 1};
    PairLimit limit = new PairLimit(PairLimit.Which.NEIGHBOURS, WeightColumns.ofMatrices(1, 4, 1));
    float[] opposite = {127, -127, -100, 100};
    assertArrayEquals(
        integers(opposite, shape, PairLimit.none()), integers(opposite, shape, limit));
    // Between pairs there is no limit.
    float[] apart = {-25, 127, 127, -25};
    assertArrayEquals(new int[] {-25, 127, 127, -25}, integers(apart, shape, limit));
    PairLimit any = new PairLimit(PairLimit.Which.ANY_TWO, limit.columns());
    int[] held = integers(apart, shape, any);
    assertTrue(held[1] == held[2] && held[1] <= 64 && held[1] >= 62, "" + held[1]);
    WeightQuantizer seven =
        new WeightQuantizer(QParamsRule.ONNXRUNTIME.spec(DType.INT8, true, true));
    float[] same = {1, 1, 1, 1};
    assertEquals(seven.perChannel(same, shape, 1), seven.perChannel(same, shape, 1, any));
  }

  private static int[] integers(float[] values, long[] shape, PairLimit limit) {
    return WeightQuantizer.quantize(values, shape, MIN_MAX.perChannel(values, shape, 1, limit));
  }

  @Test
  void oddValues() {
    PairLimit two = new PairLimit(PairLimit.Which.NEIGHBOURS, WeightColumns.ofMatrices(1, 2, 1));
    long[] shape = {2, 1};
    assertEquals(1f, MIN_MAX.perChannel(new float[] {0, -0f}, shape, 1, two).scales()[0]);
    assertEquals(3f / 64, MIN_MAX.perChannel(new float[] {3, 3}, shape, 1, two).scales()[0], 1e-8f);
    // Scales below the least normal number become 1, as without a limit.
    float tiny = Float.MIN_VALUE;
    assertEquals(1f, MIN_MAX.perChannel(new float[] {tiny, tiny}, shape, 1, two).scales()[0]);
    float huge = Float.MAX_VALUE;
    ChannelQParams wide = MIN_MAX.perTensor(new float[] {huge, huge}, two);
    assertArrayEquals(
        new int[] {64, 64}, WeightQuantizer.quantize(new float[] {huge, huge}, shape, wide));
    PairLimit one = new PairLimit(PairLimit.Which.NEIGHBOURS, WeightColumns.ofMatrices(1, 1, 1));
    assertEquals(
        2f / 127,
        MIN_MAX.perChannel(new float[] {2}, new long[] {1, 1}, 1, one).scales()[0],
        1e-8f);
    PairLimit none = new PairLimit(PairLimit.Which.ANY_TWO, WeightColumns.ofMatrices(1, 0, 1));
    assertEquals(1f, MIN_MAX.perChannel(new float[0], new long[] {0, 1}, 1, none).scales()[0]);
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () -> MIN_MAX.perChannel(new float[] {1, bad}, shape, 1, two));
      assertTrue(e.getMessage().contains("is not finite"), e.getMessage());
    }
  }

  /** The least scales that comply, which leave integers the least room. */
  private static ChannelQParams leastCompliant(Layout layout, float[] values, PairLimit limit) {
    List<QParams> full = MIN_MAX.perChannel(values, layout.shape(), 0).channels();
    int[] channelOf = java.util.stream.IntStream.range(0, full.size()).toArray();
    float[] least = limit.leastScales(values, full.size(), channelOf);
    List<QParams> raised = new java.util.ArrayList<>();
    for (int c = 0; c < least.length; c++) {
      raised.add(full.get(c).withScale(Math.max(full.get(c).scale(), least[c])));
    }
    return new ChannelQParams(0, limit.held(values, raised, channelOf));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layoutsAndLimits")
  void kernelSumsKeepToIt(Layout layout, PairLimit.Which which) {
    if (!layout.name().startsWith("convolution")) {
      return;
    }
    PairLimit limit = new PairLimit(which, layout.columns());
    boolean isMoved = false;
    boolean wouldExceed = false;
    for (int seed = 0; seed < 200; seed++) {
      float[] values = weights(layout, seed);
      ChannelQParams q = leastCompliant(layout, values, limit);
      int[] nearest = WeightQuantizer.quantize(values, layout.shape(), q);
      int[] held = nearest.clone();
      KernelSums.preserve(held, values, layout.shape(), q, limit);
      double sum = largest(layout, which, doubles(held), -1);
      assertTrue(sum <= PairLimit.MOST, "seed " + seed + ": " + sum);
      isMoved |= !java.util.Arrays.equals(nearest, held);
      int[] free = nearest.clone();
      KernelSums.preserve(free, values, layout.shape(), q, PairLimit.none());
      wouldExceed |= largest(layout, which, doubles(free), -1) > PairLimit.MOST;
    }
    boolean hasKernel = layout.shape()[2] * layout.shape()[3] > 1;
    assertEquals(hasKernel, isMoved);
    assertFalse(hasKernel && !wouldExceed, "moves without the limit never exceed it");
  }
}
