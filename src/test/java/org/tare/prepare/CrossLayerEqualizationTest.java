package org.tare.prepare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.TareException;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.prepare.FoldBatchNormalization.Moments;
import org.tare.quant.DType;
import org.tare.quant.Fidelity;
import org.tare.quant.QParamsRule;
import org.tare.quant.WeightQuantizer;

/** Models of layers with badly scaled channels: the function stays, the ranges meet. */
class CrossLayerEqualizationTest {
  /**
   * A weight and a bias are rounded twice at most, and sums of some hundred terms are reordered.
   */
  private static final double RELATIVE = 1e-5;

  /** The pass goes on until no scale changes by more than 1e-6; weights are float32. */
  private static final double RANGES = 4e-6;

  private final Random random = new Random(20190612);

  /** Normal values, each output channel times a factor between 1/100 and 100. */
  private float[] badlyScaled(int outputs, int perOutput) {
    float[] values = new float[outputs * perOutput];
    for (int o = 0; o < outputs; o++) {
      double scale = Math.pow(10, 4 * random.nextDouble() - 2);
      for (int i = 0; i < perOutput; i++) {
        values[o * perOutput + i] = (float) (random.nextGaussian() * scale);
      }
    }
    return values;
  }

  private float[] normal(int size) {
    return badlyScaled(1, size);
  }

  private void conv(TestModel model, int number, String x, int inputs, int outputs, int group) {
    conv(model, number, x, inputs, outputs, group, group > 1 ? 1 : 0);
  }

  /** Conv number n reads x, and writes h_n by weight w_n and bias b_n. */
  private void conv(
      TestModel model, int number, String x, int inputs, int outputs, int group, long pad) {
    int kernel = pad > 0 ? 3 : 1;
    long[] shape = {outputs, inputs / group, kernel, kernel};
    model
        .constant("w" + number, shape, badlyScaled(outputs, inputs / group * kernel * kernel))
        .constant("b" + number, new long[] {outputs}, normal(outputs))
        .node(
            "Conv",
            List.of(x, "w" + number, "b" + number),
            List.of("h" + number),
            "pads",
            new long[] {pad, pad, pad, pad},
            "group",
            (long) group);
  }

  private TestModel image(int channels) {
    return TestModel.opset(13).input("x", -1, channels, 6, 5);
  }

