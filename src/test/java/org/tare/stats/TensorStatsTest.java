package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.stats.bytes.ByteWriter;

class TensorStatsTest {
  /** Counts one value after the other, as the definitions say. */
  private static TensorStats oneByOne(float[] values) {
    TensorStats stats = TensorStats.empty();
    for (float value : values) {
      if (Float.isNaN(value)) {
        stats.nans++;
      } else if (Float.isInfinite(value)) {
        if (value > 0) {
          stats.positiveInfinities++;
        } else {
          stats.negativeInfinities++;
        }
      } else {
        stats.min = Math.min(stats.min, value + 0f);
        stats.max = Math.max(stats.max, value + 0f);
        if (value == 0) {
          stats.zeros++;
        } else {
          int bucket = Float.floatToRawIntBits(value) >>> FloatHistogram.SHIFT;
          stats.histogram()
              .pageForUpdate(bucket / FloatHistogram.PAGE_SIZE)[
              bucket % FloatHistogram.PAGE_SIZE]++;
        }
      }
    }
    return stats;
  }

  @Property(tries = 200)
  void observingCountsWhatTheDefinitionSays(
      @ForAll long seed, @ForAll @IntRange(max = 10000) int length) {
    float[] values = Samples.wild(new Random(seed), length);
    TensorStats expected = oneByOne(values);
    assertEquals(expected, TensorStats.of(values));
    assertEquals(length, expected.count());
    TensorStats bits = TensorStats.empty();
    int[] raw = new int[length];
    for (int i = 0; i < length; i++) {
      raw[i] = Float.floatToRawIntBits(values[i]);
    }
    new StatsObserver().observeBits(bits, List.of(IntBuffer.wrap(raw)));
    assertEquals(expected, bits);
  }

  /** Both scans, on values of which many are tiny, out of range or special, in all block sizes. */
  @Property(tries = 100)
  void bothScansCountTheSame(@ForAll long seed) {
    Random random = new Random(seed);
    float[] values = Samples.wild(random, 4096 + random.nextInt(20000));
    float shift = random.nextInt(3) == 0 ? 100 : 0;
    for (int i = 0; i < values.length; i++) {
      if (random.nextInt(50) == 0) {
        // Magnitudes that share the bucket of zero, of both signs.
        values[i] =
            Float.intBitsToFloat(random.nextInt(1 << 17) | (random.nextBoolean() ? 1 << 31 : 0));
      } else if (random.nextInt(3) > 0) {
        values[i] = (float) random.nextGaussian() + shift;
      }
    }
    TensorStats expected = oneByOne(values);
    assertTrue(
        BlockScan.fastest().getClass().getName().contains("Vector"), "the tests' JVM has it");
    for (BlockScan scan : new BlockScan[] {BlockScan.fastest(), new LoopBlockScan()}) {
      StatsObserver observer = new StatsObserver(scan);
      TensorStats stats = TensorStats.empty();
      int half = random.nextInt(values.length);
      observer.observe(stats, values, 0, half);
      observer.observe(stats, values, half, values.length - half);
      assertEquals(expected, stats, scan.getClass().getSimpleName());
    }
  }

  /**
   * Softmax and square roots give such: few values are beyond what was seen, and of the other sign.
   */
  @Property(tries = 100)
  void scansOfOneSignCountTheSame(@ForAll long seed) {
    Random random = new Random(seed);
    float sign = random.nextBoolean() ? 1 : -1;
    float[] odd = {0f, -0f, -3f, 1e-3f, 1e6f, 1e-44f, -1e-44f, Float.NaN, Float.MIN_NORMAL};
    float[] values = new float[4096 * (2 + random.nextInt(4)) + random.nextInt(100)];
    for (int i = 0; i < values.length; i++) {
      boolean isOdd = i >= 4096 && random.nextInt(3000) == 0;
      values[i] = sign * (isOdd ? odd[random.nextInt(odd.length)] : 1 + random.nextFloat());
    }
    TensorStats expected = oneByOne(values);
    for (BlockScan scan : new BlockScan[] {BlockScan.fastest(), new LoopBlockScan()}) {
      TensorStats stats = TensorStats.empty();
      StatsObserver observer = new StatsObserver(scan);
      observer.observe(stats, values, 0, 4096);
      observer.observe(stats, values, 4096, values.length - 4096);
      assertEquals(expected, stats, scan.getClass().getSimpleName());
    }
  }

