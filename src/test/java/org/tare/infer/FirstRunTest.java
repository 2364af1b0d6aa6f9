package org.tare.infer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.TareException;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;

class FirstRunTest {
  private static Optional<String> check(TestModel written, TestModel original) {
    return check(written, original, Optional.empty());
  }

  private static Optional<String> check(
      TestModel written, TestModel original, Optional<Map<String, InputTensor>> row) {
    OnnxModel model = original.read();
    return FirstRun.check(
        written.read(), model, model, TensorTypes.of(model, "m.onnx"), "m.onnx", row);
  }

  /** Loads for any number of columns, and runs for this one only. */
  private static TestModel forColumns(long columns) {
    return TestModel.opset(17)
        .input("x", -1, -1)
        .longs("shape", 1, columns)
        .node("Relu", List.of("x"), List.of("r"))
        .node("Reshape", List.of("r", "shape"), List.of("y"))
        .output("y", -1, -1);
  }

  private static TestModel forAll() {
    return TestModel.opset(17)
        .input("x", -1, -1)
        .node("Relu", List.of("x"), List.of("y"))
        .output("y", -1, -1);
  }

  private static Map<String, InputTensor> row(float... values) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(4 * values.length).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(values);
    return Map.of("x", new InputTensor(ElementType.FLOAT32, new long[] {1, values.length}, bytes));
  }

  @Test
  void modelThatRunsIsAccepted() {
    assertEquals(Optional.empty(), check(forAll(), forAll()));
    assertEquals(Optional.empty(), check(forColumns(5), forAll(), Optional.of(row(1, 2, 3, 4, 5))));
  }

  @Test
  void modelThatStopsNamesTheNode() {
    TareException e = assertThrows(TareException.class, () -> check(forColumns(7), forAll()));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    String begin =
        "Cannot give out the quantized m.onnx: the float model runs in ONNX Runtime "
            + ModelSession.runtimeVersion()
            + ", this one does not: it stops at Reshape(Reshape_1). ";
    assertTrue(e.getMessage().startsWith(begin), e.getMessage());
    assertTrue(e.getMessage().contains("quantize.overrides"), e.getMessage());
  }

  @Test
  void rowOfTheDataShowsWhatMadeUpInputsDoNot() {
    assertEquals(Optional.empty(), check(forColumns(1), forAll()));
    TareException e =
        assertThrows(
            TareException.class, () -> check(forColumns(1), forAll(), Optional.of(row(1, 2))));
    assertTrue(e.getMessage().contains("stops at Reshape(Reshape_1)"), e.getMessage());
  }

  /** A row that the float model does not take says nothing against the other. */
  @Test
  void rowThatBothRefuseIsLeftAside() {
    assertEquals(Optional.empty(), check(forColumns(1), forColumns(1), Optional.of(row(1, 2))));
  }

  @Test
  void modelThatTakesNoMadeUpInputsIsOnlyLoaded() {
    assertEquals(
        Optional.of("the float model does not run on inputs that are made up"),
        check(forColumns(5), forColumns(5)));
  }

  @Test
  void largerSizesAreTried() {
    TestModel conv =
        TestModel.opset(17)
            .input("x", -1, 1, -1, -1)
            .constant("w", new long[] {1, 1, 7, 7}, new float[49])
            .node("Conv", List.of("x", "w"), List.of("y"))
            .output("y", -1, 1, -1, -1);
    assertEquals(Optional.empty(), check(conv, conv));
  }

  /** One of three rows has only the ids 0. */
  @Test
  void idsStayInRange() {
    TestModel embedding =
        TestModel.opset(17)
            .input("ids", ElementType.INT64, -1, 3)
            .constant("table", new long[] {1, 2}, 1, 2)
            .node("Gather", List.of("table", "ids"), List.of("y"))
            .output("y", -1, 3, 2);
    assertEquals(Optional.empty(), check(embedding, embedding));
  }

  @ParameterizedTest
  @EnumSource(
      names = {
        "FLOAT32",
        "FLOAT64",
        "FLOAT16",
        "BFLOAT16",
        "INT64",
        "INT32",
        "INT16",
        "INT8",
        "UINT8",
        "BOOL"
      })
  void everyTypeOfInputIsMade(ElementType type) {
    TestModel model =
        TestModel.opset(17)
            .input("x", type, -1, 3)
            .node("Identity", List.of("x"), List.of("y"))
            .output("y", type, -1, 3);
    assertEquals(Optional.empty(), check(model, model));
  }

  @Test
  void textIsNotMadeUp() {
    TestModel model =
        TestModel.opset(17)
            .input("x", ElementType.STRING, -1)
            .node("Identity", List.of("x"), List.of("y"))
            .output("y", ElementType.STRING, -1);
    assertTrue(check(model, model).isPresent());
  }

  /** ONNX Runtime divides by zero with the processor's instruction, which ends the process. */
  @Test
  void wholeNumbersAreNotDividedByMadeUpOnes() {
    TestModel model =
        TestModel.opset(17)
            .input("x", ElementType.INT64, -1)
            .scalar("one", 1)
            .node("Sub", List.of("x", "one"), List.of("zero"))
            .node("Div", List.of("x", "zero"), List.of("y"))
            .output("y", ElementType.INT64, -1);
    Optional<String> why = check(model, model);
    assertTrue(why.orElse("").startsWith("it divides whole numbers by computed ones"), "" + why);
  }

  @Test
  void modelThatDoesNotLoadIsRefused() {
    TestModel wrong =
        TestModel.opset(17)
            .input("x", -1, -1)
            .node("NoSuchOperator", List.of("x"), List.of("y"))
            .output("y", -1, -1);
    TareException e = assertThrows(TareException.class, () -> check(wrong, forAll()));
    assertTrue(
        e.getMessage().startsWith("Cannot load model quantized m.onnx: ONNX Runtime says: "),
        e.getMessage());
    assertTrue(e.getMessage().contains("NoSuchOperator"), e.getMessage());
  }
}
