package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxChecker;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.ChosenRanges;
import org.tare.plan.FloatNode;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.stats.CalibrationState;
import org.tare.stats.Samples;

class QdqRewriterTest {
  private static final QConfigMapping STANDARD = new QConfigMapping(QConfig.standard(), List.of());

  private static QConfigMapping activations(DType dtype, QScheme scheme) {
    QConfig standard = QConfig.standard();
    return new QConfigMapping(
        new QConfig(
            true,
            new TensorQConfig(new RangeMethod.MinMax(), dtype, scheme),
            standard.weight(),
            false),
        List.of());
  }

  private static float[] random(int seed, long... shape) {
    return Samples.normal(new Random(seed), (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b));
  }

  /** [2, 4, 8, 8] through a convolution, then {@code "h"} for what is tested. */
  private static TestModel convolution(int opset) {
    return TestModel.opset(opset)
        .input("x", -1, 4, 8, 8)
        .constant("w", new long[] {4, 4, 3, 3}, random(1, 4, 4, 3, 3))
        .constant("b", new long[] {4}, random(2, 4))
        .node("Conv", List.of("x", "w", "b"), List.of("h"), "pads", new long[] {1, 1, 1, 1});
  }

  /** Ends the model in floats, so that what is tested is not an output itself. */
  private static TestModel end(TestModel model, String tensor, long... shape) {
    return model.node("Identity", List.of(tensor), List.of("y")).output("y", shape);
  }

