package org.tare.prepare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;

/** Pairs of Transpose around layers, and Casts that do nothing, go; the function stays. */
class CancelTransposesTest {
  private static final long[] LAST = {0, 2, 3, 1};
  private static final long[] FIRST = {0, 3, 1, 2};

  private final Random random = new Random(8);

  private float[] normal(int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private TestModel conv() {
    return TestModel.opset(13)
        .input("x", -1, 3, 5, 4)
        .constant("w", new long[] {4, 3, 3, 3}, normal(108))
        .constant("scale", new long[] {4}, 2, -3, 0.5f, 7)
        .constant("shift", new long[] {1, 1, 1, 4}, normal(4))
        .constant("one", new long[] {}, 1.5f)
        .constant("v", new long[] {2, 4, 1, 1}, normal(8))
        .node("Conv", List.of("x", "w"), List.of("h"));
  }

  private Map<String, Values> image() {
    return Map.of("x", new Values(new long[] {2, 3, 5, 4}, normal(120)));
  }

  private static List<String> operators(OnnxModel model) {
    return model.graph().nodes().stream().map(Node::opType).toList();
  }

  private void assertSame(OnnxModel original, OnnxModel changed) {
    Map<String, Values> rows = image();
    Values expected = TestModel.run(original, rows).get("y");
    Values found = TestModel.run(changed, rows).get("y");
    assertArrayEquals(expected.shape(), found.shape());
    assertArrayEquals(expected.floats(), found.floats(), 1e-4f);
  }

  @Test
  void aNormalizationOfTheLastAxisGoesIntoTheConvolution() {
    OnnxModel original =
        conv()
            .node("Transpose", List.of("h"), List.of("t"), "perm", LAST)
            .node("Mul", List.of("scale", "t"), List.of("m"))
            .node("Add", List.of("m", "shift"), List.of("a"))
            .node("Sub", List.of("a", "one"), List.of("s"))
            .node("Relu", List.of("s"), List.of("r"))
            .node("Transpose", List.of("r"), List.of("u"), "perm", FIRST)
            .node("Conv", List.of("u", "v"), List.of("y"))
            .output("y")
            .read();
    OnnxModel prepared = FloatPasses.prepare(original);
    assertEquals(List.of("Conv", "Relu", "Conv"), operators(prepared));
    assertSame(original, prepared);
  }

  @ParameterizedTest
  @CsvSource({"true, 0", "false, 2"})
  void onlyAPairThatIsInverseCancels(boolean isInverse, int left) {
    OnnxModel original =
        conv()
            .node("Transpose", List.of("h"), List.of("t"), "perm", LAST)
            .node(
                "Transpose",
                List.of("t"),
                List.of("u"),
                "perm",
                isInverse ? FIRST : new long[] {0, 3, 2, 1})
            .node("Relu", List.of("u"), List.of("y"))
            .output("y")
            .read();
    OnnxModel prepared = FloatPasses.prepare(original);
    assertEquals(left, operators(prepared).stream().filter("Transpose"::equals).count());
    assertSame(original, prepared);
  }

  @Test
  void whatOthersReadStays() {
    OnnxModel original =
        conv()
            .node("Transpose", List.of("h"), List.of("t"), "perm", LAST)
            .node("Relu", List.of("t"), List.of("r"))
            .node("Transpose", List.of("r"), List.of("y"), "perm", FIRST)
            .node("Sigmoid", List.of("r"), List.of("z"))
            .output("y")
            .output("z")
            .read();
    OnnxModel prepared = FloatPasses.prepare(original);
    assertEquals(operators(original), operators(prepared));
  }

  @Test
  void aResultOfTheModelKeepsItsName() {
    OnnxModel original =
        conv()
            .node("Transpose", List.of("h"), List.of("t"), "perm", LAST)
            .node("Tanh", List.of("t"), List.of("r"))
            .node("Transpose", List.of("r"), List.of("y"), "perm", FIRST)
            .output("y")
            .read();
    OnnxModel prepared = FloatPasses.prepare(original);
    assertEquals(List.of("Conv", "Tanh"), operators(prepared));
    assertSame(original, prepared);
  }

  /** Between a convolution and its activation function, say. */
  @Test
  void castsToTheTypeThatIsThereGo() {
    OnnxModel original =
        conv()
            .node("Cast", List.of("h"), List.of("c"), "to", (long) ElementType.FLOAT32.code())
            .node("Relu", List.of("c"), List.of("r"))
            .node("Cast", List.of("r"), List.of("i"), "to", (long) ElementType.INT32.code())
            .node("Cast", List.of("i"), List.of("f"), "to", (long) ElementType.FLOAT32.code())
            .node("Cast", List.of("f"), List.of("y"), "to", (long) ElementType.FLOAT32.code())
            .output("y")
            .read();
    OnnxModel prepared =
        FloatPasses.prepare(
            original, FloatPasses.Options.none(), model -> TensorTypes.of(model, "test"));
    // The last one writes a result of the model.
    assertEquals(List.of("Conv", "Relu", "Cast", "Cast", "Cast"), operators(prepared));
    assertSame(original, prepared);
  }
}