  /** Rows of sequences without their filling: many parts of one tensor. */
  @Property(tries = 100)
  void partsOfBitsAreOneTensor(@ForAll long seed) {
    Random random = new Random(seed);
    float[] values = Samples.wild(random, random.nextInt(12000));
    int[] raw = new int[values.length];
    for (int i = 0; i < raw.length; i++) {
      raw[i] = Float.floatToRawIntBits(values[i]);
    }
    List<IntBuffer> parts = new ArrayList<>();
    int from = 0;
    while (from < raw.length) {
      int length = Math.min(raw.length - from, random.nextInt(2000));
      parts.add(IntBuffer.wrap(raw, from, length));
      from += length;
    }
    TensorStats stats = TensorStats.empty();
    new StatsObserver().observeBits(stats, parts);
    assertEquals(TensorStats.of(values), stats);
  }

  @Property(tries = 200)
  void mergeIsAssociativeAndCommutativeWithAnIdentity(@ForAll long seed) {
    Random random = new Random(seed);
    float[] a = Samples.wild(random, random.nextInt(500));
    float[] b = Samples.wild(random, random.nextInt(500));
    float[] c = Samples.wild(random, random.nextInt(500));
    TensorStats left = TensorStats.of(a).merge(TensorStats.of(b)).merge(TensorStats.of(c));
    TensorStats right = TensorStats.of(a).merge(TensorStats.of(b).merge(TensorStats.of(c)));
    assertEquals(left, right);
    assertEquals(
        TensorStats.of(a).merge(TensorStats.of(b)), TensorStats.of(b).merge(TensorStats.of(a)));
    assertEquals(TensorStats.of(a), TensorStats.of(a).merge(TensorStats.empty()));
    assertEquals(TensorStats.of(a), TensorStats.empty().merge(TensorStats.of(a)));
  }

  @Property(tries = 200)
  void observingPartsIsObservingTheWhole(@ForAll long seed) {
    Random random = new Random(seed);
    float[] values = Samples.wild(random, 1 + random.nextInt(20000));
    StatsObserver observer = new StatsObserver();
    TensorStats parts = TensorStats.empty();
    int from = 0;
    while (from < values.length) {
      int length = Math.min(values.length - from, 1 + random.nextInt(6000));
      TensorStats part = TensorStats.empty();
      observer.observe(part, values, from, length);
      parts.merge(part);
      from += length;
    }
    assertEquals(TensorStats.of(values), parts);
    assertArrayEquals(StatsCodec.encode(TensorStats.of(values)), StatsCodec.encode(parts));
  }

  @Property(tries = 100)
  void mergingTimesIsMergingThatOften(@ForAll long seed, @ForAll @IntRange(max = 5) int times) {
    float[] values = Samples.wild(new Random(seed), 300);
    TensorStats often = TensorStats.empty();
    for (int i = 0; i < times; i++) {
      often.merge(TensorStats.of(values));
    }
    assertEquals(often, TensorStats.empty().mergeTimes(TensorStats.of(values), times));
  }

  @Property(tries = 300)
  void decodingUndoesEncoding(@ForAll long seed) {
    Random random = new Random(seed);
    TensorStats stats =
        TensorStats.of(
            random.nextBoolean()
                ? Samples.wild(random, random.nextInt(20000))
                : Samples.normal(random, random.nextInt(20000)));
    assertEquals(stats, StatsCodec.decode(StatsCodec.encode(stats)));
  }

  @Test
  void hugeCountsSurviveTheCodec() {
    TensorStats stats = TensorStats.empty().mergeTimes(TensorStats.of(1, 2, 3, 0), 1L << 60);
    assertEquals(stats, StatsCodec.decode(StatsCodec.encode(stats)));
    assertEquals(1L << 62, stats.count());
    TareException e =
        assertThrows(
            TareException.class, () -> stats.mergeTimes(TensorStats.of(0), Long.MAX_VALUE));
    assertEquals(
        "Cannot merge stats: 4611686018427387904 values and 9223372036854775807 times 1 more are above"
            + " 2^63 - 1, which no count passes",
        e.getMessage());
    assertEquals(1L << 62, stats.count(), "nothing was added");
  }

