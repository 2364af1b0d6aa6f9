package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tare.TareException;

class CalibrationStateTest {
  private static final String MODEL = "0123456789abcdef";

  private static CalibrationState state(long seed) {
    Random random = new Random(seed);
    return new CalibrationState(
        MODEL,
        3,
        new TreeMap<>(
            Map.of(
                "a/b", TensorStats.of(Samples.normal(random, 3000)),
                "tënsor", TensorStats.of(Samples.wild(random, 100)),
                "empty", TensorStats.empty())));
  }

  @Test
  void decodingUndoesEncoding() {
    CalibrationState state = state(1);
    assertEquals(state, CalibrationState.decode(state.encode(), "s.tare"));
  }

  @Test
  void mergingAddsRowsAndTensors() {
    CalibrationState both = state(1).merge(state(2));
    assertEquals(6, both.rows());
    assertEquals(both, state(2).merge(state(1)));
    assertEquals(6000, both.tensor("a/b").count());
  }

  @Test
  void statesOfDifferentModelsDoNotMerge() {
    CalibrationState other = new CalibrationState("ff", 1, new TreeMap<>());
    TareException e = assertThrows(TareException.class, () -> state(1).merge(other));
    assertEquals(
        "Cannot merge calibration states of different models: 0123456789abcdef and ff",
        e.getMessage());
  }

  @Test
  void anyChangedByteIsNoticed() {
    byte[] bytes = state(1).encode();
    Random random = new Random(5);
    for (int i = 0; i < 500; i++) {
      byte[] damaged = bytes.clone();
      damaged[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
      assertThrows(TareException.class, () -> CalibrationState.decode(damaged, "s.tare"));
      byte[] cut = Arrays.copyOf(bytes, random.nextInt(bytes.length));
      assertThrows(TareException.class, () -> CalibrationState.decode(cut, "s.tare"));
    }
  }

  @Test
  void whatIsNoStateIsNamed() {
    assertMessage("it does not begin with the letters TARE", "hello, world".getBytes());
    byte[] newer = state(1).encode();
    newer[4] = 9;
    assertMessage("it is of version 9, this Tare reads version 1", newer);
    byte[] damaged = state(1).encode();
    damaged[20] ^= 1;
    assertMessage("its checksum does not fit", damaged);
  }

  private static void assertMessage(String part, byte[] bytes) {
    TareException e =
        assertThrows(TareException.class, () -> CalibrationState.decode(bytes, "s.tare"));
    assertTrue(e.getMessage().startsWith("Cannot read calibration state s.tare: "));
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  /** Writes the golden file of the current version: once, when the version is new. */
  public static void main(String[] args) throws IOException {
    Files.write(Path.of(args[0]), state(20261124).encode());
  }

  /** Version 1 as it was first written: it stays readable, and is still what is written. */
  @Test
  void theGoldenFileStaysReadable() throws IOException {
    try (InputStream in = getClass().getResourceAsStream("/golden/state-v1.tare")) {
      byte[] golden = in.readAllBytes();
      CalibrationState state = CalibrationState.decode(golden, "golden");
      assertEquals(state(20261124), state);
      assertArrayEquals(golden, state.encode());
    }
  }

  /** A tensor of a convolutional net, 100,000 normal values after a ReLU. */
  @Test
  void aTypicalTensorTakesLessThanFourKilobytes() {
    float[] values = Samples.normal(new Random(3), 100_000);
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.max(0, values[i]);
    }
    int bytes = StatsCodec.encode(TensorStats.of(values)).length;
    assertTrue(bytes < 4096, bytes + " bytes");
  }
}
