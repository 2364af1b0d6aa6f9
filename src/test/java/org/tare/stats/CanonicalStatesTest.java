package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.TareException;
import org.tare.stats.StateSamples.Part;
import org.tare.stats.bytes.ByteWriter;
import org.tare.stats.bytes.Checksum;

/** What is read is what is written, to the last bit; all else is refused with its reason. */
class CanonicalStatesTest {
  private static void assertRefused(byte[] bytes, String what) {
    TareException e =
        assertThrows(TareException.class, () -> CalibrationState.decode(bytes, "s.tare"), what);
    assertEquals(TareException.Kind.BAD_INPUT, e.kind(), what);
    assertTrue(e.getMessage().startsWith("Cannot read calibration state s.tare: "), what);
  }

  private static void eachTruncationAndBitFlipIsRefused(byte[] bytes) {
    assertEquals(0, bytes.length >>> 12, "small enough to try all");
    for (int length = 0; length < bytes.length; length++) {
      assertRefused(Arrays.copyOf(bytes, length), "cut to " + length);
    }
    for (int bit = 0; bit < 8 * bytes.length; bit++) {
      byte[] damaged = bytes.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      assertRefused(damaged, "bit " + bit);
    }
    assertRefused(Arrays.copyOf(bytes, bytes.length + 1), "a byte more");
  }

  @ParameterizedTest
  @EnumSource(Part.class)
  void eachTruncationAndBitFlipIsRefused(Part part) {
    eachTruncationAndBitFlipIsRefused(StateSamples.state(part, 7, 3).encodeFile());
    eachTruncationAndBitFlipIsRefused(StateSamples.withLineage(part, 7, 3).encodeFile());
  }

  /** Changes each bit and closes the bytes with the checksum that fits. */
  private static void eachForgedBit(byte[] bytes, Consumer<byte[]> check) {
    int end = bytes.length - Checksum.BYTES;
    for (int i = 0; i < end; i++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] forged = bytes.clone();
        forged[i] ^= (byte) (1 << bit);
        int sum = Checksum.of(forged, end);
        for (int k = 0; k < Checksum.BYTES; k++) {
          forged[end + k] = (byte) (sum >>> 8 * k);
        }
        check.accept(forged);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Part.class)
  void forgedStatsAreRefusedOrWrittenAsTheyWereRead(Part part) {
    int[] accepted = new int[1];
    eachForgedBit(
        StatsCodec.encode(StateSamples.stats(part, 7, 3)),
        forged -> {
          TensorStats target = TensorStats.of(1, 2);
          try {
            TensorStats stats = StatsCodec.decode(forged);
            if (forged[0] == 2) {
              assertArrayEquals(forged, StatsCodec.encode(stats));
            }
            assertEquals(stats, TensorStats.empty().merge(stats));
            accepted[0]++;
          } catch (TareException refused) {
            assertTrue(refused.getMessage().startsWith("Cannot read calibration state of a"));
          }
          try {
            StatsCodec.mergeInto(target, forged);
          } catch (TareException refused) {
            assertEquals(TensorStats.of(1, 2), target, "a refusal changes nothing");
          }
          assertTrue(target.count() >= 2);
        });
    assertTrue(accepted[0] > 0, "some numbers can be forged");
  }

  @Test
  void forgedLineagesAreRefusedOrWrittenAsTheyWereRead() {
    eachForgedBit(
        StateSamples.withLineage(Part.PLAIN, 7, 3).encodeFile(),
        forged -> {
          try {
            assertArrayEquals(forged, CalibrationState.decode(forged, "s.tare").encodeFile());
          } catch (TareException refused) {
            assertTrue(refused.getMessage().startsWith("Cannot read calibration state s.tare: "));
          }
        });
  }

  @ParameterizedTest
  @EnumSource(Part.class)
  void decodingUndoesEncodingAndEncodingUndoesDecoding(Part part) {
    for (int seed = 0; seed < 200; seed++) {
      CalibrationState state = StateSamples.withLineage(part, seed, seed % 5);
      if (seed % 3 == 0) {
        state = state.merge(StateSamples.withLineage(part, seed + 1000, 5 + seed % 7));
      }
      byte[] file = state.encodeFile();
      CalibrationState read = CalibrationState.decode(file, "s.tare");
      assertEquals(state, read, "seed " + seed);
      assertEquals(state.lineage(), read.lineage(), "seed " + seed);
      assertArrayEquals(file, read.encodeFile(), "seed " + seed);
      assertArrayEquals(state.encode(), CalibrationState.decode(state.encode(), "s").encode());
    }
  }

