package org.tare.prepare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Reference;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization.Form;
import org.tare.stats.Samples;

/** A model's own functions stand in the place of their calls. */
class FunctionsTest {
  private static final Map<String, Values> ROWS =
      Map.of("x", new Values(new long[] {3, 8}, Samples.normal(new Random(1), 24)));

  private static OnnxModel prepare(OnnxModel model) {
    return FloatPasses.prepare(
        model, FloatPasses.Options.none(), older -> TensorTypes.of(older, "test"));
  }

  /** The prepared model gives the same and calls no function. */
  private static OnnxModel assertInlined(TestModel built) {
    OnnxModel model = built.read();
    OnnxModel prepared = prepare(model);
    assertFalse(prepared.hasFunctions());
    assertTrue(
        prepared.graph().allNodes().stream().allMatch(Node::isStandard),
        prepared.graph().allNodes().toString());
    Map<String, Values> expected = TestModel.run(model, ROWS);
    Map<String, Values> found = TestModel.run(prepared, ROWS);
    expected.forEach(
        (output, values) -> assertArrayEquals(values.floats(), found.get(output).floats(), 1e-6f));
    return prepared;
  }

  private static TestModel calling(int opset, String... functions) {
    TestModel model =
        TestModel.opset(opset)
            .input("x", -1, 8)
            .constant("w", new long[] {8, 8}, Samples.normal(new Random(2), 64))
            .node("MatMul", List.of("x", "w"), List.of("a"));
    String last = "a";
    for (int i = 0; i < functions.length; i++) {
      String next = i == functions.length - 1 ? "y" : last + "a";
      model.node(functions[i], List.of(last), List.of(next));
      last = next;
    }
    return model.domain("my", functions).output("y", -1, -1);
  }

  /** Squares its input by way of operators whose axes were attributes. */
  private static TestModel squareOf(int opset) {
    TestModel body = TestModel.opset(opset);
    if (opset < 13) {
      return body.node("Unsqueeze", List.of("X"), List.of("u"), "axes", new long[] {1})
          .node("Mul", List.of("u", "u"), List.of("m"))
          .node("Squeeze", List.of("m"), List.of("Y"), "axes", new long[] {1});
    }
    return body.node("Constant", List.of(), List.of("one"), "value_ints", new long[] {1})
        .node("Unsqueeze", List.of("X", "one"), List.of("u"))
        .node("Mul", List.of("u", "u"), List.of("m"))
        .node("Squeeze", List.of("m", "one"), List.of("Y"));
  }

