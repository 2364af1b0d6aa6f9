package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization.Form;
import org.tare.stats.Samples;

/** Inputs that have a default, so that a caller may give another value or none. */
class DefaultInputsTest {
  private static final Map<String, Values> ROWS =
      Map.of("x", new Values(new long[] {4, 16}, Samples.normal(new Random(1), 64)));

  @TempDir private Path folder;

  /** A gain, a bias and a weight that callers may replace, between weights that they may not. */
  private static TestModel model() {
    return TestModel.opset(17)
        .input("gain", 1)
        .input("x", -1, 16)
        .input("shift", 16)
        .input("mix", 16, 16)
        .constant("w", new long[] {16, 16}, Samples.normal(new Random(2), 256))
        .constant("gain", new long[] {1}, 1)
        .constant("shift", new long[] {16}, new float[16])
        .constant("mix", new long[] {16, 16}, Samples.normal(new Random(3), 256))
        .constant("v", new long[] {16, 16}, Samples.normal(new Random(4), 256))
        .node("MatMul", List.of("x", "w"), List.of("a"))
        .node("Mul", List.of("a", "gain"), List.of("b"))
        .node("Add", List.of("b", "shift"), List.of("c"))
        .node("Relu", List.of("c"), List.of("d"))
        .node("MatMul", List.of("d", "mix"), List.of("e"))
        .node("Gemm", List.of("e", "v", "shift"), List.of("y"))
        .output("y", -1, 16);
  }

  static List<Arguments> ways() {
    return List.of(
        Arguments.of(Mode.STATIC, Form.QDQ, Backend.ONNXRUNTIME_CPU),
        Arguments.of(Mode.STATIC, Form.QOPERATOR, Backend.ONNXRUNTIME_CPU),
        Arguments.of(Mode.STATIC, Form.QDQ, Backend.ONEDNN),
        Arguments.of(Mode.STATIC, Form.QDQ, Backend.TENSORRT),
        Arguments.of(Mode.DYNAMIC, Form.QDQ, Backend.ONNXRUNTIME_CPU),
        Arguments.of(Mode.DYNAMIC, Form.QOPERATOR, Backend.ONNXRUNTIME_CPU),
        Arguments.of(Mode.WEIGHT_ONLY, Form.QDQ, Backend.ONNXRUNTIME_CPU));
  }

  private static double decibels(float[] expected, float[] found) {
    double signal = 0;
    double noise = 0;
    for (int i = 0; i < expected.length; i++) {
      signal += (double) expected[i] * expected[i];
      noise += Math.pow((double) expected[i] - found[i], 2);
    }
    return 10 * Math.log10(signal / noise);
  }

  @ParameterizedTest(name = "{0} {1} {2}")
  @MethodSource("ways")
  void callersMayReplaceThemAsBefore(Mode mode, Form form, Backend backend) {
    OnnxModel original = model().read();
    QConfigMapping mapping = new QConfigMapping(mode, backend, backend.standard(mode), List.of());
    QuantizedModel quantized = TestModel.quantize(original, ROWS, mapping, form);
    assertFalse(quantized.weights().isEmpty(), "the other weights are quantized");
    assertEquals(List.of("x"), quantized.model().graph().inputNames());
    for (String name : List.of("gain", "shift", "mix")) {
      assertTrue(quantized.model().graph().hasDefault(name), name);
      assertFalse(quantized.weights().containsKey(name), name);
    }
    assertTrue(
        quantized.floatNodes().stream()
            .anyMatch(
                node ->
                    node.reason().startsWith("\"mix\" is an input of the model with a default")),
        quantized.floatNodes().toString());
    Map<String, Values> given = new HashMap<>();
    assertClose(original, quantized.model(), given);
    given.put("gain", new Values(new long[] {1}, new float[] {0.8f}));
    assertClose(original, quantized.model(), given);
    given.put("shift", new Values(new long[] {16}, Samples.normal(new Random(6), 16)));
    given.put("mix", new Values(new long[] {16, 16}, Samples.normal(new Random(7), 256)));
    assertClose(original, quantized.model(), given);
  }

  private static void assertClose(
      OnnxModel original, OnnxModel quantized, Map<String, Values> given) {
    float[] expected = TestModel.runWith(original, given, ROWS).get("y").floats();
    float[] actual = TestModel.runWith(quantized, given, ROWS).get("y").floats();
    double found = decibels(expected, actual);
    // Replaced ones leave the ranges; one that is not read would give less than 0 dB.
    assertTrue(found > (given.isEmpty() ? 20 : 12), given.keySet() + ": " + found);
  }

  /** They keep their places among the inputs, their types and their values. */
  @Test
  void theyAreWrittenAsTheyWereRead() throws IOException {
    OnnxModel original = model().read();
    QConfigMapping mapping =
        new QConfigMapping(
            Mode.DYNAMIC,
            Backend.ONNXRUNTIME_CPU,
            Backend.ONNXRUNTIME_CPU.standard(Mode.DYNAMIC),
            List.of());
    Path file = folder.resolve("m.onnx");
    TestModel.quantize(original, ROWS, mapping).model().write(file);
    assertEquals(TestModel.inputsOf(original), TestModel.inputsOf(OnnxModel.read(file)));
    assertEquals(
        List.of("gain", "x", "shift", "mix"),
        TestModel.inputsOf(original).keySet().stream().toList());
    assertTrue(Files.size(file) > 4 * 256, "with the float mix");
  }

  /** Exporters that list every weight do so for versions before 4, not for callers. */
  @Test
  void whereAllConstantsAreListedTheyAreConstants() {
    OnnxModel listed = model().input("w", 16, 16).input("v", 16, 16).read();
    assertEquals(5, listed.graph().listedConstants());
    assertEquals(List.of("x"), listed.graph().inputNames());
    QuantizedModel quantized =
        TestModel.quantize(
            listed,
            ROWS,
            new QConfigMapping(
                Mode.DYNAMIC,
                Backend.ONNXRUNTIME_CPU,
                Backend.ONNXRUNTIME_CPU.standard(Mode.DYNAMIC),
                List.of()));
    assertEquals(List.of("w", "mix", "v"), List.copyOf(quantized.weights().keySet()));
    assertEquals(0, model().read().graph().listedConstants());
  }

  /** Before IR version 4 all constants were listed so; ONNX Runtime lets nobody replace them. */
  @Test
  void constantsOfOldModelsAreConstants() {
    OnnxModel old = model().irVersion(3).read();
    QuantizedModel quantized =
        TestModel.quantize(
            old,
            ROWS,
            new QConfigMapping(
                Mode.DYNAMIC,
                Backend.ONNXRUNTIME_CPU,
                Backend.ONNXRUNTIME_CPU.standard(Mode.DYNAMIC),
                List.of()));
    assertEquals(List.of("w", "mix", "v"), List.copyOf(quantized.weights().keySet()));
    assertEquals(List.of("x"), List.copyOf(TestModel.inputsOf(quantized.model()).keySet()));
    assertArrayEquals(
        TestModel.run(old, ROWS).get("y").shape(),
        TestModel.run(quantized.model(), ROWS).get("y").shape());
  }
}