  private Map<String, Values> image(int channels, double mean) {
    float[] values = new float[2 * channels * 6 * 5];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() + mean);
    }
    return Map.of("x", new Values(new long[] {2, channels, 6, 5}, values));
  }

  private static TestModel ending(TestModel model, String last, long... shape) {
    return model.node("Identity", List.of(last), List.of("y")).output("y", shape);
  }

  private static TestModel endingIn(TestModel model, String last, int channels) {
    return ending(model, last, -1, channels, -1, -1);
  }

  private static CrossLayerEqualization.Report equalize(OnnxModel model) {
    return CrossLayerEqualization.apply(model.graph(), CrossLayerEqualization.Options.exact());
  }

  private static void assertSameFunction(
      OnnxModel expected, OnnxModel actual, Map<String, Values> given) {
    float[] before = TestModel.run(expected, given).get("y").floats();
    float[] after = TestModel.run(actual, given).get("y").floats();
    float largest = 0;
    for (float value : before) {
      largest = Math.max(largest, Math.abs(value));
    }
    assertTrue(largest > 0);
    assertEquals(before.length, after.length);
    for (int i = 0; i < before.length; i++) {
      assertEquals(before[i], after[i], RELATIVE * largest, "at " + i);
    }
  }

  private static Node producer(OnnxModel model, String tensor) {
    return model.graph().producers().get(tensor);
  }

  private static double[] ranges(OnnxModel model, String output, boolean ofOutputs) {
    Node node = producer(model, output);
    LinearLayer layer =
        LinearLayer.of(model.graph(), model.graph().consumers(), node).orElseThrow();
    float[] largest = layer.largest();
    double[] ranges = new double[ofOutputs ? layer.outputs() : layer.inputs()];
    for (int i = 0; i < largest.length; i++) {
      int row = i / layer.columns();
      int column = i % layer.columns();
      int c = ofOutputs ? layer.outputOf(row, column) : layer.inputOf(row, column);
      ranges[c] = Math.max(ranges[c], largest[i]);
    }
    return ranges;
  }

  private static void assertEqualRanges(double[] expected, double[] actual) {
    assertEquals(expected.length, actual.length);
    for (int c = 0; c < expected.length; c++) {
      assertEquals(1, actual[c] / expected[c], RANGES, "channel " + c);
    }
  }

  private static Map<String, float[]> weights(OnnxModel model) {
    Map<String, float[]> weights = new HashMap<>();
    for (Node node : model.graph().nodes()) {
      for (int i = 1; i < node.inputs().size(); i++) {
        int input = i;
        model
            .graph()
            .floatConstant(node.input(i))
            .ifPresent(values -> weights.put(node.label() + "/" + input, values));
      }
    }
    return weights;
  }

  private static void assertUntouched(TestModel model, Map<String, Values> given) {
    OnnxModel original = model.read();
    OnnxModel result = model.read();
    CrossLayerEqualization.Report report = equalize(result);
    assertEquals(new CrossLayerEqualization.Report(0, 0, 1, 1), report);
    assertArrayEquals(TestModel.bytes(original), TestModel.bytes(result));
    assertTrue(TestModel.run(result, given).get("y").floats().length > 0);
  }

  static Stream<Arguments> activations() {
    return Stream.of("", "Relu", "LeakyRelu", "PRelu").map(Arguments::of);
  }

  private static String activation(TestModel model, String op, String x, int channels) {
    if (op.isEmpty()) {
      return x;
    }
    List<String> inputs = new ArrayList<>(List.of(x));
    if (op.equals("PRelu")) {
      float[] slopes = new float[channels];
      for (int c = 0; c < channels; c++) {
        slopes[c] = 0.1f * (c - 2);
      }
      model.constant(x + "_slope", new long[] {channels, 1, 1}, slopes);
      inputs.add(x + "_slope");
    }
    model.node(op, inputs, List.of(x + "_act"));
    return x + "_act";
  }

  @ParameterizedTest
  @MethodSource("activations")
  void pairKeepsItsFunctionAndItsRangesMeet(String op) {
    TestModel model = image(3);
    conv(model, 1, "x", 3, 8, 1, 1);
    conv(model, 2, activation(model, op, "h1", 8), 8, 5, 1, 1);
    OnnxModel original = endingIn(model, "h2", 5).read();
    OnnxModel equalized = model.read();
    CrossLayerEqualization.Report report = equalize(equalized);
    assertEquals(1, report.pairs());
    assertTrue(report.worstBefore() > 5, report.toString());
    assertEquals(1, report.worstAfter(), RANGES);
    assertEqualRanges(ranges(equalized, "h1", true), ranges(equalized, "h2", false));
    double[] before1 = ranges(original, "h1", true);
    double[] before2 = ranges(original, "h2", false);
    double[] expected = new double[8];
    Arrays.setAll(expected, c -> Math.sqrt(before1[c] * before2[c]));
    assertEqualRanges(expected, ranges(equalized, "h1", true));
    assertSameFunction(original, equalized, image(3, 0));
  }

  @Test
  void depthwiseBetweenTwoGetsTheCubeRootAtOnce() {
    TestModel model = image(4);
    conv(model, 1, "x", 4, 6, 1);
    conv(model, 2, activation(model, "Relu", "h1", 6), 6, 6, 6);
    conv(model, 3, activation(model, "Relu", "h2", 6), 6, 4, 1);
    OnnxModel original = endingIn(model, "h3", 4).read();
    OnnxModel equalized = model.read();
    assertEquals(2, equalize(equalized).pairs());
    double[] r1 = ranges(original, "h1", true);
    double[] r2 = ranges(original, "h2", true);
    double[] r3 = ranges(original, "h3", false);
    double[] expected = new double[6];
    Arrays.setAll(expected, c -> Math.cbrt(r1[c] * r2[c] * r3[c]));
    assertEqualRanges(expected, ranges(equalized, "h1", true));
    assertEqualRanges(expected, ranges(equalized, "h2", true));
    assertEqualRanges(expected, ranges(equalized, "h3", false));
    assertSameFunction(original, equalized, image(4, 0));
  }

  /** Six layers: groups that share layers, depthwise ones first, in a row and last. */
  private TestModel chain() {
    TestModel model = image(4);
    conv(model, 1, "x", 4, 4, 4);
    conv(model, 2, activation(model, "Relu", "h1", 4), 4, 8, 1);
    conv(model, 3, activation(model, "LeakyRelu", "h2", 8), 8, 8, 8);
    conv(model, 4, activation(model, "", "h3", 8), 8, 8, 8);
    conv(model, 5, activation(model, "Relu", "h4", 8), 8, 6, 1, 1);
    conv(model, 6, activation(model, "Relu", "h5", 6), 6, 6, 6);
    return endingIn(model, "h6", 6);
  }

  @Test
  void chainConvergesAndASecondTimeChangesNothing() {
    TestModel model = chain();
    OnnxModel original = model.read();
    OnnxModel once = model.read();
    CrossLayerEqualization.Report report = equalize(once);
    assertEquals(5, report.pairs());
    assertEquals(1, report.worstAfter(), RANGES);
    for (int n = 1; n <= 5; n++) {
      assertEqualRanges(ranges(once, "h" + n, true), ranges(once, "h" + (n + 1), false));
    }
    assertSameFunction(original, once, image(4, 0));
    OnnxModel twice = once.copy();
    CrossLayerEqualization.Report second = equalize(twice);
    assertEquals(1, second.worstBefore(), RANGES);
    Map<String, float[]> expected = weights(once);
    weights(twice)
        .forEach(
            (name, values) -> {
              for (int i = 0; i < values.length; i++) {
                float value = expected.get(name)[i];
                assertEquals(value, values[i], RANGES * Math.abs(value), name);
              }
            });
  }

  @Test
  void groupedAndTransposedConvolutionsPairToo() {
    TestModel model = image(4);
    conv(model, 1, "x", 4, 6, 2);
    conv(model, 2, activation(model, "Relu", "h1", 6), 6, 4, 2);
    model
        .constant("w3", new long[] {4, 3, 2, 2}, badlyScaled(4, 12))
        .node(
            "ConvTranspose",
            List.of("h2", "w3"),
            List.of("h3"),
            "group",
            2L,
            "strides",
            new long[] {2, 2});
    conv(model, 4, activation(model, "Relu", "h3", 6), 6, 3, 1);
    OnnxModel original = endingIn(model, "h4", 3).read();
    OnnxModel equalized = model.read();
    assertEquals(3, equalize(equalized).pairs());
    for (int n = 1; n <= 3; n++) {
      assertEqualRanges(ranges(equalized, "h" + n, true), ranges(equalized, "h" + (n + 1), false));
    }
    assertSameFunction(original, equalized, image(4, 0));
  }

  @Test
  void gemmAndMatMulWithItsAddPair() {
    TestModel model =
        TestModel.opset(13)
            .input("x", -1, 5)
            .constant("w1", new long[] {7, 5}, badlyScaled(7, 5))
            .constant("b1", new long[] {1, 7}, normal(7))
            .node(
                "Gemm",
                List.of("x", "w1", "b1"),
                List.of("h1"),
                "transB",
                1L,
                "alpha",
                -0.5f,
                "beta",
                3f)
            .node("Relu", List.of("h1"), List.of("a1"))
            .constant("w2", new long[] {7, 6}, badlyScaled(7, 6))
            .constant("b2", new long[] {6}, normal(6))
            .node("MatMul", List.of("a1", "w2"), List.of("h2"))
            .node("Add", List.of("b2", "h2"), List.of("h2_biased"))
            .node("Relu", List.of("h2_biased"), List.of("a2"))
            .constant("w3", new long[] {6, 4}, badlyScaled(6, 4))
            .constant("b3", new long[] {}, 2)
            .node("Gemm", List.of("a2", "w3", "b3"), List.of("h3"), "alpha", 2f, "beta", 5f);
    OnnxModel original = ending(model, "h3", -1, 4).read();
    OnnxModel equalized = model.read();
    assertEquals(2, equalize(equalized).pairs());
    assertEqualRanges(ranges(equalized, "h1", true), ranges(equalized, "h2", false));
    assertEqualRanges(ranges(equalized, "h2", true), ranges(equalized, "h3", false));
    assertSameFunction(original, equalized, Map.of("x", new Values(new long[] {3, 5}, normal(15))));
  }

  @Test
  void constantsOfOtherReadersStay() {
    TestModel model = image(4);
    conv(model, 1, "x", 4, 4, 1);
    model
        .node("Relu", List.of("h1"), List.of("a1"))
        .node("Conv", List.of("a1", "w1", "b1"), List.of("h2"))
        .node("Relu", List.of("h2"), List.of("a2"))
        .node("Conv", List.of("a2", "w1", "b1"), List.of("h3"))
        .node("Conv", List.of("x", "w1", "b1"), List.of("h4"))
        .node("Add", List.of("h3", "h4"), List.of("h5"));
    OnnxModel original = endingIn(model, "h5", 4).read();
    OnnxModel equalized = model.read();
    assertEquals(2, equalize(equalized).pairs());
    assertArrayEquals(
        original.graph().floatConstant("w1").orElseThrow(),
        equalized.graph().floatConstant("w1").orElseThrow());
    assertEquals("w1", producer(equalized, "h4").input(1));
    assertNotEquals("w1", producer(equalized, "h1").input(1));
    assertNotEquals(producer(equalized, "h1").input(1), producer(equalized, "h2").input(1));
    assertSameFunction(original, equalized, image(4, 0));
  }

  @Test
  void leavesAloneWhatIsNoPair() {
    TestModel branch = image(3);
    conv(branch, 1, "x", 3, 4, 1);
    conv(branch, 2, "h1", 4, 4, 1);
    branch.node("Add", List.of("h1", "h2"), List.of("sum"));
    assertUntouched(endingIn(branch, "sum", 4), image(3, 0));

    TestModel visible = image(3);
    conv(visible, 1, "x", 3, 4, 1);
    conv(visible, 2, "h1", 4, 4, 1);
    assertUntouched(endingIn(visible, "h2", 4).output("h1", -1, 4, -1, -1), image(3, 0));

    TestModel sigmoid = image(3);
    conv(sigmoid, 1, "x", 3, 4, 1);
    conv(sigmoid, 2, activation(sigmoid, "Sigmoid", "h1", 4), 4, 4, 1);
    assertUntouched(endingIn(sigmoid, "h2", 4), image(3, 0));

    TestModel relu6 = image(3);
    conv(relu6, 1, "x", 3, 4, 1);
    conv(relu6, 2, clip(relu6, "h1"), 4, 4, 1);
    assertUntouched(endingIn(relu6, "h2", 4), image(3, 0));

    TestModel computedBias = image(3).input("bias", 4);
    computedBias.constant("w1", new long[] {4, 3, 1, 1}, badlyScaled(4, 3));
    computedBias.node("Conv", List.of("x", "w1", "bias"), List.of("h1"));
    conv(computedBias, 2, "h1", 4, 4, 1);
    Map<String, Values> given = new HashMap<>(image(3, 0));
    given.put("bias", new Values(new long[] {4}, normal(4)));
    assertUntouched(endingIn(computedBias, "h2", 4), given);

    // A Conv's last axis is not its channels, even where the numbers agree.
    TestModel lastAxis = image(3);
    conv(lastAxis, 1, "x", 3, 5, 1);
    lastAxis.constant("w2", new long[] {5, 2}, badlyScaled(5, 2));
    lastAxis.node("MatMul", List.of("h1", "w2"), List.of("h2"));
    assertUntouched(ending(lastAxis, "h2", -1, 5, -1, 2), image(3, 0));

    TestModel flattened = image(3);
    conv(flattened, 1, "x", 3, 1, 1);
    flattened.constant("w2", new long[] {30, 2}, badlyScaled(30, 2));
    flattened.node("Flatten", List.of("h1"), List.of("flat"));
    flattened.node("Gemm", List.of("flat", "w2"), List.of("h2"));
    assertUntouched(ending(flattened, "h2", -1, 2), image(3, 0));
  }

  private static String clip(TestModel model, String x) {
    model
        .constant("zero", new long[] {}, 0)
        .constant("six", new long[] {}, 6)
        .node("Clip", List.of(x, "zero", "six"), List.of(x + "_act"));
    return x + "_act";
  }

  @Test
  void relu6BecomesReluBetweenLayersWhenAskedFor() {
    TestModel model = image(3);
    conv(model, 1, "x", 3, 4, 1);
    conv(model, 2, clip(model, "h1"), 4, 4, 1);
    model.node("Clip", List.of("h2", "zero", "six"), List.of("last"));
    endingIn(model, "last", 4);
    OnnxModel equalized = model.read();
    CrossLayerEqualization.Report report =
        CrossLayerEqualization.apply(
            equalized.graph(), new CrossLayerEqualization.Options(false, true, Map.of()));
    assertEquals(1, report.pairs());
    assertEquals("Relu", producer(equalized, "h1_act").opType());
    assertEquals("Clip", producer(equalized, "last").opType());
    // As the model with Relu in its place.
    OnnxModel relu = model.read();
    relu.graph()
        .setNodes(
            relu.graph().nodes().stream()
                .map(
                    node ->
                        node.outputs().contains("h1_act")
                            ? Node.of("Relu", "", List.of("h1"), List.of("h1_act"))
                            : node)
                .toList());
    assertSameFunction(relu, equalized, image(3, 0));
  }

  @Test
  void channelsWithoutAUsableRangeKeepTheirScale() {
    float[] first = badlyScaled(7, 3);
    float[] odd = {0, Float.NaN, Float.POSITIVE_INFINITY, Float.MIN_VALUE};
    for (int c = 0; c < odd.length; c++) {
      Arrays.fill(first, 3 * c, 3 * c + 3, odd[c]);
    }
    float[] bias = {1, 2, 3, 4, Float.MAX_VALUE, 6, 7};
    // The bias of channel 4 is as great as can be; channel 5 is pruned.
    Arrays.fill(first, 12, 15, 1e-2f);
    Arrays.fill(first, 15, 18, 1e-9f);
    float[] second = new float[14];
    Arrays.fill(second, 1);
    TestModel model =
        image(3)
            .constant("w1", new long[] {7, 3, 1, 1}, first)
            .constant("b1", new long[] {7}, bias)
            .node("Conv", List.of("x", "w1", "b1"), List.of("h1"))
            .constant("w2", new long[] {2, 7, 1, 1}, second)
            .node("Conv", List.of("h1", "w2"), List.of("h2"));
    endingIn(model, "h2", 2);
    OnnxModel equalized = model.read();
    equalize(equalized);
    LinearLayer layer = LinearLayer.of(equalized.graph(), producer(equalized, "h1")).orElseThrow();
    float[] weight =
        equalized.graph().floatConstant(producer(equalized, "h1").input(1)).orElseThrow();
    assertArrayEquals(Arrays.copyOf(first, 18), Arrays.copyOf(weight, 18));
    assertNotEquals(first[18], weight[18]);
    double[] kept = Arrays.copyOf(layer.bias().orElseThrow(), 6);
    assertArrayEquals(new double[] {1, 2, 3, 4, Float.MAX_VALUE, 6}, kept);
  }

  /** SQNR of the output with each weight rounded to int8 with one scale for the whole tensor. */
  private static double sqnr(OnnxModel model, float[] expected, Map<String, Values> given) {
    OnnxModel rounded = model.copy();
    WeightQuantizer quantizer = new WeightQuantizer(QParamsRule.ONNXRUNTIME.spec(DType.INT8, true));
    for (Node node : rounded.graph().nodes()) {
      if (node.opType().equals("Conv")) {
        long[] shape = rounded.graph().constant(node.input(1)).orElseThrow().shape();
        float[] values = rounded.graph().floatConstant(node.input(1)).orElseThrow();
        var qparams = quantizer.perTensor(values);
        int[] integers = WeightQuantizer.quantize(values, shape, qparams);
        for (int i = 0; i < values.length; i++) {
          values[i] = qparams.channels().get(0).scale() * integers[i];
        }
        String name = rounded.graph().freshName("rounded");
        rounded.graph().addConstant(Tensor.ofFloats(name, shape, values));
        node.setInput(1, name);
      }
    }
    float[] actual = TestModel.run(rounded, given).get("y").floats();
    Fidelity fidelity = new Fidelity();
    fidelity.add(expected, actual, 0, expected.length);
    return fidelity.sqnr();
  }

  /** Channels a thousandfold apart that the next layer makes up for, as training leaves them. */
  @Test
  void oneScalePerWeightGains() {
    float[] spread = new float[16];
    for (int c = 0; c < spread.length; c++) {
      spread[c] = (float) Math.pow(10, 3.0 * c / 15 - 1.5);
    }
    float[] w1 = new float[16 * 8];
    float[] w2 = new float[16];
    float[] w3 = new float[8 * 16];
    for (int c = 0; c < 16; c++) {
      for (int i = 0; i < 8; i++) {
        w1[c * 8 + i] = (float) random.nextGaussian() * spread[c];
        w3[i * 16 + c] = (float) random.nextGaussian() * spread[15 - c] / spread[c];
      }
      w2[c] = (float) random.nextGaussian() / spread[15 - c];
    }
    TestModel model =
        image(8)
            .constant("w1", new long[] {16, 8, 1, 1}, w1)
            .constant("w2", new long[] {16, 1, 1, 1}, w2)
            .constant("w3", new long[] {8, 16, 1, 1}, w3)
            .node("Conv", List.of("x", "w1"), List.of("h1"))
            .node("Relu", List.of("h1"), List.of("a1"))
            .node("Conv", List.of("a1", "w2"), List.of("h2"), "group", 16L)
            .node("Relu", List.of("h2"), List.of("a2"))
            .node("Conv", List.of("a2", "w3"), List.of("h3"));
    OnnxModel original = endingIn(model, "h3", 8).read();
    OnnxModel equalized = model.read();
    equalize(equalized);
    Map<String, Values> given = image(8, 0);
    float[] expected = TestModel.run(original, given).get("y").floats();
    double before = sqnr(original, expected, given);
    double after = sqnr(equalized, expected, given);
    assertTrue(after > before + 6, before + " dB, then " + after + " dB");
  }

  /** Conv, normalization with high means, Relu, Conv. */
  private TestModel highBias(int kernel, long pad, String op) {
    float[] bias = normal(6);
    TestModel model = image(3);
    model
        .constant("w1", new long[] {6, 3, 1, 1}, badlyScaled(6, 3))
        .constant("b1", new long[] {6}, bias)
        .node("Conv", List.of("x", "w1", "b1"), List.of("h1"))
        .constant("gamma", new long[] {6}, 0.1f, 0.2f, -0.1f, 1, 0.3f, 0.5f)
        .constant("beta", new long[] {6}, 2, 3, 1, 0.5f, -4, 1.4f)
        .constant("mean", new long[] {6}, bias)
        .constant("var", new long[] {6}, 1, 1, 1, 1, 1, 1)
        .node("BatchNormalization", List.of("h1", "gamma", "beta", "mean", "var"), List.of("n1"))
        .constant("w2", new long[] {4, 6, kernel, kernel}, badlyScaled(4, 6 * kernel * kernel))
        .node(
            "Conv",
            List.of(activation(model, op, "n1", 6), "w2"),
            List.of("h2"),
            "pads",
            new long[] {pad, pad, pad, pad});
    return endingIn(model, "h2", 4);
  }

  @Test
  void absorbsHighBiasOfNormalizedChannelsExactlyAboveIt() {
    TestModel model = highBias(3, 0, "Relu");
    OnnxModel original = model.read();
    OnnxModel absorbed = model.read();
    Map<String, Moments> moments = new HashMap<>();
    FoldBatchNormalization.apply(absorbed.graph(), moments, one -> {});
    double[] before = biasOf(absorbed, "n1");
    CrossLayerEqualization.Report report =
        CrossLayerEqualization.apply(
            absorbed.graph(), new CrossLayerEqualization.Options(true, false, moments));
    // Channels 0, 1 and 2 lie above 3 deviations: by 1.7, 2.4 and 0.7.
    assertEquals(3, report.absorbedChannels());
    OnnxModel plain = model.read();
    FoldBatchNormalization.apply(plain.graph());
    equalize(plain);
    double[] scaled = biasOf(plain, "n1");
    double[] moved = biasOf(absorbed, "n1");
    double[] c = {1.7, 2.4, 0.7, 0, 0, 0};
    for (int i = 0; i < c.length; i++) {
      double scale = scaled[i] / before[i];
      assertEquals(scaled[i] - c[i] * scale, moved[i], 1e-5 * Math.abs(scaled[i]), "channel " + i);
    }
    // Inputs near 0 leave the channels near their means.
    Map<String, Values> near = image(3, 0);
    float[] x = near.get("x").floats();
    for (int i = 0; i < x.length; i++) {
      x[i] *= 1e-3f;
    }
    assertSameFunction(original, absorbed, near);
  }

  private static double[] biasOf(OnnxModel model, String output) {
    return LinearLayer.of(model.graph(), producer(model, output))
        .orElseThrow()
        .bias()
        .orElseThrow();
  }

  @Test
  void doesNotAbsorbThroughPaddingOrLeakyRelu() {
    for (TestModel model : List.of(highBias(3, 1, "Relu"), highBias(1, 0, "LeakyRelu"))) {
      OnnxModel absorbed = model.read();
      Map<String, Moments> moments = new HashMap<>();
      FoldBatchNormalization.apply(absorbed.graph(), moments, one -> {});
      assertEquals(1, moments.size());
      CrossLayerEqualization.Report report =
          CrossLayerEqualization.apply(
              absorbed.graph(), new CrossLayerEqualization.Options(true, false, moments));
      assertEquals(1, report.pairs());
      assertEquals(0, report.absorbedChannels());
      assertSameFunction(model.read(), absorbed, image(3, 0));
    }
  }

  @Test
  void eachSetOfOptionsHasItsDigest() {
    OnnxModel model = chain().read();
    List<String> digests = new ArrayList<>();
    for (FloatPasses.Options options :
        List.of(
            FloatPasses.Options.none(),
            new FloatPasses.Options(true, false, false),
            new FloatPasses.Options(true, true, false),
            new FloatPasses.Options(true, false, true),
            new FloatPasses.Options(true, true, true))) {
      OnnxModel prepared = FloatPasses.prepare(model, options, unknown -> Map.of());
      assertEquals(
          prepared.digest(), FloatPasses.prepare(model, options, unknown -> Map.of()).digest());
      assertEquals(options.equalize(), prepared.metadata().containsKey("tare.prepare"));
      digests.add(prepared.digest());
    }
    assertEquals(model.digest(), digests.get(0));
    assertEquals(5, digests.stream().distinct().count());
    assertTrue(digests.stream().allMatch(digest -> digest.matches("[0-9a-f]{64}")));
  }

  @Test
  void partsOfEqualizationNeedIt() {
    TareException e =
        assertThrows(TareException.class, () -> new FloatPasses.Options(false, true, false));
    assertTrue(e.getMessage().contains("parts of prepare.equalize"), e.getMessage());
  }
}
