package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.FloatNode;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.rewrite.Quantization.Form;
import org.tare.stats.Samples;

/** Operators that ONNX Runtime, or another operator set, takes otherwise than they are written. */
class AwkwardOperatorsTest {
  private static float[] random(int seed, long... shape) {
    return Samples.normal(new Random(seed), (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b));
  }

  private static Map<String, Values> image(long... shape) {
    return Map.of("x", new Values(shape, random(5, shape)));
  }

  private static double decibels(Map<String, Values> expected, Map<String, Values> actual) {
    double signal = 0;
    double noise = 0;
    for (String output : expected.keySet()) {
      float[] x = expected.get(output).floats();
      float[] y = actual.get(output).floats();
      assertArrayEquals(expected.get(output).shape(), actual.get(output).shape(), output);
      for (int i = 0; i < x.length; i++) {
        signal += (double) x[i] * x[i];
        noise += Math.pow((double) x[i] - y[i], 2);
      }
    }
    return 10 * Math.log10(signal / noise);
  }

  private static final QConfigMapping STATIC = new QConfigMapping(QConfig.standard(), List.of());

  private static OnnxModel assertClose(
      TestModel model, Map<String, Values> x, QConfigMapping mapping, Form form, double least) {
    OnnxModel original = model.read();
    QuantizedModel quantized = TestModel.quantize(original, x, mapping, form);
    double found = decibels(TestModel.run(original, x), TestModel.run(quantized.model(), x));
    assertTrue(found > least, found + " dB, " + quantized.floatNodes());
    return quantized.model();
  }

  private static List<String> operators(OnnxModel model) {
    return model.graph().nodes().stream().map(Node::opType).toList();
  }

  /** Convolutions around a Pad, as in a net that pads for itself. */
  private static TestModel padded(
      int opset, String mode, List<String> pad, int rank, String padInput) {
    long[] w = new long[rank];
    Arrays.fill(w, 3);
    w[0] = 4;
    w[1] = 4;
    long[] free = new long[rank];
    Arrays.fill(free, 9);
    free[0] = -1;
    free[1] = 4;
    long[] unknown = new long[rank];
    Arrays.fill(unknown, -1);
    return TestModel.opset(opset)
        .input("x", free)
        .constant("w1", w, random(1, w))
        .constant("w2", w, random(2, w))
        .node("Conv", List.of("x", "w1"), List.of("a"))
        .node("Relu", List.of("a"), List.of(padInput))
        .node("Pad", pad, List.of("q"), "mode", mode)
        .node("Conv", List.of("q", "w2"), List.of("y"))
        .output("y", unknown);
  }

  private static long[] sizes(int rank) {
    long[] sizes = new long[rank];
    Arrays.fill(sizes, 9);
    sizes[0] = 2;
    sizes[1] = 4;
    return sizes;
  }

  @ParameterizedTest
  @CsvSource({
    "18, constant, 4",
    "18, reflect, 4",
    "18, edge, 4",
    "19, edge, 4",
    "21, constant, 4",
    "21, reflect, 5",
    "18, edge, 3"
  })
  void padsOfSomeAxesAreWrittenInFull(int opset, String mode, int rank) {
    for (Form form : Form.values()) {
      for (long axis : new long[] {-1, rank - 1}) {
        TestModel model =
            padded(opset, mode, List.of("p", "pads", "", "axes"), rank, "p")
                .longs("pads", 1, 1, 2, 0)
                .longs("axes", axis, rank == 3 ? 0 : 2 - rank + (axis < 0 ? 0 : rank));
        OnnxModel quantized = assertClose(model, image(sizes(rank)), STATIC, form, 30);
        Node pad =
            quantized.graph().nodes().stream()
                .filter(node -> node.opType().equals("Pad"))
                .findFirst()
                .orElseThrow();
        assertEquals("", pad.input(3));
        assertEquals(2 * rank, quantized.graph().constant(pad.input(1)).orElseThrow().size());
      }
    }
  }

