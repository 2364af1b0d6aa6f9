package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.tare.TareException;

class ChannelStatsTest {
  private static final int CHANNELS = 3;
  private static final int INNER = 4;
  private static final int ROW = 2 * CHANNELS * INNER;

  private static ChannelStats observe(boolean histograms, float[] values, int from, int rows) {
    ChannelStats stats =
        histograms ? ChannelStats.withHistograms(CHANNELS) : ChannelStats.of(CHANNELS);
    new ChannelObserver(new StatsObserver())
        .observe(stats, values, from * ROW, rows * ROW, rows, INNER);
    return stats;
  }

  @Property(tries = 100)
  void anyCutOfTheRowsGivesTheSame(@ForAll long seed) {
    Random random = new Random(seed);
    int rows = 1 + random.nextInt(12);
    float[] values = Samples.wild(random, rows * ROW);
    boolean histograms = random.nextBoolean();
    ChannelStats whole = observe(histograms, values, 0, rows);
    int cut = random.nextInt(rows + 1);
    ChannelStats first = cut == 0 ? ChannelStats.of(CHANNELS) : observe(histograms, values, 0, cut);
    if (cut == 0) {
      first = histograms ? ChannelStats.withHistograms(CHANNELS) : first;
    }
    ChannelStats second =
        cut == rows
            ? (histograms ? ChannelStats.withHistograms(CHANNELS) : ChannelStats.of(CHANNELS))
            : observe(histograms, values, cut, rows - cut);
    TensorStats one = TensorStats.of(1).with(first);
    TensorStats other = TensorStats.of(1).with(second);
    byte[] forwards = StatsCodec.encode(TensorStats.empty().merge(one).merge(other));
    byte[] backwards = StatsCodec.encode(TensorStats.empty().merge(other).merge(one));
    assertArrayEquals(forwards, backwards);
    assertArrayEquals(StatsCodec.encode(TensorStats.of(1, 1).with(whole)), forwards);
    assertEquals(
        TensorStats.of(1, 1).with(whole), StatsCodec.decode(forwards), "decoding undoes encoding");
  }

  @Property(tries = 100)
  void eachChannelIsThatOfItsValues(@ForAll long seed) {
    Random random = new Random(seed);
    int rows = 1 + random.nextInt(5);
    float[] values = Samples.wild(random, rows * ROW);
    ChannelStats stats = observe(true, values, 0, rows);
    for (int c = 0; c < CHANNELS; c++) {
      float[] own = new float[rows * ROW / CHANNELS];
      int n = 0;
      for (int i = 0; i < values.length; i++) {
        if (i / INNER % CHANNELS == c) {
          own[n++] = values[i];
        }
      }
      TensorStats expected = TensorStats.of(own);
      assertEquals(expected, stats.channel(c));
      assertEquals(expected.min(), stats.min(c));
      assertEquals(expected.max(), stats.max(c));
      assertEquals(expected.finiteCount(), stats.finiteCount(c));
      assertEquals(expected.nans(), stats.nans(c));
      assertEquals(expected.positiveInfinities(), stats.positiveInfinities(c));
    }
  }

  /** Channels that lie side by side are counted a run at a time, unless a value is not finite. */
  @Property(tries = 100)
  void channelsSideBySideAreCountedAsOneByOne(@ForAll long seed) {
    Random random = new Random(seed);
    int rows = 1 + random.nextInt(4);
    float[] values = Samples.wild(random, rows * ROW);
    for (int i = 0; i < values.length / 2; i++) {
      values[i] = random.nextInt(5) == 0 ? -0f : (float) random.nextGaussian();
    }
    ChannelStats together = ChannelStats.of(CHANNELS);
    ChannelStats oneByOne = ChannelStats.withHistograms(CHANNELS);
    ChannelObserver observer = new ChannelObserver(new StatsObserver());
    observer.observe(together, values, 0, values.length, rows, 1);
    observer.observe(oneByOne, values, 0, values.length, rows, 1);
    for (int c = 0; c < CHANNELS; c++) {
      assertEquals(bits(oneByOne.min(c)), bits(together.min(c)));
      assertEquals(bits(oneByOne.max(c)), bits(together.max(c)));
      assertEquals(oneByOne.finiteCount(c), together.finiteCount(c));
      assertEquals(oneByOne.nans(c), together.nans(c));
      assertEquals(oneByOne.positiveInfinities(c), together.positiveInfinities(c));
      assertEquals(oneByOne.sums.exact(c), together.sums.exact(c));
      assertEquals(oneByOne.magnitudes.exact(c), together.magnitudes.exact(c));
    }
  }

  private static int bits(float value) {
    return Float.floatToRawIntBits(value);
  }