  /** A channel count that is not backed by runs was once taken for a length. */
  @Test
  void anAverageOfNoBatchesIsRead() {
    TensorStats stats = TensorStats.empty().with(MovingAverage.empty(0.5f, 1000));
    assertEquals(stats, StatsCodec.decode(StatsCodec.encode(stats)));
  }

  private static byte[] crafted(String name) throws IOException {
    try (InputStream in = CanonicalStatesTest.class.getResourceAsStream("/cases/states/" + name)) {
      return (name.endsWith(".gz") ? new GZIPInputStream(in) : in).readAllBytes();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "count-overflow.tare | its counts are out of range",
        "range-mismatch.tare | range [-1.0, 1.0] does not fit the counts",
        "channels-1m.tare.gz | 1000000 channels do not fit into the 1000001 bytes left",
      })
  void craftedStatesAreRefused(String name, String reason) throws IOException {
    byte[] bytes = crafted(name);
    TareException e =
        assertThrows(TareException.class, () -> CalibrationState.decode(bytes, "s.tare"));
    assertEquals("Cannot read calibration state s.tare: " + reason, e.getMessage());
  }

  @Test
  void rowsThatPassTheLargestCountAreRefused() throws IOException {
    CalibrationState state = CalibrationState.decode(crafted("rows-max.tare"), "s.tare");
    TareException e = assertThrows(TareException.class, () -> state.merge(state));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    assertEquals(
        "Cannot merge calibration states: 9223372036854775807 and 9223372036854775807 rows are above"
            + " 2^63 - 1, which no count passes",
        e.getMessage());
  }

  /** 40,000 batches, which took a time that grew with their square. */
  @Test
  void aRecordingOfManyBatchesIsRead() throws IOException {
    byte[] bytes = crafted("recording-40k.tare.gz");
    CalibrationState state = CalibrationState.decode(bytes, "s.tare");
    assertEquals(40_000, state.tensor("t").recording().orElseThrow().batches().size());
    assertArrayEquals(bytes, state.encode());
  }

  /** The bytes of stats whose body is made by hand. */
  private static void assertBodyRefused(String reason, Consumer<ByteWriter> body) {
    ByteWriter out = new ByteWriter();
    out.u8(2);
    out.u8(0);
    body.accept(out);
    byte[] block = out.toByteArray();
    out.i32(Checksum.of(block, block.length));
    for (boolean merges : new boolean[] {false, true}) {
      TensorStats target = TensorStats.of(1);
      TareException e =
          assertThrows(
              TareException.class,
              () -> {
                if (merges) {
                  StatsCodec.mergeInto(target, out.toByteArray());
                } else {
                  StatsCodec.decode(out.toByteArray());
                }
              });
      assertEquals("Cannot read calibration state of a tensor: " + reason, e.getMessage());
      assertEquals(TensorStats.of(1), target);
    }
  }

  private static void counts(ByteWriter out, long zeros, float min, float max, int pages) {
    out.varint(zeros);
    for (int i = 0; i < 3; i++) {
      out.varint(0);
    }
    out.f32(min);
    out.f32(max);
    out.varint(pages);
  }

  @Test
  void numbersAreInTheirShortestFormAndInRange() {
    assertBodyRefused(
        "a number is not in its shortest form",
        out -> {
          out.u8(0x80);
          out.u8(0);
        });
    assertBodyRefused(
        "a number is out of range, it is above 2^63 - 1",
        out -> {
          // 2^64, of which the last bit once fell off.
          for (int i = 0; i < 9; i++) {
            out.u8(0x80);
          }
          out.u8(2);
          out.bytes(new byte[20]);
        });
  }

  @Test
  void pagesHoldValuesInOrder() {
    assertBodyRefused(
        "a page holds no values",
        out -> {
          counts(out, 1, 0, 0, 1);
          out.varint(128);
          out.bytes(new byte[2]);
        });
    assertBodyRefused(
        "bucket 5 follows bucket 5 of its page",
        out -> {
          counts(out, 0, 1.04f, 1.04f, 1);
          out.varint(128);
          out.u8(0);
          out.varint(2);
          out.bytes(new byte[] {5, 1, 5, 1});
        });
  }

  @Test
  void theRangeLiesInTheBuckets() {
    String reason = "range [%s, %s] does not fit the counts";
    float[][] wrong = {{-0f, 0f}, {0f, -0f}, {0f, 1f}, {-1f, 0f}, {Float.NaN, 0f}, {1, 1}};
    for (float[] range : wrong) {
      assertBodyRefused(
          String.format(reason, range[0], range[1]), out -> counts(out, 2, range[0], range[1], 0));
    }
    // The bucket [1, 1 + 2^-7), of two values and of one.
    float[][] ofTwo = {{1.0079f, 1f}, {1f, 1.0078125f}, {0.999f, 1f}, {1f, 2f}, {-1f, 1f}};
    for (float[] range : ofTwo) {
      assertBodyRefused(String.format(reason, range[0], range[1]), out -> oneBucket(out, range, 2));
    }
    float[] apart = {1f, 1.001f};
    assertBodyRefused(String.format(reason, 1f, 1.001f), out -> oneBucket(out, apart, 1));
  }