  /** Also where a Constant node, or arithmetic of the model, gives pads and axes. */
  @ParameterizedTest
  @ValueSource(strings = {"both", "pads", "axes", "int32 axes"})
  void padsOfSomeAxesThatAreComputed(String what) {
    TestModel model =
        TestModel.opset(18)
            .input("x", -1, 4, 9, 9)
            .constant("w1", new long[] {4, 4, 3, 3}, random(1, 4, 4, 3, 3))
            .node("Conv", List.of("x", "w1"), List.of("a"))
            .node("Relu", List.of("a"), List.of("p"))
            .longs("given", 1, 1, 2, 0)
            .longs("zero", 0);
    boolean isNarrow = what.startsWith("int32");
    model.node(
        "Constant",
        List.of(),
        List.of("last"),
        "value",
        isNarrow
            ? Tensor.ofQuantized("", DType.INT32, new long[] {2}, -1, 2)
            : Tensor.ofLongs("", new long[] {2}, -1, 2));
    // Zero, but nothing folds it.
    model
        .node("Shape", List.of("x"), List.of("shape"))
        .node("Size", List.of("shape"), List.of("four"))
        .scalar("rank", 4)
        .node("Sub", List.of("four", "rank"), List.of("none"))
        .node("Add", List.of("given", "none"), List.of("pads"))
        .node("Cast", List.of("last"), List.of("wide"), "to", 7L)
        .node("Add", List.of("wide", "none"), List.of("axes64"))
        .node("Cast", List.of("axes64"), List.of("axes"), "to", isNarrow ? 6L : 7L);
    String pads = what.contains("axes") ? "given" : "pads";
    String axes = what.equals("pads") ? "last" : "axes";
    model
        .node("Pad", List.of("p", pads, "", axes), List.of("q"))
        .constant("w2", new long[] {4, 4, 3, 3}, random(2, 4, 4, 3, 3))
        .node("Conv", List.of("q", "w2"), List.of("y"))
        .output("y", -1, -1, -1, -1);
    assertClose(model, image(2, 4, 9, 9), STATIC, Form.QDQ, 30);
  }

  private static TestModel pooled(int opset, Object... attributes) {
    return TestModel.opset(opset)
        .input("x", -1, 3, 16, 16)
        .constant("w1", new long[] {6, 3, 3, 3}, random(1, 6, 3, 3, 3))
        .node("Conv", List.of("x", "w1"), List.of("a"))
        .node("Relu", List.of("a"), List.of("p"))
        .node("AveragePool", List.of("p"), List.of("q"), attributes)
        .constant("w2", new long[] {4, 6, 1, 1}, random(2, 4, 6, 1, 1))
        .node("Conv", List.of("q", "w2"), List.of("y"))
        .output("y", -1, -1, -1, -1);
  }

  private static final long[] TWO = {2, 2};
  private static final long[] THREE = {3, 3};

  @ParameterizedTest
  @EnumSource(Form.class)
  void poolsWithWrongIntegerKernelsStayApart(Form form) {
    for (TestModel model :
        List.of(
            pooled(
                17,
                "kernel_shape",
                THREE,
                "strides",
                TWO,
                "pads",
                new long[] {1, 1, 1, 1},
                "ceil_mode",
                1L,
                "count_include_pad",
                1L),
            pooled(
                21,
                "kernel_shape",
                THREE,
                "strides",
                TWO,
                "pads",
                new long[] {1, 1, 1, 1},
                "ceil_mode",
                1L,
                "count_include_pad",
                1L),
            pooled(19, "kernel_shape", TWO, "dilations", TWO),
            pooled(21, "kernel_shape", TWO, "dilations", new long[] {1, 2}, "ceil_mode", 1L))) {
      for (Backend backend : List.of(Backend.ONNXRUNTIME_CPU, Backend.ONEDNN)) {
        QConfigMapping mapping =
            new QConfigMapping(Mode.STATIC, backend, backend.standard(Mode.STATIC), List.of());
        OnnxModel quantized = assertClose(model, image(2, 3, 16, 16), mapping, form, 30);
        assertTrue(operators(quantized).contains("AveragePool"), operators(quantized).toString());
      }
    }
  }

  @Test
  void poolsThatStayFloatSayWhy() {
    OnnxModel model = pooled(19, "kernel_shape", TWO, "dilations", TWO).read();
    List<FloatNode> floats =
        TestModel.quantize(model, image(2, 3, 16, 16), STATIC, Form.QDQ).floatNodes();
    assertEquals(
        "ONNX Runtime's integer kernel has no dilations",
        floats.stream()
            .filter(node -> node.opType().equals("AveragePool"))
            .findFirst()
            .orElseThrow()
            .reason());
  }

