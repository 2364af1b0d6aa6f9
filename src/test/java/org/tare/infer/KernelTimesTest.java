package org.tare.infer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.infer.KernelTimes.Kernel;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;

class KernelTimesTest {
  private static String kernel(String name, long microseconds) {
    return String.format(
        "{\"cat\" : \"Node\",\"dur\" :%d,\"ts\" :7,\"name\" :\"%s_kernel_time\",\"args\" : {}},",
        microseconds, name);
  }

  private static final String END = "{\"cat\" : \"Session\",\"dur\" :9,\"name\" :\"model_run\"},";

  @Test
  void aKernelTakesTheMedianOfItsRunsAfterTheFirst() {
    List<String> lines = new ArrayList<>(List.of("[", "{\"dur\" :5,\"name\" :\"session_init\"},"));
    for (long[] run : new long[][] {{900, 1}, {800, 1}, {10, 4}, {30, 4}, {1000, 6}, {20, 7}}) {
      lines.addAll(List.of(kernel("a", run[0]), kernel("b", run[1]), kernel("b", 1), END));
    }
    lines.add("]");
    List<Kernel> found = KernelTimes.medians(lines);
    assertEquals(List.of("a", "b"), found.stream().map(Kernel::name).toList());
    assertEquals(25e-6, found.get(0).seconds(), 1e-12, "of 10, 20, 30 and 1000");
    assertEquals(6e-6, found.get(1).seconds(), 1e-12, "both of the name, in each run");
  }

  @Test
  void noRunHasNoKernels() {
    assertEquals(List.of(), KernelTimes.medians(List.of()));
    assertEquals(List.of(), KernelTimes.medians(List.of(kernel("a", 1), END, kernel("a", 2), END)));
  }

  @Test
  void aProductOfTwiceTheSizeTakesLonger() {
    int size = 96;
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, size)
            .constant("w", new long[] {size, size}, new float[size * size])
            .constant("v", new long[] {size, 8 * size}, new float[8 * size * size])
            .node("MatMul", List.of("x", "w"), List.of("small"))
            .node("Tanh", List.of("small"), List.of("t"))
            .node("MatMul", List.of("t", "v"), List.of("y"))
            .output("y", -1, 8 * size)
            .read();
    ByteBuffer zeros = ByteBuffer.allocateDirect(32 * size * 4).order(ByteOrder.nativeOrder());
    List<Kernel> found =
        KernelTimes.of(
            model,
            "test",
            Map.of(
                "x",
                new ModelSession.InputTensor(ElementType.FLOAT32, new long[] {32, size}, zeros)));
    assertEquals(3, found.size(), found.toString());
    assertTrue(found.get(2).seconds() > 2 * found.get(0).seconds(), found.toString());
  }

  @Test
  void aModelThatDoesNotRunIsNamed() {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 2)
            .node("Tanh", List.of("x"), List.of("y"))
            .output("y", -1, 2)
            .read();
    TareException e =
        assertThrows(TareException.class, () -> KernelTimes.of(model, "mine.onnx", Map.of()));
    assertTrue(e.getMessage().startsWith("Cannot run model mine.onnx: "), e.getMessage());
  }
}