  static Stream<Arguments> operators() {
    long[] image = {-1, 4, 8, 8};
    return Stream.of(
        Arguments.of("Conv", 0, end(convolution(17), "h", image)),
        Arguments.of(
            "ConvTranspose",
            0,
            end(
                convolution(17)
                    .constant("tw", new long[] {4, 2, 2, 2}, random(3, 4, 2, 2, 2))
                    .constant("tb", new long[] {4}, random(4, 4))
                    .node(
                        "ConvTranspose",
                        List.of("h", "tw", "tb"),
                        List.of("t"),
                        "group",
                        2L,
                        "strides",
                        new long[] {2, 2}),
                "t",
                -1,
                4,
                16,
                16)),
        Arguments.of(
            "Gemm with alpha and beta",
            0,
            end(
                convolution(17)
                    .node("Flatten", List.of("h"), List.of("f"))
                    .constant("gw", new long[] {256, 5}, random(5, 256, 5))
                    .constant("gb", new long[] {5}, random(6, 5))
                    .node(
                        "Gemm", List.of("f", "gw", "gb"), List.of("g"), "alpha", 0.5f, "beta", 2f),
                "g",
                -1,
                5)),
        Arguments.of(
            "MatMul",
            0,
            end(
                convolution(17)
                    .constant("mw", new long[] {8, 6}, random(7, 8, 6))
                    .node("MatMul", List.of("h", "mw"), List.of("m")),
                "m",
                -1,
                4,
                8,
                6)),
        Arguments.of(
            "Add and Mul",
            0,
            end(
                convolution(17)
                    .node(
                        "AveragePool",
                        List.of("h"),
                        List.of("p"),
                        "kernel_shape",
                        new long[] {1, 1})
                    .node("Mul", List.of("h", "p"), List.of("m"))
                    .node("Add", List.of("m", "h"), List.of("a")),
                "a",
                image)),
        Arguments.of(
            "Concat",
            0,
            end(
                convolution(17)
                    .node("Relu", List.of("h"), List.of("r"))
                    .node("Concat", List.of("h", "r"), List.of("c"), "axis", 1L),
                "c",
                -1,
                8,
                8,
                8)),
        Arguments.of(
            "pools",
            0,
            end(
                convolution(17)
                    .node(
                        "MaxPool",
                        List.of("h"),
                        List.of("p"),
                        "kernel_shape",
                        new long[] {2, 2},
                        "strides",
                        new long[] {2, 2})
                    .node(
                        "AveragePool",
                        List.of("p"),
                        List.of("q"),
                        "kernel_shape",
                        new long[] {2, 2})
                    .node("GlobalAveragePool", List.of("q"), List.of("g")),
                "g",
                -1,
                4,
                1,
                1)),
        Arguments.of(
            "Relu", 1, end(convolution(17).node("Relu", List.of("h"), List.of("r")), "r", image)),
        Arguments.of(
            "Clip",
            1,
            end(
                convolution(17)
                    .constant("lo", new long[0], 0f)
                    .constant("hi", new long[0], 6f)
                    .node("Clip", List.of("h", "lo", "hi"), List.of("r")),
                "r",
                image)),
        Arguments.of(
            "Clip whose bounds do not hold zero",
            0,
            end(
                convolution(17)
                    .constant("lo", new long[0], 1f)
                    .constant("hi", new long[0], 3f)
                    .node("Clip", List.of("h", "lo", "hi"), List.of("r")),
                "r",
                image)),
        Arguments.of(
            "Sigmoid",
            0,
            end(convolution(17).node("Sigmoid", List.of("h"), List.of("s")), "s", image)),
        Arguments.of(
            "Softmax",
            0,
            end(
                convolution(17).node("Softmax", List.of("h"), List.of("s"), "axis", 1L),
                "s",
                image)),
        Arguments.of(
            "Resize",
            0,
            end(
                convolution(17)
                    .constant("scales", new long[] {4}, 1f, 1f, 2f, 2f)
                    .node("Resize", List.of("h", "", "scales"), List.of("s"), "mode", "linear"),
                "s",
                -1,
                4,
                16,
                16)),
        Arguments.of(
            "shapes",
            0,
            end(
                convolution(17)
                    .longs("shape", 0, 4, 64)
                    .longs("one", 1)
                    .longs("start", 3)
                    .longs("stop", 40)
                    .longs("axis", 2)
                    .node("Reshape", List.of("h", "shape"), List.of("s1"))
                    .node("Transpose", List.of("s1"), List.of("s2"), "perm", new long[] {0, 2, 1})
                    .node("Unsqueeze", List.of("s2", "one"), List.of("s3"))
                    .node("Squeeze", List.of("s3", "one"), List.of("s4"))
                    .node("Transpose", List.of("s4"), List.of("s5"), "perm", new long[] {0, 2, 1})
                    .node("Slice", List.of("s5", "start", "stop", "axis"), List.of("s6"))
                    .longs("pads", 0, 0, 1, 0, 0, 2)
                    .node("Pad", List.of("s6", "pads"), List.of("s7"))
                    .longs("indices", 1, 0, 3)
                    .node("Gather", List.of("s7", "indices"), List.of("s8"), "axis", 1L)
                    .longs("sizes", 30, 10)
                    .node("Split", List.of("s8", "sizes"), List.of("s9", "sa"), "axis", 2L),
                "s9",
                -1,
                3,
                30)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("operators")
  void operatorIsQuantizedWell(String name, int removed, TestModel test) {
    OnnxModel model = test.read();
    for (QConfigMapping mapping :
        List.of(
            STANDARD,
            activations(DType.UINT8, QScheme.PER_TENSOR_AFFINE),
            activations(DType.INT8, QScheme.PER_TENSOR_AFFINE),
            activations(DType.INT8, QScheme.PER_TENSOR_SYMMETRIC))) {
      Map<String, Values> given =
          Map.of("x", new Values(new long[] {2, 4, 8, 8}, random(9, 2, 4, 8, 8)));
      QuantizedModel quantized = TestModel.quantize(model, given, mapping);
      OnnxChecker.check(TestModel.bytes(quantized.model()));
      // The Identity at the end is all that has no rule.
      assertEquals(
          List.of("Identity"), quantized.floatNodes().stream().map(FloatNode::opType).toList());
      boolean symmetric = mapping.standard().activation().scheme().isSymmetric();
      if (!symmetric) {
        assertEquals(removed, quantized.removedActivations());
      }
      float[] x = TestModel.run(model, given).get("y").floats();
      float[] y = TestModel.run(quantized.model(), given).get("y").floats();
      double signal = 0;
      double noise = 0;
      for (int i = 0; i < x.length; i++) {
        signal += x[i] * x[i];
        noise += (x[i] - y[i]) * (x[i] - y[i]);
      }
      double sqnr = 10 * Math.log10(signal / noise);
      assertTrue(sqnr > 25, "SQNR " + sqnr + " dB with " + mapping.standard().activation());
      List<String> known =
          quantized.model().graph().nodes().stream().map(Node::opType).distinct().toList();
      assertTrue(known.contains("QuantizeLinear") && known.contains("DequantizeLinear"));
    }
  }

  @Test
  void inputsAndOutputsKeepNamesAndTypes() {
    OnnxModel model =
        convolution(17).node("Relu", List.of("h"), List.of("y")).output("y", -1, 4, 8, 8).read();
    Map<String, Values> given =
        Map.of("x", new Values(new long[] {2, 4, 8, 8}, random(9, 2, 4, 8, 8)));
    QuantizedModel quantized = TestModel.quantize(model, given, STANDARD);
    assertEquals(List.of("x"), quantized.model().graph().inputNames());
    assertEquals(List.of("y"), quantized.model().graph().outputNames());
    Map<String, TensorType> before = TensorTypes.of(model, "m");
    Map<String, TensorType> after = TensorTypes.of(quantized.model(), "m");
    assertEquals(before.get("x"), after.get("x"));
    assertEquals(before.get("y"), after.get("y"));
    // Any other batch still runs.
    Values three = new Values(new long[] {3, 4, 8, 8}, random(5, 3, 4, 8, 8));
    assertEquals(3, TestModel.run(quantized.model(), Map.of("x", three)).get("y").shape()[0]);
    assertEquals("test", quantized.model().metadata().get("tare.version"));
  }

  @Test
  void logitsStayFloat() {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 6)
            .constant("w", new long[] {6, 3}, random(1, 6, 3))
            .node("MatMul", List.of("x", "w"), List.of("y"))
            .output("y", -1, 3)
            .read();
    Map<String, Values> given = Map.of("x", new Values(new long[] {4, 6}, random(2, 4, 6)));
    QuantizedModel quantized = TestModel.quantize(model, given, STANDARD);
    assertEquals(List.of("x"), List.copyOf(quantized.activations().keySet()));
    assertEquals(1, quantized.weights().get("w").channels().orElseThrow().axis());
  }

  @Test
  void unknownOperatorStaysFloatAndIsListed() {
    OnnxModel model =
        end(convolution(17).node("Sin", List.of("h"), List.of("e")), "e", -1, 4, 8, 8).read();
    Map<String, Values> given =
        Map.of("x", new Values(new long[] {2, 4, 8, 8}, random(9, 2, 4, 8, 8)));
    QuantizedModel quantized = TestModel.quantize(model, given, STANDARD);
    assertEquals("Sin", quantized.floatNodes().get(0).opType());
    assertEquals("Tare has no rule for this operator", quantized.floatNodes().get(0).reason());
  }

  @Test
  void overrideLeavesFloat() {
    QConfig standard = QConfig.standard();
    QConfigMapping mapping =
        new QConfigMapping(
            standard,
            List.of(
                new QConfigMapping.Rule(
                    QConfigMapping.By.OPERATOR,
                    "Sigm*",
                    new QConfig(false, standard.activation(), standard.weight(), false))));
    OnnxModel model =
        end(convolution(17).node("Sigmoid", List.of("h"), List.of("s")), "s", -1, 4, 8, 8).read();
    Map<String, Values> given =
        Map.of("x", new Values(new long[] {2, 4, 8, 8}, random(9, 2, 4, 8, 8)));
    QuantizedModel quantized = TestModel.quantize(model, given, mapping);
    assertFalse(quantized.activations().containsKey("s"));
    assertEquals("left float by an override", quantized.floatNodes().get(0).reason());
  }

  @Test
  void olderOperatorSetsAreRaised() {
    OnnxModel model =
        TestModel.opset(11)
            .input("x", -1, 4, 8, 8)
            .constant("w", new long[] {4, 4, 3, 3}, random(1, 4, 4, 3, 3))
            .node("Conv", List.of("x", "w"), List.of("h"))
            .node("Unsqueeze", List.of("h"), List.of("u"), "axes", new long[] {1})
            .node("Squeeze", List.of("u"), List.of("s"), "axes", new long[] {1})
            .node("Softmax", List.of("s"), List.of("y"), "axis", 1L)
            .output("y", -1, 4, 6, 6)
            .read();
    Map<String, Values> given =
        Map.of("x", new Values(new long[] {2, 4, 8, 8}, random(9, 2, 4, 8, 8)));
    OnnxModel prepared = FloatPasses.prepare(model);
    assertEquals(13, prepared.opset());
    float[] before = TestModel.run(model, given).get("y").floats();
    float[] after = TestModel.run(prepared, given).get("y").floats();
    for (int i = 0; i < before.length; i++) {
      assertEquals(before[i], after[i], 1e-6f);
    }
    OnnxChecker.check(TestModel.bytes(TestModel.quantize(model, given, STANDARD).model()));
  }

  @Test
  void oldSoftmaxIsFlattenedOnlyWhereItSpansSeveralAxes() {
    for (long axis : new long[] {1, 2, -1}) {
      OnnxModel model =
          TestModel.opset(11)
              .input("x", -1, 4, 8)
              .node("Softmax", List.of("x"), List.of("y"), "axis", axis)
              .output("y", -1, 4, 8)
              .read();
      OnnxModel prepared =
          FloatPasses.prepare(
              model, FloatPasses.Options.none(), older -> TensorTypes.of(older, "m"));
      assertEquals(axis == 1 ? 4 : 1, prepared.graph().nodes().size(), "axis " + axis);
      Map<String, Values> given = Map.of("x", new Values(new long[] {2, 4, 8}, random(9, 2, 4, 8)));
      assertArrayEquals(
          TestModel.run(model, given).get("y").floats(),
          TestModel.run(prepared, given).get("y").floats(),
          1e-6f);
    }
  }

  @Test
  void weightsInConstantNodesAreWeights() {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 6)
            .node(
                "Constant",
                List.of(),
                List.of("w"),
                "value",
                Tensor.ofFloats("", new long[] {6, 3}, random(1, 6, 3)))
            .node("MatMul", List.of("x", "w"), List.of("y"))
            .output("y", -1, 3)
            .read();
    Map<String, Values> given = Map.of("x", new Values(new long[] {4, 6}, random(2, 4, 6)));
    assertTrue(TestModel.quantize(model, given, STANDARD).weights().containsKey("w"));
  }

  @Test
  void weightThatIsNotFiniteIsAnError() {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 1)
            .constant("w", new long[] {1, 1}, Float.NaN)
            .node("MatMul", List.of("x", "w"), List.of("y"))
            .output("y", -1, 1)
            .read();
    Map<String, Values> given = Map.of("x", new Values(new long[] {1, 1}, new float[] {1}));
    TareException e =
        assertThrows(TareException.class, () -> TestModel.quantize(model, given, STANDARD));
    assertEquals("Cannot quantize MatMul(MatMul_0): its constant \"w\" holds NaN", e.getMessage());
  }

  @Test
  void stateWithoutATensorIsAnError() {
    OnnxModel model = end(convolution(17), "h", -1, 4, 8, 8).read();
    OnnxModel prepared = FloatPasses.prepare(model);
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                QdqRewriter.quantize(
                    prepared,
                    TensorTypes.of(prepared, "m"),
                    STANDARD,
                    new ChosenRanges(new CalibrationState(model.digest(), 1, new TreeMap<>())),
                    Map.of()));
    assertTrue(e.getMessage().startsWith("Cannot quantize: the calibration state holds no tensor"));
  }
}