  /** Where nothing is padded, counting it changes nothing; neither do dilations of 1. */
  @Test
  void poolsWhoseAttributesChangeNothingAreQuantized() {
    for (TestModel model :
        List.of(
            pooled(
                17,
                "kernel_shape",
                THREE,
                "strides",
                TWO,
                "ceil_mode",
                1L,
                "count_include_pad",
                1L),
            pooled(17, "kernel_shape", THREE, "strides", THREE, "ceil_mode", 1L),
            pooled(
                17,
                "kernel_shape",
                THREE,
                "auto_pad",
                "VALID",
                "ceil_mode",
                1L,
                "count_include_pad",
                1L),
            pooled(
                17,
                "kernel_shape",
                THREE,
                "pads",
                new long[] {1, 1, 1, 1},
                "count_include_pad",
                1L),
            pooled(19, "kernel_shape", TWO, "dilations", new long[] {1, 1}))) {
      OnnxModel quantized = assertClose(model, image(2, 3, 16, 16), STATIC, Form.QOPERATOR, 30);
      List<String> operators = operators(quantized);
      assertTrue(operators.contains("QLinearAveragePool"), operators.toString());
    }
  }

  /** A heat map, and the mean place in it. */
  private static TestModel heat(int places) {
    long side = Math.round(Math.sqrt(places));
    return TestModel.opset(17)
        .input("x", -1, 3, side, side)
        .constant("w1", new long[] {5, 3, 3, 3}, random(1, 5, 3, 3, 3))
        .node("Conv", List.of("x", "w1"), List.of("h"), "pads", new long[] {1, 1, 1, 1})
        .longs("flat", 0, 5, places)
        .node("Reshape", List.of("h", "flat"), List.of("f"))
        .node("Softmax", List.of("f"), List.of("s"), "axis", -1L)
        .constant("c", new long[] {places, 2}, random(2, places, 2))
        .node("MatMul", List.of("s", "c"), List.of("y"))
        .output("y", -1, 5, 2);
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 64})
  void softmaxHasTheRangeThatWasObserved(int places) {
    long side = Math.round(Math.sqrt(places));
    Map<String, Values> x =
        Map.of("x", new Values(new long[] {4, 3, side, side}, small(random(5, 4, 3, side, side))));
    for (Form form : Form.values()) {
      OnnxModel quantized = assertClose(heat(places), x, STATIC, form, 28);
      float scale = quantized.graph().floatConstant("s_s").orElseThrow()[0];
      assertTrue(scale < 1 / 255f, "scale " + scale);
    }
  }

  /** A few peaks decide the range; the many small values round to zero, and their sum is lost. */
  @Test
  void softmaxOfManyPlacesStaysFloat() {
    Map<String, Values> x =
        Map.of("x", new Values(new long[] {4, 3, 24, 24}, random(5, 4, 3, 24, 24)));
    for (Form form : Form.values()) {
      OnnxModel quantized = assertClose(heat(576), x, STATIC, form, 25);
      assertTrue(quantized.graph().floatConstant("s_s").isEmpty(), "the softmax has a scale");
      assertTrue(operators(quantized).contains("Softmax"), operators(quantized).toString());
    }
  }

  /** The model does not say how many places there are; the matrix that they meet does. */
  @ParameterizedTest
  @CsvSource({"64, 28, true", "576, 25, false"})
  void softmaxOfAFreeLengthIsAsOneOfAKnownOne(int places, double least, boolean isQuantized) {
    long side = Math.round(Math.sqrt(places));
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 3, -1, -1)
            .constant("w1", new long[] {5, 3, 3, 3}, random(1, 5, 3, 3, 3))
            .node("Conv", List.of("x", "w1"), List.of("h"), "pads", new long[] {1, 1, 1, 1})
            .longs("flat", 0, 5, -1)
            .node("Reshape", List.of("h", "flat"), List.of("f"))
            .node("Softmax", List.of("f"), List.of("s"), "axis", -1L)
            .constant("c", new long[] {places, 2}, random(2, places, 2))
            .node("MatMul", List.of("s", "c"), List.of("y"))
            .output("y", -1, 5, 2);
    float[] values = random(5, 4, 3, side, side);
    Map<String, Values> x =
        Map.of(
            "x", new Values(new long[] {4, 3, side, side}, isQuantized ? small(values) : values));
    for (Form form : Form.values()) {
      OnnxModel quantized = assertClose(model, x, STATIC, form, least);
      Optional<float[]> scale = quantized.graph().floatConstant("s_s");
      assertEquals(isQuantized, scale.isPresent(), "the softmax has a scale");
      scale.ifPresent(one -> assertTrue(one[0] < 1 / 255f, "scale " + one[0]));
    }
  }

  private static float[] small(float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= 0.2f;
    }
    return values;
  }

  private static QConfigMapping fourBits() {
    return new QConfigMapping(
        Mode.WEIGHT_ONLY,
        Backend.ONNXRUNTIME_CPU,
        new QConfig(
            true,
            QConfig.standard().activation(),
            new TensorQConfig(
                new RangeMethod.MinMax(), DType.UINT4, QScheme.PER_CHANNEL_AFFINE, 16),
            false,
            false,
            false,
            QConfig.standard().products()),
        List.of());
  }

  /**
   * @param kind of scale and bias: "constant", "computed"
   * @param channels -1 if the model does not say
   */
  private static TestModel normalized(int opset, int groups, String kind, long channels) {
    TestModel model =
        TestModel.opset(opset)
            .input("x", -1, channels, 6)
            .constant("scale", new long[] {groups}, random(1, groups))
            .constant("bias", new long[] {groups}, random(2, groups));
    String suffix = "";
    if (kind.equals("computed")) {
      // A factor of 1 that nothing folds.
      model
          .node("Shape", List.of("x"), List.of("shape"))
          .node("Size", List.of("shape"), List.of("three"))
          .node("Cast", List.of("three"), List.of("three_f"), "to", 1L)
          .node("Div", List.of("three_f", "three_f"), List.of("one"))
          .node("Mul", List.of("scale", "one"), List.of("scale_c"))
          .node("Mul", List.of("bias", "one"), List.of("bias_c"));
      suffix = "_c";
    }
    return model
        .node(
            "GroupNormalization",
            List.of("x", "scale" + suffix, "bias" + suffix),
            List.of("g"),
            "num_groups",
            (long) groups)
        .constant("w", new long[] {6, 5}, random(3, 6, 5))
        .node("MatMul", List.of("g", "w"), List.of("y"))
        .output("y", -1, -1, 5);
  }

  @ParameterizedTest
  @CsvSource({
    "18, 4, constant, 8",
    "18, 1, constant, 8",
    "18, 8, constant, 8",
    "20, 4, computed, 8",
    "18, 2, constant, -1",
    "19, 4, computed, -1",
  })
  void groupNormalizationKeepsItsMeaningInNewerSets(
      int opset, int groups, String kind, long channels) {
    TestModel model = normalized(opset, groups, kind, channels);
    OnnxModel quantized = assertClose(model, image(2, 8, 6), fourBits(), Form.QDQ, 12);
    assertEquals(21, quantized.opset());
    boolean isFolded = kind.equals("constant") && channels > 0;
    assertEquals(!isFolded, operators(quantized).contains("Expand"));
    // Without the weights' rounding it is the same function.
    Map<String, Values> x = image(2, 8, 6);
    OnnxModel plain = normalized(opset, groups, kind, channels).output("g", -1, -1, 6).read();
    OnnxModel raised = TestModel.quantize(plain, x, fourBits(), Form.QDQ).model();
    assertArrayEquals(
        TestModel.run(plain, x).get("g").floats(),
        TestModel.run(raised, x).get("g").floats(),
        1e-5f);
  }

  /** One product that makes the model be raised, and an operator that changed on the way. */
  private static void assertRaised(TestModel model, Map<String, Values> x) {
    model
        .constant("w", new long[] {4, 5}, random(3, 4, 5))
        .node("MatMul", List.of("v", "w"), List.of("z"))
        .output("z", -1, 5);
    OnnxModel original = model.read();
    OnnxModel raised = TestModel.quantize(original, x, fourBits(), Form.QDQ).model();
    assertEquals(21, raised.opset());
    assertArrayEquals(
        TestModel.run(original, x).get("y").floats(),
        TestModel.run(raised, x).get("y").floats(),
        1e-5f);
  }

  @Test
  void roiAlignKeepsItsCoordinates() {
    TestModel model =
        TestModel.opset(13)
            .input("x", 1, 1, 6, 6)
            .input("v", -1, 4)
            .constant("rois", new long[] {1, 4}, 0.5f, 0.5f, 4, 4.5f)
            .longs("batch", 0)
            .node(
                "RoiAlign",
                List.of("x", "rois", "batch"),
                List.of("y"),
                "output_height",
                2L,
                "output_width",
                2L)
            .output("y", -1, -1, -1, -1);
    assertRaised(
        model,
        Map.of(
            "x",
            new Values(new long[] {1, 1, 6, 6}, random(4, 36)),
            "v",
            new Values(new long[] {2, 4}, random(5, 8))));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 2})
  void dftKeepsItsAxis(long axis) {
    TestModel model = TestModel.opset(17).input("x", 1, 4, 5, 1).input("v", -1, 4);
    if (axis > 0) {
      model.node("DFT", List.of("x"), List.of("y"), "axis", axis);
    } else {
      model.node("DFT", List.of("x"), List.of("y"));
    }
    model.output("y", -1, -1, -1, -1);
    assertRaised(
        model,
        Map.of(
            "x",
            new Values(new long[] {1, 4, 5, 1}, random(4, 20)),
            "v",
            new Values(new long[] {2, 4}, random(5, 8))));
  }

  @Test
  void scatterBecomesScatterElements() {
    TestModel model =
        TestModel.opset(10)
            .input("x", -1, 4)
            .initializer(Tensor.ofLongs("at", new long[] {1, 1}, 2))
            .constant("value", new long[] {1, 1}, 7)
            .node("Scatter", List.of("x", "at", "value"), List.of("s"), "axis", 1L)
            .constant("w", new long[] {4, 5}, random(3, 4, 5))
            .node("MatMul", List.of("s", "w"), List.of("y"))
            .output("y", -1, 5);
    OnnxModel quantized = assertClose(model, image(2, 4), STATIC, Form.QDQ, 30);
    assertTrue(operators(quantized).contains("ScatterElements"));
    assertFalse(operators(quantized).contains("Scatter"));
  }

  /** Every stored weight has a zero point, of each operator and in each mode. */
  @ParameterizedTest
  @EnumSource(Mode.class)
  void storedWeightsHaveZeroPoints(Mode mode) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 4, 6)
            .constant("t", new long[] {4, 3, 3}, random(1, 4, 3, 3))
            .node("ConvTranspose", List.of("x", "t"), List.of("a"))
            .constant("c", new long[] {4, 3, 3}, random(2, 4, 3, 3))
            .node("Conv", List.of("a", "c"), List.of("b"))
            .constant("m", new long[] {6, 5}, random(3, 6, 5))
            .node("MatMul", List.of("b", "m"), List.of("y"))
            .output("y", -1, -1, -1);
    QConfigMapping mapping =
        new QConfigMapping(
            mode,
            Backend.ONNXRUNTIME_CPU,
            Backend.ONNXRUNTIME_CPU.standard(mode, QConfig.standard().products()),
            List.of());
    OnnxModel quantized = assertClose(model, image(2, 4, 6), mapping, Form.QDQ, 25);
    int stored = 0;
    for (Node node : quantized.graph().nodes()) {
      boolean isStored =
          node.opType().equals("DequantizeLinear")
              && quantized
                  .graph()
                  .constant(node.input(0))
                  .filter(tensor -> tensor.type() == ElementType.INT8)
                  .isPresent();
      if (isStored) {
        stored++;
        Tensor scales = quantized.graph().constant(node.input(1)).orElseThrow();
        Tensor zeros = quantized.graph().constant(node.input(2)).orElseThrow();
        assertArrayEquals(scales.shape(), zeros.shape());
        assertArrayEquals(new byte[(int) zeros.size()], zeros.int8s());
      }
    }
    assertTrue(stored > 0, operators(quantized).toString());
  }
}
