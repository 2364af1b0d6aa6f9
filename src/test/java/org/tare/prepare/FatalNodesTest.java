package org.tare.prepare;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;

/** The models are never run: that would end this process. */
class FatalNodesTest {
  private static TestModel withNode(TestModel model, String operator, boolean lacks) {
    switch (operator) {
      case "Attention" -> {
        model
            .constant("w", new long[] {4, 12}, new float[48])
            .constant("b", new long[] {12}, new float[12]);
        List<String> inputs = lacks ? List.of("x", "w") : List.of("x", "w", "b");
        return model
            .node("Attention", inputs, List.of("r"), "num_heads", 2L)
            .domain(Node.MICROSOFT, "Attention");
      }
      case "Einsum" -> {
        return model.node(
            "Einsum", List.of("x", lacks ? "" : "x"), List.of("r"), "equation", "bij,bij->bij");
      }
      default -> {
        return model
            .longs("sizes", 2, 2)
            .node("Split", List.of("x", "sizes"), List.of(lacks ? "" : "a", "r"), "axis", -1L);
      }
    }
  }

  private static OnnxModel plain(String operator, boolean lacks) {
    return withNode(TestModel.opset(17).input("x", 1, 3, 4), operator, lacks)
        .node("Identity", List.of("r"), List.of("y"))
        .output("y", 1, 3, -1)
        .read();
  }

  private static OnnxModel inside(String operator, boolean lacks) {
    return TestModel.opset(17)
        .input("x", 1, 3, 4)
        .initializer(Tensor.ofBytes("yes", ElementType.BOOL, new long[0], new byte[] {1}))
        .node(
            "If",
            List.of("yes"),
            List.of("y"),
            "then_branch",
            withNode(TestModel.opset(17), operator, lacks).output("r", 1, 3, -1),
            "else_branch",
            TestModel.opset(17)
                .node("Identity", List.of("x"), List.of("same"))
                .output("same", 1, 3, 4))
        .output("y", 1, 3, -1)
        .read();
  }

  @ParameterizedTest
  @ValueSource(strings = {"Attention", "Einsum", "Split"})
  void areRefusedByName(String operator) {
    String expected =
        "Cannot run "
            + operator
            + "("
            + operator
            + "_0): it has "
            + switch (operator) {
              case "Attention" -> "no bias (one of zeros would do)";
              case "Einsum" -> "an input without a name";
              default -> "an output without a name";
            }
            + ", and ONNX Runtime reads it all the same, which ends the process";
    for (OnnxModel model : List.of(plain(operator, true), inside(operator, true))) {
      assertEquals(
          expected, assertThrows(TareException.class, () -> FatalNodes.check(model)).getMessage());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"Attention", "Einsum", "Split"})
  void completeOnesAreNot(String operator) {
    assertDoesNotThrow(() -> FatalNodes.check(plain(operator, false)));
    assertDoesNotThrow(() -> FatalNodes.check(inside(operator, false)));
  }

  /** Other operators have inputs and outputs that may be left out. */
  @Test
  void optionalOnesMayBeLeftOut() {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", 1, 3, 4)
            .constant("most", new long[0], 1)
            .node("Clip", List.of("x", "", "most"), List.of("y"))
            .output("y", 1, 3, 4)
            .read();
    assertDoesNotThrow(() -> FatalNodes.check(model));
  }
}
