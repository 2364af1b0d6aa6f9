package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.onnx.OnnxChecker;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.FloatNode;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.range.Range;
import org.tare.stats.Samples;

/** Which operators after a convolution are quantized, for which backend, and why not. */
class OperatorRulesTest {
  private static final Values X = new Values(new long[] {2, 4, 4, 4}, random(9, 128));

  private static float[] random(int seed, int size) {
    return Samples.normal(new Random(seed), size);
  }

  private static TestModel convolution(int opset) {
    return TestModel.opset(opset)
        .input("x", -1, 4, 4, 4)
        .constant("w", new long[] {4, 4, 1, 1}, random(1, 16))
        .node("Conv", List.of("x", "w"), List.of("h"));
  }

  private static QuantizedModel quantize(TestModel model, Backend backend) {
    OnnxModel read =
        model.node("Identity", List.of("t"), List.of("y")).output("y", -1, -1, -1, -1).read();
    QConfigMapping mapping =
        new QConfigMapping(Mode.STATIC, backend, backend.standard(Mode.STATIC), List.of());
    QuantizedModel quantized = TestModel.quantize(read, Map.of("x", X), mapping);
    OnnxChecker.check(TestModel.bytes(quantized.model()));
    float[] expected = TestModel.run(read, Map.of("x", X)).get("y").floats();
    float[] actual = TestModel.run(quantized.model(), Map.of("x", X)).get("y").floats();
    double noise = 0;
    double signal = 0;
    for (int i = 0; i < expected.length; i++) {
      signal += expected[i] * expected[i];
      noise += (expected[i] - actual[i]) * (expected[i] - actual[i]);
    }
    assertTrue(10 * Math.log10(signal / noise) > 25, signal + " against " + noise);
    return quantized;
  }

  private static List<String> floatOperators(QuantizedModel model) {
    return model.floatNodes().stream().map(FloatNode::opType).toList();
  }

  static Stream<Arguments> functions() {
    return Stream.of("PRelu", "HardSigmoid", "HardSwish", "Tanh", "Erf", "InstanceNormalization")
        .map(Arguments::of);
  }

  @ParameterizedTest
  @MethodSource("functions")
  void functionStaysFloatWhereItHasNoIntegerKernel(String op) {
    for (Backend backend : List.of(Backend.ONNXRUNTIME_CPU, Backend.ONEDNN)) {
      TestModel model = convolution(17).constant("c", new long[] {4}, random(3, 4));
      List<String> inputs =
          switch (op) {
            case "PRelu" -> List.of("h", "slope");
            case "InstanceNormalization" -> List.of("h", "c", "c");
            default -> List.of("h");
          };
      model.constant("slope", new long[0], 0.1f).node(op, inputs, List.of("t"));
      QuantizedModel quantized = quantize(model, backend);
      boolean rounds = backend.roundsProducts();
      assertEquals(rounds, quantized.activations().containsKey("t"), backend.id());
      if (!rounds) {
        assertEquals(
            "the backend has no integer kernel for it", quantized.floatNodes().get(0).reason());
      }
      assertFalse(quantized.weights().containsKey("slope"), "the slope stays float");
    }
  }

  @Test
  void boundedFunctionsHaveFixedRangesWherePyTorchHasThem() {
    for (String op : List.of("Sigmoid", "HardSigmoid", "Tanh")) {
      TestModel model = convolution(17).node(op, List.of("h"), List.of("t"));
      Range range = quantize(model, Backend.ONEDNN).activations().get("t").range();
      assertEquals(new Range(op.equals("Tanh") ? -1f : 0f, 1f), range, op);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"Identity", "Dropout", "DepthToSpace", "SpaceToDepth", "Tile", "Expand"})
  void movedValuesKeepTheirQparams(String op) {
    List<String> inputs =
        switch (op) {
          case "Tile" -> List.of("h", "repeats");
          case "Expand" -> List.of("h", "shape");
          default -> List.of("h");
        };
    Object[] attributes = op.contains("Space") ? new Object[] {"blocksize", 2L} : new Object[0];
    for (Backend backend : List.of(Backend.ONNXRUNTIME_CPU, Backend.ONEDNN)) {
      QuantizedModel quantized = quantize(model(op, inputs, attributes), backend);
      assertTrue(quantized.activations().get("h").sharedBy().contains("t"), backend.id());
      assertEquals(List.of("Identity"), floatOperators(quantized));
    }
  }

  private static TestModel model(String op, List<String> inputs, Object... attributes) {
    return convolution(17)
        .longs("repeats", 1, 1, 2, 1)
        .longs("shape", 1, 4, 4, 4)
        .node(op, inputs, List.of("t"), attributes);
  }

  @Test
  void whereTakesBothSidesOrNone() {
    TestModel both =
        convolution(17)
            .node("Relu", List.of("h"), List.of("r"))
            .node("Greater", List.of("h", "r"), List.of("is"))
            .node("Where", List.of("is", "h", "r"), List.of("t"));
    assertTrue(quantize(both, Backend.ONNXRUNTIME_CPU).activations().containsKey("t"));
    TestModel masked =
        convolution(17)
            .constant("far", new long[0], -1e4f)
            .node("Less", List.of("h", "far"), List.of("is"))
            .node("Where", List.of("is", "far", "h"), List.of("t"));
    QuantizedModel quantized = quantize(masked, Backend.ONEDNN);
    assertFalse(quantized.activations().containsKey("t"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc,cd->abd", "abc,dc->abd", "...c,cd->...d"})
  void einsumOfAMatrixIsAProduct(String equation) {
    boolean isTransposed = equation.contains("dc");
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 3, 8)
            .constant("w", isTransposed ? new long[] {5, 8} : new long[] {8, 5}, random(1, 40))
            .node("Einsum", List.of("x", "w"), List.of("y"), "equation", equation)
            .output("y", -1, 3, 5)
            .read();
    OnnxModel prepared = FloatPasses.prepare(model);
    assertEquals("MatMul", prepared.graph().nodes().get(0).opType());
    Map<String, Values> given = Map.of("x", new Values(new long[] {2, 3, 8}, random(2, 48)));
    assertArrayEquals(
        TestModel.run(model, given).get("y").floats(),
        TestModel.run(prepared, given).get("y").floats(),
        1e-5f);
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc,cd->adb", "abc,ab->c", "aac,cd->aad", "abc,cd"})
  void otherEquationsStay(String equation) {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", 3, 3, 3)
            .constant("w", new long[] {3, 3}, random(1, 9))
            .node("Einsum", List.of("x", "w"), List.of("y"), "equation", equation)
            .output("y")
            .read();
    assertEquals("Einsum", FloatPasses.prepare(model).graph().nodes().get(0).opType());
  }
}
