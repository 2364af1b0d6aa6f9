package org.tare.prepare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;

/** Arithmetic after a layer goes into it where it is one factor or offset per channel. */
class FoldChannelAffineTest {
  private static final long[] CHANNELS = {1, 4, 1, 1};
  private final Random random = new Random(4);

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
        .constant("b", new long[] {4}, normal(4))
        .node("Conv", List.of("x", "w", "b"), List.of("h"), "pads", new long[] {1, 1, 1, 1});
  }

  private Map<String, Values> image() {
    return Map.of("x", new Values(new long[] {2, 3, 5, 4}, normal(120)));
  }

  /** Folds, and holds the result against the model as it was. */
  private static void assertFolds(int expected, TestModel model, Map<String, Values> given) {
    OnnxModel original = model.read();
    OnnxModel folded = model.read();
    int nodes = folded.graph().nodes().size();
    assertEquals(expected, FoldChannelAffine.apply(folded.graph()));
    if (expected == 0) {
      assertArrayEquals(TestModel.bytes(original), TestModel.bytes(folded));
    }
    assertEquals(0, FoldChannelAffine.apply(folded.copy().graph()));
    assertEquals(nodes - expected, folded.graph().nodes().size());
    float[] before = TestModel.run(original, given).get("y").floats();
    float[] after = TestModel.run(folded, given).get("y").floats();
    float largest = 0;
    for (float value : before) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < before.length; i++) {
      assertEquals(before[i], after[i], 1e-5 * largest, "at " + i);
    }
  }

  @Test
  void foldsWhatLearnedAffineBlocksAndBiasesAreWrittenAs() {
    TestModel model =
        conv()
            .constant("scale", new long[] {1}, 1.7f)
            .constant("shift", new long[] {}, -0.3f)
            .constant("bias", CHANNELS, normal(4))
            .constant("by", new long[] {4, 1, 1}, 2, -3, 0.5f, 7)
            .node("Mul", List.of("scale", "h"), List.of("m"))
            .node("Add", List.of("m", "shift"), List.of("a"))
            .node("Sub", List.of("a", "bias"), List.of("s"))
            .node("Div", List.of("s", "by"), List.of("y"))
            .output("y", -1, 4, -1, -1);
    assertFolds(4, model, image());
  }

  @Test
  void foldsABiasThatIsReshaped() {
    for (long[] shape : new long[][] {{1, 4, 1, 1}, {1, -1, 1, 1}}) {
      TestModel model =
          conv()
              .constant("bias", new long[] {4}, normal(4))
              .longs("shape", shape)
              .node("Reshape", List.of("bias", "shape"), List.of("reshaped"))
              .node("Add", List.of("h", "reshaped"), List.of("y"))
              .output("y", -1, 4, -1, -1);
      OnnxModel folded = model.read();
      assertEquals(1, FoldChannelAffine.apply(folded.graph()));
      assertEquals(1, folded.graph().nodes().size());
    }
  }

  @Test
  void aBatchNormalizationBehindFoldsToo() {
    TestModel model =
        TestModel.opset(13)
            .input("x", -1, 2, 3, 3)
            .constant("w", new long[] {2, 3, 2, 2}, normal(24))
            .node("ConvTranspose", List.of("x", "w"), List.of("h"), "strides", new long[] {2, 2})
            .constant("bias", new long[] {1, 3, 1, 1}, normal(3))
            .node("Add", List.of("h", "bias"), List.of("a"))
            .constant("one", new long[] {3}, 1, 2, 3)
            .node("BatchNormalization", List.of("a", "one", "one", "one", "one"), List.of("y"))
            .output("y", -1, 3, -1, -1);
    assertFolds(1, model, Map.of("x", new Values(new long[] {1, 2, 3, 3}, normal(18))));
    assertEquals(1, FloatPasses.prepare(model.read()).graph().nodes().size());
  }

  @Test
  void gemmTakesItsLastAxis() {
    TestModel model =
        TestModel.opset(13)
            .input("x", -1, 3)
            .constant("w", new long[] {3, 4}, normal(12))
            .constant("c", new long[] {1, 4}, normal(4))
            .node("Gemm", List.of("x", "w", "c"), List.of("h"), "alpha", 0.5f, "beta", 2f)
            .constant("k", new long[] {4}, normal(4))
            .node("Add", List.of("k", "h"), List.of("a"))
            .node("Mul", List.of("a", "k"), List.of("y"))
            .output("y", -1, 4);
    assertFolds(2, model, Map.of("x", new Values(new long[] {5, 3}, normal(15))));
  }

  static Stream<Arguments> otherConstants() {
    return Stream.of(
        Arguments.of("Add", "h", "c", new long[] {4}, 1f),
        Arguments.of("Mul", "h", "c", new long[] {1, 1, 5, 1}, 1f),
        Arguments.of("Add", "h", "c", new long[] {1, 1, 4, 1, 1}, 1f),
        Arguments.of("Add", "h", "c", new long[] {2, 1, 1, 1}, 1f),
        Arguments.of("Sub", "c", "h", new long[] {1}, 1f),
        Arguments.of("Div", "c", "h", new long[] {1}, 1f),
        Arguments.of("Mul", "h", "c", new long[] {1}, 0f),
        Arguments.of("Mul", "h", "c", new long[] {1}, Float.MIN_VALUE),
        Arguments.of("Div", "h", "c", new long[] {1}, 0f),
        Arguments.of("Mul", "h", "c", new long[] {1}, Float.NaN),
        Arguments.of("Add", "h", "c", new long[] {1}, Float.POSITIVE_INFINITY),
        Arguments.of("Pow", "h", "c", new long[] {1}, 2f));
  }

  @ParameterizedTest
  @MethodSource("otherConstants")
  void leavesOtherConstantsAlone(String op, String first, String second, long[] shape, float all) {
    int size = 1;
    for (long dim : shape) {
      size *= (int) dim;
    }
    float[] values = new float[size];
    Arrays.fill(values, all);
    TestModel model =
        conv()
            .constant("c", shape, values)
            .node(op, List.of(first, second), List.of("y"))
            .output("y");
    OnnxModel original = model.read();
    OnnxModel folded = model.read();
    assertEquals(0, FoldChannelAffine.apply(folded.graph()));
    assertArrayEquals(TestModel.bytes(original), TestModel.bytes(folded));
  }

  @Test
  void leavesALayerWithOtherReadersAlone() {
    TestModel hardSwish =
        conv()
            .constant("three", new long[] {}, 3)
            .constant("zero", new long[] {}, 0)
            .constant("six", new long[] {}, 6)
            .node("Add", List.of("h", "three"), List.of("a"))
            .node("Clip", List.of("a", "zero", "six"), List.of("c"))
            .node("Mul", List.of("h", "c"), List.of("m"))
            .node("Div", List.of("m", "six"), List.of("y"))
            .output("y", -1, 4, -1, -1);
    assertFolds(0, hardSwish, image());
    TestModel visible =
        conv()
            .constant("three", new long[] {}, 3)
            .node("Add", List.of("h", "three"), List.of("y"))
            .output("y", -1, 4, -1, -1)
            .output("h", -1, 4, -1, -1);
    assertFolds(0, visible, image());
  }

  @Test
  void constantsOfOtherReadersStay() {
    TestModel model =
        conv()
            .node("Conv", List.of("x", "w", "b"), List.of("g"), "pads", new long[] {1, 1, 1, 1})
            .constant("scale", new long[] {1}, 3)
            .node("Mul", List.of("h", "scale"), List.of("m"))
            .node("Add", List.of("m", "g"), List.of("y"))
            .output("y", -1, 4, -1, -1);
    assertFolds(1, model, image());
  }
}
