package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.onnx.TestModel;

/** A quantized model that ONNX Runtime loads and does not run is not given out. */
class BrokenModelCommandTest {
  @TempDir private Path folder;

  /**
   * How many products are above a bound says the shape of the result. On ones it is 1; with the
   * small weight rounded to zero it is none.
   *
   * @param shift is added before
   */
  private Path model(String name, float shift) {
    Path file = folder.resolve(name);
    TestModel.opset(17)
        .input("x", -1, 1)
        .constant("w", new long[] {1, 2}, 127, 0.4f)
        .constant("c", new long[] {2}, -127, shift)
        .constant("bound", new long[0], 0.2f)
        .longs("shape", 2, 1)
        .node("MatMul", List.of("x", "w"), List.of("h"))
        .node("Add", List.of("h", "c"), List.of("s"))
        .node("Greater", List.of("s", "bound"), List.of("above"))
        .node("NonZero", List.of("above"), List.of("places"))
        .node("Reshape", List.of("places", "shape"), List.of("one"))
        .node("Cast", List.of("one"), List.of("y"), "to", 1L)
        .output("y", 2, 1)
        .write(file);
    return file;
  }

  private Outcome quantize(Path model) {
    return Outcome.of(
        "quantize",
        "--model",
        model.toString(),
        "--output",
        folder.resolve("out").toString(),
        "--overwrite",
        "--set",
        "quantize.weight.scheme=per_tensor_symmetric",
        "--set",
        "quantize.mode=weight-only");
  }

  @Test
  void formerOutputStays() throws IOException {
    Outcome good = quantize(model("good.onnx", 1));
    assertEquals(0, good.status(), good.err());
    byte[] former = Files.readAllBytes(folder.resolve("out/model.onnx"));

    Outcome broken = quantize(model("broken.onnx", 0));
    assertEquals(65, broken.status(), broken.err());
    assertTrue(
        broken.err().startsWith("tare: Cannot give out the quantized broken.onnx: "), broken.err());
    assertTrue(broken.err().contains("it stops at Reshape(Reshape_4). "), broken.err());
    assertArrayEquals(former, Files.readAllBytes(folder.resolve("out/model.onnx")));
    assertTrue(Files.exists(folder.resolve("out/_SUCCESS")));
    try (Stream<Path> all = Files.list(folder)) {
      assertEquals(3, all.count(), "two models and the output");
    }
  }

  @Test
  void libraryGivesNoSuchModel() {
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                org.tare.Tare.on(() -> null, new Configuration())
                    .quantize(model("broken.onnx", 0).toString())
                    .set("quantize.weight.scheme", "per_tensor_symmetric")
                    .set("quantize.mode", "weight-only")
                    .run());
    assertTrue(e.getMessage().contains("it stops at Reshape(Reshape_4). "), e.getMessage());
  }
}
