package org.tare.infer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;

class TensorTypesTest {
  /**
   * Operators that keep their input's type, and others, in a chain. Types of a long one, which are
   * not all asked for, are those of a short one, which are.
   */
  private static TestModel chain(int times) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 4)
            .input("n", ElementType.INT64, 3)
            .constant("c", new long[] {4}, 1, 2, 3, 4)
            .node("Identity", List.of("c"), List.of("copy"))
            .node("Abs", List.of("n"), List.of("size"))
            .node("Identity", List.of("x"), List.of("t0"));
    for (int i = 0; i < times; i++) {
      model
          .node("Relu", List.of("t" + i), List.of("relu" + i))
          .node("Softmax", List.of("relu" + i), List.of("softmax" + i))
          .node("Add", List.of("softmax" + i, "copy"), List.of("add" + i))
          .node("Identity", List.of("add" + i), List.of("t" + (i + 1)));
    }
    return model
        .node("Cast", List.of("t" + times), List.of("half"), "to", 10L)
        .node("Tanh", List.of("half"), List.of("tanh"))
        .node("Transpose", List.of("tanh"), List.of("y"))
        .output("y", ElementType.FLOAT16, 4, -1)
        .output("size", ElementType.INT64, 3);
  }

  private static Map<String, TensorType> types(int times) {
    OnnxModel model = chain(times).read();
    return assertTimeoutPreemptively(Duration.ofSeconds(300), () -> TensorTypes.of(model, "test"));
  }

  @Test
  void typesOfManyTensorsAreThoseOfFew() {
    Map<String, TensorType> few = types(2);
    Map<String, TensorType> expected = new LinkedHashMap<>(few);
    int times = 3_000;
    for (int i = 2; i < times; i++) {
      for (String name : List.of("relu", "softmax", "add")) {
        expected.put(name + i, few.get(name + "1"));
      }
      expected.put("t" + (i + 1), few.get("t1"));
    }
    assertEquals(ElementType.FLOAT16, few.get("tanh").elementType());
    assertEquals(ElementType.INT64, few.get("size").elementType());
    assertEquals(texts(expected), texts(types(times)));
  }

  private static Map<String, String> texts(Map<String, TensorType> types) {
    Map<String, String> texts = new TreeMap<>();
    types.forEach((name, type) -> texts.put(name, type.toString()));
    return texts;
  }
}