  @Property(tries = 200)
  void exactSumsAreThoseOfWholeNumbers(@ForAll long seed) {
    Random random = new Random(seed);
    ExactSums sums = new ExactSums(2);
    BigInteger expected = BigInteger.ZERO;
    int like = random.nextInt();
    for (int i = random.nextInt(40); i > 0; i--) {
      // Of all sizes, or of one, whose sums float64 holds for a while.
      float value =
          random.nextInt(4) == 0
              ? Float.intBitsToFloat(random.nextInt())
              : Float.intBitsToFloat(like ^ random.nextInt(1 << 24) ^ random.nextInt() << 31);
      if (Float.isFinite(value)) {
        sums.add(1, value);
        expected = expected.add(ExactSums.exact(value));
      }
    }
    assertEquals(expected, sums.exact(1), "with carries that wait");
    assertEquals(BigInteger.ZERO, sums.exact(0));
    ExactSums read = new ExactSums(2);
    read.set(1, sums.exact(1).toByteArray());
    assertEquals(sums, read);
    assertEquals(expected, sums.exact(1), "with none that wait");
    sums.add(1, 0.5);
    ExactSums twice = new ExactSums(2);
    twice.addTimes(sums, 1);
    twice.addTimes(sums, 1);
    read.add(1, 0.5);
    read.addTimes(sums, 1);
    assertEquals(twice, read);
  }

  /** Sums of ordinary values against exact decimals; within a row float64 rounds. */
  @Property(tries = 100)
  void sumsAreExactBetweenRows(@ForAll long seed) {
    Random random = new Random(seed);
    int rows = 1 + random.nextInt(50);
    float[] values = new float[rows * 2];
    BigDecimal[] exact = {BigDecimal.ZERO, BigDecimal.ZERO};
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * Math.pow(2, random.nextInt(-140, 120)));
      exact[i % 2] = exact[i % 2].add(new BigDecimal(values[i]));
    }
    ChannelStats stats = ChannelStats.of(2);
    new ChannelObserver(new StatsObserver()).observe(stats, values, 0, values.length, rows, 1);
    for (int c = 0; c < 2; c++) {
      assertEquals(exact[c].doubleValue(), stats.sum(c), "channel " + c);
    }
  }

  @Test
  void sumsHoldFloat32sEnds() {
    float[] values = {Float.MAX_VALUE, Float.MAX_VALUE, -Float.MIN_VALUE, Float.MIN_VALUE};
    ChannelStats stats = ChannelStats.of(1);
    new ChannelObserver(new StatsObserver()).observe(stats, values, 0, 4, 4, 1);
    assertEquals(2.0 * Float.MAX_VALUE, stats.sum(0));
    assertEquals(2.0 * Float.MAX_VALUE, stats.sumOfMagnitudes(0));
    ChannelStats many = ChannelStats.of(1).mergeTimes(stats, 1_000_000);
    assertEquals(2e6 * Float.MAX_VALUE, many.sum(0), 1e30);
    ChannelStats tiny = ChannelStats.of(1);
    new ChannelObserver(new StatsObserver())
        .observe(tiny, new float[] {Float.MIN_VALUE, -2 * Float.MIN_VALUE}, 0, 2, 2, 1);
    assertEquals(-Float.MIN_VALUE, tiny.sum(0));
  }

  @Test
  void whatDoesNotFitIsRefused() {
    TareException e =
        assertThrows(TareException.class, () -> ChannelStats.of(2).merge(ChannelStats.of(3)));
    assertEquals(
        "Cannot merge channel statistics: one has 2 channels, the other 3", e.getMessage());
    assertThrows(
        TareException.class, () -> ChannelStats.of(2).merge(ChannelStats.withHistograms(2)));
    TensorStats with = TensorStats.of(1, 2).with(ChannelStats.of(2));
    TareException lacks = assertThrows(TareException.class, () -> with.merge(TensorStats.of(3)));
    assertEquals(
        "Cannot merge stats: one has channel statistics, the other has none; observe both with the"
            + " same settings",
        lacks.getMessage());
  }

  @Test
  void recordingKeepsTheFirstBatchesThatFit() {
    Recording all = Recording.of(5);
    Recording late = Recording.of(5);
    late.observe(7, 9f, 9f);
    all.observe(1, 1f, 2f);
    all.observe(3, 3f, 4f, 5f, 6f);
    Recording merged = all.merge(late);
    assertEquals(merged, late.merge(all));
    assertEquals(1, merged.batches().size());
    assertArrayEquals(new float[] {1, 2}, merged.batches().get(0));
    assertThrows(TareException.class, () -> merged.merge(all));
  }

  @Property(tries = 100)
  void recordingsMergeInAnyOrder(@ForAll long seed) {
    Random random = new Random(seed);
    Recording[] parts = new Recording[6];
    for (int i = 0; i < parts.length; i++) {
      parts[i] = Recording.of(20);
      for (int b = 0; b < random.nextInt(3); b++) {
        parts[i].observe(b * 6L + i, Samples.normal(random, random.nextInt(9)));
      }
    }
    Recording one = Recording.of(20);
    for (Recording part : parts) {
      one = one.merge(part);
    }
    java.util.Collections.shuffle(Arrays.asList(parts), random);
    Recording other = Recording.of(20);
    for (Recording part : parts) {
      other = part.merge(other);
    }
    assertEquals(one, other);
    TensorStats stats = TensorStats.of(1).with(one);
    assertEquals(stats, StatsCodec.decode(StatsCodec.encode(stats)));
  }
}