  @Property(tries = 200)
  void damageIsReportedAndNeverAnotherFailure(@ForAll long seed) {
    Random random = new Random(seed);
    byte[] bytes = StatsCodec.encode(TensorStats.of(Samples.wild(random, 1000)));
    byte[] cut = Arrays.copyOf(bytes, random.nextInt(bytes.length));
    assertThrows(TareException.class, () -> StatsCodec.decode(cut));
    bytes[random.nextInt(bytes.length)] ^= (byte) (1 + random.nextInt(255));
    TareException refused = assertThrows(TareException.class, () -> StatsCodec.decode(bytes));
    assertTrue(refused.getMessage().startsWith("Cannot read calibration state"));
  }

  @Test
  void nothingHasNoRange() {
    TensorStats stats = TensorStats.of();
    assertEquals(0, stats.count());
    assertEquals(Float.POSITIVE_INFINITY, stats.min());
    assertEquals(Float.NEGATIVE_INFINITY, stats.max());
    TensorStats nans = TensorStats.of(Float.NaN, Float.NEGATIVE_INFINITY);
    assertEquals(0, nans.finiteCount());
    assertEquals(2, nans.count());
    assertEquals(Float.POSITIVE_INFINITY, nans.min());
  }

  @Test
  void negativeZeroIsZero() {
    TensorStats stats = TensorStats.of(-0f, -0f);
    assertEquals(2, stats.zeros());
    assertEquals(0, Float.floatToRawIntBits(stats.min()));
    assertEquals(0, Float.floatToRawIntBits(stats.max()));
  }

  @Test
  void aViewOfABufferIsObservedWithinItsLimits() {
    FloatBuffer buffer = FloatBuffer.wrap(new float[] {9, 1, 2, 9});
    buffer.position(1).limit(3);
    TensorStats stats = TensorStats.empty();
    new StatsObserver().observe(stats, buffer);
    assertEquals(TensorStats.of(1, 2), stats);
    assertEquals(3, buffer.position());
  }

  /** A tensor that is one for a whole batch counts for each row; its average stays. */
  @Test
  void countsAreAddedToStatsWithAnAverage() {
    TensorStats stats = TensorStats.empty().with(MovingAverage.at(0, 0.5f, 1));
    stats.average().orElseThrow().observe(1, 2);
    stats.mergeTimes(TensorStats.of(1, 2), 3);
    assertEquals(6, stats.count());
    assertEquals(1, stats.average().orElseThrow().batches());
  }

  /** Bytes without a checksum whose counts overflow, or whose page is far away. */
  @Test
  void countsThatOverflowAreDamage() {
    ByteWriter twice = new ByteWriter();
    twice.u8(1);
    for (int i = 0; i < 4; i++) {
      twice.varint(0);
    }
    twice.f32(1);
    twice.f32(2);
    twice.varint(1);
    twice.varint(128);
    twice.u8(0);
    twice.varint(2);
    for (int i = 0; i < 2; i++) {
      twice.u8(5 + i);
      twice.varint(Long.MAX_VALUE);
    }
    TareException e =
        assertThrows(TareException.class, () -> StatsCodec.decode(twice.toByteArray()));
    assertTrue(e.getMessage().endsWith("its counts are out of range"), e.getMessage());
    ByteWriter far = new ByteWriter();
    far.u8(1);
    for (int i = 0; i < 4; i++) {
      far.varint(0);
    }
    far.f32(1);
    far.f32(2);
    far.varint(1);
    far.varint(Long.MAX_VALUE);
    assertThrows(TareException.class, () -> StatsCodec.decode(far.toByteArray()));
  }

  @Test
  void statsDoNotMergeWithThemselves() {
    TensorStats stats = TensorStats.of(1);
    assertThrows(IllegalArgumentException.class, () -> stats.merge(stats));
  }
}