  @ParameterizedTest
  @CsvSource({"12, 12", "11, 11", "9, 9", "17, 17", "13, 13", "21, 21"})
  void functionsOfEachOperatorSet(int opset, int functionOpset) {
    OnnxModel prepared =
        assertInlined(
            calling(opset, "Square")
                .function(
                    "my.Square", List.of(), List.of("X"), List.of("Y"), squareOf(functionOpset)));
    assertEquals(Math.max(13, opset), prepared.opset());
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void handedOverCaseIsQuantized(Mode mode) throws IOException {
    OnnxModel model =
        OnnxModel.read(Path.of("src/test/resources/cases/models/functions-opset12.onnx"));
    Map<String, Values> x =
        Map.of("x", new Values(new long[] {4, 32}, Samples.normal(new Random(3), 128)));
    QConfigMapping mapping =
        new QConfigMapping(
            mode, Backend.ONNXRUNTIME_CPU, Backend.ONNXRUNTIME_CPU.standard(mode), List.of());
    for (Form form : Form.values()) {
      OnnxModel quantized = TestModel.quantize(model, x, mapping, form).model();
      float[] expected = TestModel.run(model, x).get("y").floats();
      float[] found = TestModel.run(quantized, x).get("y").floats();
      double signal = 0;
      double noise = 0;
      for (int i = 0; i < expected.length; i++) {
        signal += expected[i] * expected[i];
        noise += Math.pow(expected[i] - found[i], 2);
      }
      assertTrue(10 * Math.log10(signal / noise) > 30, mode + " " + form);
    }
  }

  /** Two calls of one function, and one that calls it: names do not get in each other's way. */
  @Test
  void functionsThatCallFunctions() {
    TestModel twice =
        TestModel.opset(12)
            .node("Square", List.of("X"), List.of("m"))
            .node("Sqrt", List.of("m"), List.of("u"))
            .node("Square", List.of("u"), List.of("Y"))
            .domain("my", "Square");
    OnnxModel prepared =
        assertInlined(
            calling(12, "Twice", "Square", "Twice")
                .function("my.Twice", List.of(), List.of("X"), List.of("Y"), twice)
                .function("my.Square", List.of(), List.of("X"), List.of("Y"), squareOf(12)));
    assertEquals(
        5, prepared.graph().nodes().stream().filter(node -> node.opType().equals("Mul")).count());
  }

  @Test
  void attributesOfTheCall() {
    TestModel body =
        TestModel.opset(11)
            .node("LeakyRelu", List.of("X"), List.of("l"), "alpha", new Reference("a", "FLOAT"))
            .node("Softmax", List.of("l"), List.of("s"), "axis", new Reference("axis", "INT"))
            .node(
                "ReduceSum",
                List.of("s"),
                List.of("Y"),
                "axes",
                new Reference("axes", "INTS"),
                "keepdims",
                new Reference("keep", "INT"));
    TestModel model =
        TestModel.opset(11)
            .input("x", -1, 8)
            .node("F", List.of("x"), List.of("y"), "a", 0.25f, "axis", 0L, "axes", new long[] {1})
            .node(
                "F",
                List.of("x"),
                List.of("z"),
                "a",
                0.5f,
                "axis",
                1L,
                "axes",
                new long[] {0},
                "keep",
                0L)
            .domain("my", "F")
            .function(
                "my.F", List.of("a", "axis", "axes", "keep"), List.of("X"), List.of("Y"), body)
            .output("y", -1, -1)
            .output("z", -1);
    OnnxModel original = model.read();
    OnnxModel prepared = prepare(original);
    Map<String, Values> expected = TestModel.run(original, ROWS);
    Map<String, Values> found = TestModel.run(prepared, ROWS);
    for (String output : List.of("y", "z")) {
      assertArrayEquals(expected.get(output).shape(), found.get(output).shape());
      assertArrayEquals(expected.get(output).floats(), found.get(output).floats(), 1e-6f);
    }
  }

  /** A function whose If reads a tensor of the function, called from an If of the model. */
  @Test
  void graphsInsideOfNodes() {
    TestModel small =
        TestModel.opset(12).node("Neg", List.of("X"), List.of("t")).output("t", -1, -1);
    TestModel large =
        TestModel.opset(12).node("Abs", List.of("X"), List.of("t2")).output("t2", -1, -1);
    TestModel body =
        TestModel.opset(12)
            .node("ReduceSum", List.of("X"), List.of("sum"), "keepdims", 0L)
            .node("Constant", List.of(), List.of("zero"), "value_float", 0f)
            .node("Greater", List.of("sum", "zero"), List.of("above"))
            .node("If", List.of("above"), List.of("Y"), "then_branch", small, "else_branch", large);
    TestModel call =
        TestModel.opset(12)
            .node("F", List.of("a"), List.of("c"))
            .domain("my", "F")
            .output("c", -1, -1);
    TestModel other =
        TestModel.opset(12).node("Exp", List.of("a"), List.of("c2")).output("c2", -1, -1);
    TestModel model =
        calling(12, "F")
            .node("ReduceMax", List.of("x"), List.of("m"), "keepdims", 0L)
            .constant("least", new long[0], -100)
            .node("Greater", List.of("m", "least"), List.of("yes"))
            .node("If", List.of("yes"), List.of("z"), "then_branch", call, "else_branch", other)
            .output("z", -1, -1)
            .function("my.F", List.of(), List.of("X"), List.of("Y"), body);
    assertInlined(model);
  }

  /**
   * An output that is an input, an input that is not given, and an output that nobody takes. ONNX
   * Runtime itself takes no call without an output.
   */
  @Test
  void inputsAndOutputsThatAreLeftOut() {
    TestModel body =
        TestModel.opset(12)
            .node("Clip", List.of("X", "least", "most"), List.of("c"))
            .node("Neg", List.of("X"), List.of("n"));
    TestModel model =
        TestModel.opset(12)
            .input("x", -1, 8)
            .constant("top", new long[0], 0.5f)
            .node("F", List.of("x", "", "top"), List.of("y", "", "z"))
            .domain("my", "F")
            .function(
                "my.F", List.of(), List.of("X", "least", "most"), List.of("c", "n", "X"), body)
            .output("y", -1, -1)
            .output("z", -1, -1);
    Map<String, Values> found = TestModel.run(FloatPasses.prepare(model.read()), ROWS);
    float[] x = ROWS.get("x").floats();
    assertArrayEquals(x, found.get("z").floats());
    for (int i = 0; i < x.length; i++) {
      assertEquals(Math.min(x[i], 0.5f), found.get("y").floats()[i]);
    }
  }

  @Test
  void functionThatCallsItselfIsRefused() {
    TestModel body = TestModel.opset(12).node("F", List.of("X"), List.of("Y")).domain("my", "F");
    OnnxModel model =
        calling(12, "F").function("my.F", List.of(), List.of("X"), List.of("Y"), body).read();
    TareException e = assertThrows(TareException.class, () -> FloatPasses.prepare(model));
    assertEquals("Not a valid model: its function F calls itself", e.getMessage());
  }

  /** 30 functions, each of which calls the next one twice, come to 2^30 nodes. */
  @Test
  void functionsThatGrowWithoutBoundsAreRefused() {
    TestModel model = calling(17, "F0");
    for (int i = 0; i < 30; i++) {
      TestModel body =
          TestModel.opset(17)
              .node("F" + (i + 1), List.of("X"), List.of("t"))
              .node("F" + (i + 1), List.of("t"), List.of("Y"))
              .domain("my", "F" + (i + 1));
      model.function("my.F" + i, List.of(), List.of("X"), List.of("Y"), body);
    }
    TareException e = assertThrows(TareException.class, () -> FloatPasses.prepare(model.read()));
    assertTrue(e.getMessage().contains("come to more than 1048576 nodes"), e.getMessage());
  }
}
