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
  void partsSurviveTheFile() {
    CalibrationState state = withParts(7);
    assertEquals(state, CalibrationState.decode(state.encode(), "s.tare"));
    assertEquals("country=DE", CalibrationState.decode(state.encode(), "s.tare").slice());
  }

  @Test
  void mergedSlicesNameBoth() {
    CalibrationState a = state(1).ofSlice("country=FR");
    CalibrationState b = state(2).ofSlice("country=DE");
    assertEquals("country=DE + country=FR", a.merge(b).slice());
    assertEquals(a.merge(b), b.merge(a));
    assertEquals("", a.merge(state(3)).slice());
  }

  @Test
  void whatDoesNotMergeNamesTheTensor() {
    TareException e = assertThrows(TareException.class, () -> withParts(1).merge(withParts(2)));
    assertTrue(
        e.getMessage().startsWith("Tensor \"parts\": Cannot merge moving averages: both hold"),
        e.getMessage());
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
    assertMessage("it is of version 9, this Tare reads versions 1, 2 and 3", newer);
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
    Files.write(Path.of(args[0]), withParts(20261124).encode());
  }

  private static byte[] golden(int version) throws IOException {
    try (InputStream in =
        CalibrationStateTest.class.getResourceAsStream("/golden/state-v" + version + ".tare")) {
      return in.readAllBytes();
    }
  }

  /** Version 1 as it was first written stays readable. */
  @Test
  void theFirstGoldenFileStaysReadable() throws IOException {
    assertEquals(state(20261124), CalibrationState.decode(golden(1), "golden"));
  }

  /** Version 2 stays readable, with all its parts, and is what is written. */
  @Test
  void theSecondGoldenFileStaysReadableAndIsWhatIsWritten() throws IOException {
    byte[] golden = golden(2);
    assertEquals(withParts(20261124), CalibrationState.decode(golden, "golden"));
    assertArrayEquals(golden, withParts(20261124).encode());
  }

  /** A state of a slice, one tensor of which has every part. */
  private static CalibrationState withParts(long seed) {
    CalibrationState plain = state(seed);
    Random random = new Random(seed);
    TensorStats all = TensorStats.empty();
    all.with(ChannelStats.withHistograms(3));
    all.with(MovingAverage.at(5, 0.25f, 1));
    all.with(Recording.of(40));
    StatsObserver observer = new StatsObserver();
    ChannelObserver channels = new ChannelObserver(observer);
    for (int batch = 0; batch < 3; batch++) {
      float[] values = Samples.normal(random, 24);
      observer.observe(all, values, 0, values.length);
      channels.observe(all.channels().orElseThrow(), values, 0, 24, 2, 4);
      all.average().orElseThrow().observe(values[0], values[1]);
      all.recording().orElseThrow().observe(batch, values);
    }
    TreeMap<String, TensorStats> tensors = new TreeMap<>(plain.tensors());
    tensors.put("parts", all);
    return new CalibrationState(MODEL, "country=DE", 3, tensors);
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
