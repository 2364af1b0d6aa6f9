package org.tare.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;

class OnnxModelTest {
  @TempDir Path folder;

  private static TestModel matMul() {
    return TestModel.opset(17)
        .input("x", -1, 2)
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 2);
  }

  private void assertRefused(TareException.Kind kind, String part, Path file) {
    TareException e = assertThrows(TareException.class, () -> OnnxModel.read(file));
    assertEquals(kind, e.kind());
    assertTrue(e.getMessage().startsWith("Cannot read model " + file), e.getMessage());
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void missingFile() {
    assertRefused(
        TareException.Kind.MISSING_INPUT, "there is no such file", folder.resolve("no.onnx"));
  }

  @Test
  void whatIsNotOnnx() throws IOException {
    Path file = folder.resolve("text.onnx");
    Files.writeString(file, "This is no model at all, whatever its name.\n");
    assertRefused(TareException.Kind.BAD_INPUT, "not an ONNX model", file);
    Files.write(file, new byte[0]);
    assertRefused(TareException.Kind.BAD_INPUT, "the file is empty", file);
  }

  /** Wherever it is cut, the file is refused or still whole; no other exception comes out. */
  @Test
  void truncatedModel() throws IOException {
    byte[] bytes = matMul().constant("w", new long[] {2, 2}, 1, 2, 3, 4).bytes();
    Path file = folder.resolve("cut.onnx");
    for (int length = 1; length < bytes.length; length++) {
      Files.write(file, Arrays.copyOf(bytes, length));
      TareException e = assertThrows(TareException.class, () -> OnnxModel.read(file));
      assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    }
  }

  @Test
  void damagedBytesNeverGiveAnotherException() throws IOException {
    byte[] bytes = matMul().constant("w", new long[] {2, 2}, 1, 2, 3, 4).bytes();
    Path file = folder.resolve("damaged.onnx");
    Random random = new Random(1);
    for (int i = 0; i < 500; i++) {
      byte[] damaged = bytes.clone();
      damaged[random.nextInt(bytes.length)] ^= (byte) (1 + random.nextInt(255));
      Files.write(file, damaged);
      try {
        OnnxModel.read(file);
      } catch (TareException expected) {
        assertEquals(TareException.Kind.BAD_INPUT, expected.kind());
      }
    }
  }

  @Test
  void externalDataIsReadFromTheFolder() throws IOException {
    ByteBuffer data = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    data.position(8);
    data.putFloat(1).putFloat(2).putFloat(3).putFloat(4);
    Files.write(folder.resolve("weights.bin"), data.array());
    Path file = folder.resolve("model.onnx");
    matMul().external("w", new long[] {2, 2}, "weights.bin", 8, 16).write(file);
    OnnxModel model = OnnxModel.read(file);
    assertArrayEquals(new float[] {1, 2, 3, 4}, model.graph().floatConstant("w").orElseThrow());
    assertEquals(Files.size(file) + 16, model.sizeBytes());
  }

  @Test
  void externalDataThatIsMissingCutOrOutside() throws IOException {
    Path file = folder.resolve("model.onnx");
    matMul().external("w", new long[] {2, 2}, "weights.bin", 0, 16).write(file);
    TareException missing = assertThrows(TareException.class, () -> OnnxModel.read(file));
    assertTrue(missing.getMessage().contains("weights.bin"), missing.getMessage());
    Files.write(folder.resolve("weights.bin"), new byte[10]);
    TareException cut = assertThrows(TareException.class, () -> OnnxModel.read(file));
    assertTrue(cut.getMessage().contains("weights.bin"), cut.getMessage());
    for (String outside : new String[] {"../weights.bin", "/etc/hostname", "a/../../b"}) {
      matMul().external("w", new long[] {2, 2}, outside, 0, 16).write(file);
      TareException e = assertThrows(TareException.class, () -> OnnxModel.read(file));
      assertEquals(TareException.Kind.BAD_INPUT, e.kind());
      assertTrue(e.getMessage().contains("outside"), e.getMessage());
    }
  }

  @Test
  void tensorOfTheWrongSize() {
    TestModel model = matMul().constant("w", new long[] {2, 3}, 1, 2, 3, 4);
    TareException e = assertThrows(TareException.class, model::read);
    assertTrue(
        e.getMessage().endsWith("tensor \"w\" holds 16 bytes, its shape [2, 3] needs 24"),
        e.getMessage());
  }

  @Test
  void graphThatReadsWhatNothingWrites() {
    TareException e = assertThrows(TareException.class, () -> matMul().read());
    assertTrue(e.getMessage().contains("reads tensor \"w\", which nothing writes"));
  }

  @Test
  void graphWithACycle() {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 2)
            .node("Add", List.of("x", "b"), List.of("a"))
            .node("Relu", List.of("a"), List.of("b"))
            .output("b", -1, 2);
    TareException e = assertThrows(TareException.class, model::read);
    assertTrue(e.getMessage().contains("depends on its own output"), e.getMessage());
  }
}
