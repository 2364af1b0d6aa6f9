package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.tare.TareException;

class MovingAverageTest {
  private static final float CONSTANT = 0.1f;

  /** Averages of one run each, at ascending places with gaps, and all their batches in order. */
  private record Runs(List<MovingAverage> parts, List<float[]> batches) {
    static Runs random(Random random, int places, int channels) {
      List<MovingAverage> parts = new ArrayList<>();
      List<float[]> batches = new ArrayList<>();
      for (int place = 0; place < places; place++) {
        if (random.nextInt(5) == 0) {
          continue;
        }
        MovingAverage part = MovingAverage.at(place, CONSTANT, channels);
        for (int b = random.nextInt(4); b > 0; b--) {
          float[] batch = Samples.normal(random, 2 * channels);
          batches.add(batch);
          part.observe(
              java.util.Arrays.copyOf(batch, channels),
              java.util.Arrays.copyOfRange(batch, channels, 2 * channels));
        }
        parts.add(part);
      }
      return new Runs(parts, batches);
    }
  }

  private static MovingAverage empty(int channels) {
    return MovingAverage.empty(CONSTANT, channels);
  }

  /** Merges in a random tree. */
  private static MovingAverage merge(List<MovingAverage> parts, Random random, int channels) {
    List<MovingAverage> left = new ArrayList<>(parts);
    Collections.shuffle(left, random);
    left.add(empty(channels));
    while (left.size() > 1) {
      MovingAverage one = left.remove(random.nextInt(left.size()));
      MovingAverage other = left.remove(random.nextInt(left.size()));
      left.add(one.merge(other));
    }
    return left.get(0);
  }

  @Property(tries = 200)
  void mergingIsTheSameInAnyOrderToTheLastBit(
      @ForAll long seed, @ForAll @IntRange(min = 1, max = 40) int places) {
    Random random = new Random(seed);
    Runs runs = Runs.random(random, places, 2);
    MovingAverage one = merge(runs.parts(), random, 2);
    MovingAverage other = merge(runs.parts(), random, 2);
    assertEquals(one, other);
    assertEquals(runs.batches().size(), one.batches());
    for (int c = 0; c < 2; c++) {
      assertEquals(one.min(c), other.min(c));
      assertEquals(one.max(c), other.max(c));
    }
  }

  /** The law of order: joined affine maps are the fold over the batches, but for rounding. */
  @Property(tries = 200)
  void mergingIsTheFoldInOrder(@ForAll long seed, @ForAll @IntRange(min = 1, max = 40) int places) {
    Random random = new Random(seed);
    Runs runs = Runs.random(random, places, 1);
    if (runs.batches().isEmpty()) {
      return;
    }
    double min = runs.batches().get(0)[0];
    double max = runs.batches().get(0)[1];
    for (float[] batch : runs.batches()) {
      min += CONSTANT * (batch[0] - min);
      max += CONSTANT * (batch[1] - max);
    }
    MovingAverage merged = merge(runs.parts(), random, 1);
    // A run's float32 steps round by 2^-24 of values up to about 5; at most three in a run.
    assertEquals(min, merged.min(0), 2e-6);
    assertEquals(max, merged.max(0), 2e-6);
  }

  @Property(tries = 100)
  void theCodecKeepsIt(@ForAll long seed) {
    Random random = new Random(seed);
    TensorStats stats =
        TensorStats.of(1, 2).with(merge(Runs.random(random, 20, 3).parts(), random, 3));
    assertEquals(stats, StatsCodec.decode(StatsCodec.encode(stats)));
  }

  @Test
  void aRunByItselfIsPyTorchsRecurrence() {
    MovingAverage average = MovingAverage.at(0, 0.01f, 1);
    average.observe(-0.6123f, 1.1975f);
    average.observe(-2.1246f, 1.5558f);
    assertEquals(-0.627422988f, average.min(0));
    assertEquals(1.20108294f, average.max(0));
  }

  @Test
  void theStateStaysSmall() {
    MovingAverage sum = empty(1);
    for (int place = 0; place < 1000; place++) {
      MovingAverage part = MovingAverage.at(place, CONSTANT, 1);
      part.observe(place, place);
      sum = sum.merge(part);
    }
    // 1000 is the sum of six powers of two.
    assertEquals(6, sum.runs().size());
  }

  @Test
  void whatIsNotInOrderIsRefused() {
    MovingAverage one = MovingAverage.at(3, CONSTANT, 1);
    one.observe(0, 1);
    MovingAverage other = MovingAverage.at(3, CONSTANT, 1);
    other.observe(0, 1);
    TareException e = assertThrows(TareException.class, () -> one.merge(other));
    assertEquals(
        "Cannot merge moving averages: both hold batches at place 3 of the order, and which come"
            + " first is not known; a moving average merges only within one run over the data",
        e.getMessage());
    TareException constants =
        assertThrows(TareException.class, () -> one.merge(MovingAverage.at(4, 0.5f, 1)));
    assertTrue(constants.getMessage().contains("one has constant 0.1"), constants.getMessage());
    assertThrows(TareException.class, () -> MovingAverage.empty(0f, 1));
    assertThrows(TareException.class, () -> MovingAverage.empty(1.5f, 1));
  }

  @Test
  void nothingHasNoAverage() {
    assertEquals(Float.POSITIVE_INFINITY, empty(1).min(0));
    assertEquals(Float.NEGATIVE_INFINITY, empty(1).max(0));
  }
}
