package org.tare.correct;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.infer.TensorTypes;
import org.tare.onnx.OnnxChecker;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.ChosenRanges;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.rewrite.QdqRewriter;
import org.tare.rewrite.QuantizedModel;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelObserver;
import org.tare.stats.ChannelStats;
import org.tare.stats.Samples;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

class BiasCorrectionTest {
  private static final int CHANNELS = 4;

  /** Channels of one row, of a value each. */
  private static ChannelStats means(float... means) {
    ChannelStats stats = ChannelStats.of(means.length);
    new ChannelObserver(new StatsObserver()).observe(stats, means, 0, means.length, 1, 1);
    return stats;
  }

  private static ChannelWeight weight(long group, long[] shape, float... values) {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, group * shape[1], 8, 8)
            .constant("w", shape, values)
            .node("Conv", List.of("x", "w"), List.of("y"), "group", group)
            .output("y", -1, shape[0], -1, -1)
            .read();
    return ChannelWeight.of(model.graph(), model.graph().nodes().get(0)).orElseThrow();
  }

  private static QParams step(float scale) {
    return QParams.of(scale, 0, DType.INT8);
  }

  @Test
  void shiftsOfAPlainConvolution() {
    // Two outputs of two channels of two taps.
    ChannelWeight weight =
        weight(
            1,
            new long[] {2, 2, 1, 2},
            new float[] {1.25f, 2.25f, -0.75f, 3, 0.5f, 0.25f, 1.125f, -2});
    ChannelQParams qparams = new ChannelQParams(0, List.of(step(1), step(0.5f)));
    int[] integers = {1, 2, -1, 3, 1, 1, 2, -4};
    // Output 0: (-0.25 - 0.25) * 3 + (-0.25 + 0) * -8; output 1: (0 + 0.25) * 3 + (-0.125) * -8.
    double[] shifts = BiasCorrection.shifts(weight, integers, qparams, means(3, -8)).orElseThrow();
    assertArrayEquals(new double[] {-1.5 + 2, 0.75 + 1}, shifts);
    ChannelQParams whole = new ChannelQParams(-1, List.of(step(1)));
    int[] halves = {1, 2, -1, 3, 0, 0, 1, -2};
    assertArrayEquals(
        new double[] {0.5, (-0.5 - 0.25) * 3 + -0.125 * -8},
        BiasCorrection.shifts(weight, halves, whole, means(3, -8)).orElseThrow());
  }

  @Test
  void shiftsOfADepthwiseConvolution() {
    // Two channels of two outputs each.
    ChannelWeight weight =
        weight(
            2, new long[] {4, 1, 1, 2}, new float[] {1.25f, 2, 0.75f, 1, 2.5f, -1, -0.25f, -0.25f});
    ChannelQParams qparams = new ChannelQParams(-1, List.of(step(1)));
    int[] integers = {1, 2, 1, 1, 2, -1, 0, 0};
    assertArrayEquals(
        new double[] {-0.25 * 3, 0.25 * 3, -0.5 * 10, 0.5 * 10},
        BiasCorrection.shifts(weight, integers, qparams, means(3, 10)).orElseThrow());
  }

  @Test
  void noShiftsWithoutMeans() {
    ChannelWeight weight = weight(1, new long[] {1, 2, 1, 1}, new float[] {1, 2});
    ChannelQParams qparams = new ChannelQParams(-1, List.of(step(1)));
    int[] integers = {1, 2};
    assertEquals(
        Optional.empty(), BiasCorrection.shifts(weight, integers, qparams, means(1, 2, 3)));
    assertEquals(
        Optional.empty(), BiasCorrection.shifts(weight, integers, qparams, means(1, Float.NaN)));
  }

  private static OnnxModel convolution(long group, boolean withBias, float[] weight) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, CHANNELS, 10, 10)
            .constant("w", new long[] {8, CHANNELS / group, 3, 3}, weight)
            .constant("b", new long[] {8}, Samples.normal(new Random(3), 8))
            .node(
                "Conv",
                withBias ? List.of("x", "w", "b") : List.of("x", "w"),
                List.of("y"),
                "group",
                group);
    return model.output("y", -1, 8, 8, 8).read();
  }

  /** The error of each channel's mean, squared and added up. */
  private static double meanError(float[] expected, float[] found) {
    double[] sums = new double[8];
    for (int i = 0; i < expected.length; i++) {
      sums[i / 64 % 8] += (double) found[i] - expected[i];
    }
    double squares = 0;
    for (double sum : sums) {
      squares += Math.pow(sum / (expected.length / 8), 2);
    }
    return squares;
  }

  @ParameterizedTest
  @CsvSource({"1, true", "1, false", "4, true", "4, false"})
  void meansOfAQuantizedConvolutionAreRestored(long group, boolean withBias) {
    float[] weight = Samples.normal(new Random(1), (int) (8 * CHANNELS / group * 9));
    // Steps so coarse that weights are what errs.
    weight[0] = 40;
    float[] x = Samples.normal(new Random(2), 16 * CHANNELS * 100);
    for (int i = 0; i < x.length; i++) {
      x[i] = Math.abs(x[i]) + i / 100 % CHANNELS;
    }
    OnnxModel model = convolution(group, withBias, weight);
    Map<String, Values> inputs = Map.of("x", new Values(new long[] {16, CHANNELS, 10, 10}, x));
    Map<String, TensorType> types = TensorTypes.of(model, "test");
    float[] expected = TestModel.run(model, inputs).get("y").floats();
    QConfig config =
        new QConfig(
            true,
            QConfig.standard().activation(),
            new TensorQConfig(new RangeMethod.MinMax(), DType.INT8, QScheme.PER_TENSOR_SYMMETRIC),
            false);
    ChannelStats channels = ChannelStats.of(CHANNELS);
    new ChannelObserver(new StatsObserver()).observe(channels, x, 0, x.length, 16, 100);
    CalibrationState state =
        new CalibrationState(
            model.digest(),
            16,
            new TreeMap<>(
                Map.of("x", TensorStats.of(x).with(channels), "y", TensorStats.of(expected))));
    List<Double> errors = new ArrayList<>();
    for (boolean corrects : new boolean[] {false, true}) {
      QConfigMapping mapping =
          new QConfigMapping(Mode.STATIC, Backend.ONNXRUNTIME_CPU, config, List.of(), corrects);
      QuantizedModel quantized =
          QdqRewriter.quantize(model, types, mapping, new ChosenRanges(state), Map.of());
      OnnxChecker.check(TestModel.bytes(quantized.model()));
      errors.add(meanError(expected, TestModel.run(quantized.model(), inputs).get("y").floats()));
    }
    assertTrue(errors.get(1) < errors.get(0) / 10, errors.toString());
  }

  @Test
  void nothingIsDoneWithoutMeans() {
    OnnxModel model = convolution(1, true, Samples.normal(new Random(1), 8 * 4 * 9));
    float[] x = Samples.normal(new Random(2), CHANNELS * 100);
    Map<String, Values> inputs = Map.of("x", new Values(new long[] {1, CHANNELS, 10, 10}, x));
    QConfigMapping corrects =
        new QConfigMapping(
            Mode.STATIC, Backend.ONNXRUNTIME_CPU, QConfig.standard(), List.of(), true);
    QConfigMapping standard = new QConfigMapping(QConfig.standard(), List.of());
    assertArrayEquals(
        TestModel.bytes(TestModel.quantize(model, inputs, standard).model()),
        TestModel.bytes(TestModel.quantize(model, inputs, corrects).model()));
  }
}
