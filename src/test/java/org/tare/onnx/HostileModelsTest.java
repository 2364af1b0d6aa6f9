package org.tare.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.TestModel.Values;
import org.tare.prepare.FatalNodes;
import org.tare.prepare.FloatPasses;

/** Models that mislead whoever reads them, and valid ones that look as if they did. */
class HostileModelsTest {
  @TempDir private Path folder;

  private static Path recorded(String name) {
    try {
      return Path.of(
          HostileModelsTest.class.getResource("/cases/hostile-models/" + name + "/m.onnx").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String refusal(Runnable action) {
    TareException e = assertThrows(TareException.class, action::run);
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    return e.getMessage();
  }

  private static void assertContains(String part, String message) {
    assertTrue(message.contains(part), message);
  }

  @Test
  void twoInitializersOfOneNameAreRefused() {
    assertContains(
        "two initializers are named \"W\"", refusal(() -> OnnxModel.read(recorded("dup_init"))));
    assertContains(
        "two initializers are named \"b\"",
        refusal(() -> OnnxModel.read(recorded("dup_init_bias"))));
  }

  @Test
  void twoInitializersOfOneNameInsideOfANodeAreRefused() {
    TestModel branch =
        TestModel.opset(17)
            .constant("c", new long[] {1}, 1)
            .constant("c", new long[] {1}, 2)
            .node("Identity", List.of("c"), List.of("z"))
            .output("z", 1);
    TestModel model =
        TestModel.opset(17)
            .input("x", ElementType.BOOL)
            .node("If", List.of("x"), List.of("y"), "then_branch", branch, "else_branch", branch)
            .output("y", 1);
    assertContains("two initializers are named \"c\"", refusal(model::read));
  }

  @Test
  void nodeThatWritesAnInitializerIsRefused() {
    TestModel model =
        TestModel.opset(17)
            .input("x", 1)
            .constant("c", new long[] {1}, 1)
            .node("Relu", List.of("x"), List.of("c"))
            .node("Identity", List.of("c"), List.of("y"))
            .output("y", 1);
    assertContains("writes tensor \"c\", which is an initializer", refusal(model::read));
  }

  @Test
  void sparseInitializersAreReadAsDenseOnesAndWrittenSo() {
    OnnxModel model = OnnxModel.read(recorded("sparse_init"));
    Tensor weight = model.graph().constant("W").orElseThrow();
    assertEquals(weight.size(), weight.floats().length);
    assertEquals(0, model.graph().toProto().getSparseInitializerCount());
    assertTrue(
        model.graph().toProto().getInitializerList().stream()
            .anyMatch(one -> one.getName().equals("W")));
  }

  /** The passes fold the normalization, so the prepared model does not show it. */
  @Test
  void attributeOfAWrongNameIsRefused() {
    OnnxModel model = OnnxModel.read(recorded("bn_misspelt"));
    TensorTypes.asItIs(FloatPasses.prepare(model), "prepared");
    assertContains("epsilom", refusal(() -> TensorTypes.asItIs(model, "m.onnx")));
  }

  @Test
  void externalDataOfAFunctionIsRead() throws IOException {
    Path file = recorded("ext_function_ok");
    assertEquals(Set.of("c.bin"), OnnxModel.dataFiles(file));
    OnnxModel model = OnnxModel.read(file);
    assertEquals(Files.size(file) + 32, model.sizeBytes());
    TensorTypes.asItIs(model, "m.onnx");
    Map<String, Values> inputs =
        Map.of("x", new Values(new long[] {1, 8}, new float[] {0, 0, 0, 0, 0, 0, 0, 0}));
    // The function adds what is in c.bin: zeros in give its product with the weight.
    boolean isAllZero = true;
    for (float value : TestModel.run(model, inputs).get("y").floats()) {
      isAllZero &= value == 0;
    }
    assertTrue(!isAllZero, "the function added nothing");
    // Without the file the model is refused, not read as zeros.
    Path alone = folder.resolve("m.onnx");
    Files.copy(file, alone);
    TareException e = assertThrows(TareException.class, () -> OnnxModel.read(alone));
    assertEquals(TareException.Kind.MISSING_INPUT, e.kind());
    assertContains("keeps its data in", e.getMessage());
  }

  @Test
  void hugeTensorsAreNotComputed() {
    long huge = 1L << 33;
    TestModel shape =
        TestModel.opset(17)
            .input("x", 1)
            .longs("size", huge)
            .node("ConstantOfShape", List.of("size"), List.of("zeros"));
    assertHuge("ConstantOfShape", shape, "zeros");
    TestModel product =
        TestModel.opset(17)
            .input("x", 1)
            .node(
                "Constant", List.of(), List.of("size"), "value_ints", new long[] {1 << 16, 1 << 17})
            .node("ConstantOfShape", List.of("size"), List.of("zeros"));
    assertHuge("ConstantOfShape", product, "zeros");
    TestModel range =
        TestModel.opset(17)
            .input("x", 1)
            .scalar("start", 0)
            .scalar("limit", huge)
            .scalar("delta", 1)
            .node("Range", List.of("start", "limit", "delta"), List.of("all"));
    assertHuge("Range", range, "all");
    TestModel expand =
        TestModel.opset(17)
            .input("x", 1)
            .longs("size", huge)
            .node("Expand", List.of("x", "size"), List.of("wide"));
    assertHuge("Expand", expand, "wide");
  }

  private static void assertHuge(String op, TestModel model, String made) {
    OnnxModel read =
        model.node("Shape", List.of(made), List.of("y")).output("y", ElementType.INT64, 1).read();
    String message = refusal(() -> FatalNodes.check(read));
    assertContains("Cannot run " + op, message);
    assertContains("makes a tensor of 8589934592 elements", message);
  }

  @Test
  void largeTensorsThatFitAreLeftAlone() {
    FatalNodes.check(
        TestModel.opset(17)
            .input("x", 1)
            .longs("size", 1 << 20)
            .node("ConstantOfShape", List.of("size"), List.of("y"))
            .output("y", 1 << 20)
            .read());
  }
}