  private static void oneBucket(ByteWriter out, float[] range, int values) {
    counts(out, 0, range[0], range[1], 1);
    out.varint(128);
    out.u8(0);
    out.varint(1);
    out.u8(0);
    out.varint(values);
  }

  /** The bytes of stats of nothing with a part that is made by hand. */
  private static void assertPartRefused(int flag, String reason, Consumer<ByteWriter> part) {
    ByteWriter out = new ByteWriter();
    out.u8(2);
    out.u8(flag);
    counts(out, 0, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0);
    part.accept(out);
    byte[] block = out.toByteArray();
    out.i32(Checksum.of(block, block.length));
    TareException e = assertThrows(TareException.class, () -> StatsCodec.decode(out.toByteArray()));
    assertEquals("Cannot read calibration state of a tensor: " + reason, e.getMessage());
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
  }

  /**
   * A number of channels, batches or values that the file cannot hold is refused before memory is
   * taken for it: a heap of a hundred gigabytes would not be enough for the largest of these.
   */
  @ParameterizedTest
  @ValueSource(ints = {3_000_000, Integer.MAX_VALUE})
  void whatDoesNotFitIntoTheFileIsRefused(int many) {
    assertPartRefused(
        1,
        many + " channels do not fit into the 1 bytes left",
        out -> {
          out.varint(many);
          out.u8(0);
        });
    assertPartRefused(
        2,
        "1 runs of a moving average do not fit into the 40 bytes left",
        out -> {
          out.f32(0.5f);
          out.varint(many / 3);
          out.varint(1);
          out.bytes(new byte[40]);
        });
    assertPartRefused(
        4,
        many + " batches of a recording do not fit into the 0 bytes left",
        out -> {
          out.varint(many);
          out.varint(many);
          out.varint(many);
        });
    assertPartRefused(
        4,
        many + " values of a batch do not fit into the 0 bytes left",
        out -> {
          out.varint(many);
          out.varint(many);
          out.varint(1);
          out.varint(0);
          out.varint(many);
        });
    assertPartRefused(
        8,
        many + " factors of SmoothQuant do not fit into the 0 bytes left",
        out -> {
          out.f32(0.5f);
          out.varint(many);
        });
  }

  @Test
  void factorsOfSmoothQuantAreInRange() {
    for (float alpha : new float[] {-0f, -0.5f, 1.0001f, Float.NaN, Float.POSITIVE_INFINITY}) {
      assertPartRefused(
          8,
          "alpha " + alpha + " of SmoothQuant cannot be there",
          out -> {
            out.f32(alpha);
            out.varint(1);
            out.u8(0);
          });
    }
    for (int exponent : new int[] {25, -25, -128, 127}) {
      assertPartRefused(
          8,
          "a factor of 2^" + exponent + " of SmoothQuant cannot be there",
          out -> {
            out.f32(0.5f);
            out.varint(2);
            out.u8(1);
            out.u8(exponent & 0xff);
          });
    }
    assertPartRefused(
        8,
        "it has factors of SmoothQuant for no channels",
        out -> {
          out.f32(0.5f);
          out.varint(0);
        });
    assertPartRefused(
        8,
        "3000000 factors of SmoothQuant do not fit into the 1 bytes left",
        out -> {
          out.f32(0.5f);
          out.varint(3_000_000);
          out.u8(0);
        });
  }

  @Test
  void namesAreInOrder() {
    for (String[] names : new String[][] {{"b", "a"}, {"a", "a"}}) {
      ByteWriter out = new ByteWriter();
      out.bytes("TARE".getBytes(StandardCharsets.US_ASCII));
      out.u8(2);
      out.u8(0);
      out.string("");
      out.string("");
      out.varint(1);
      out.varint(2);
      for (String name : names) {
        out.string(name);
        out.block(StatsCodec.encode(TensorStats.of(1)));
      }
      byte[] body = out.toByteArray();
      out.i32(Checksum.of(body, body.length));
      TareException e =
          assertThrows(TareException.class, () -> CalibrationState.decode(out.toByteArray(), "s"));
      assertTrue(e.getMessage().contains("stands twice or not in order, after " + names[0]));
    }
  }
}
