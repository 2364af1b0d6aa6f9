package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class ExtremesTest {
  private static final Extremes ZERO = new Extremes(0f, 0f);

  /** Against what the stats of the same values say, which are counted in another way. */
  @Property(tries = 100)
  void areThoseOfTheStats(@ForAll long seed) {
    Random random = new Random(seed);
    float[] values = Samples.wild(random, random.nextInt(100_000));
    boolean isPlain = random.nextBoolean();
    for (int i = 0; isPlain && i < values.length; i++) {
      values[i] = (float) random.nextGaussian() + 3;
    }
    int from = values.length == 0 ? 0 : random.nextInt(values.length);
    FloatBuffer buffer = FloatBuffer.wrap(values, from, values.length - from);
    TensorStats stats = TensorStats.empty();
    new StatsObserver().observe(stats, values, from, values.length - from);
    assertEquals(new Extremes(stats.min(), stats.max()), Extremes.of(buffer));
    assertEquals(from, buffer.position());
  }

  @Test
  void specialValuesHaveTheirAnswers() {
    assertEquals(Extremes.NONE, Extremes.of(new float[0]));
    for (int length : new int[] {1, 100, 2048, 70_000}) {
      float[] values = new float[length];
      Arrays.fill(values, Float.NaN);
      assertEquals(Extremes.NONE, Extremes.of(values));
      Arrays.fill(values, Float.NEGATIVE_INFINITY);
      assertEquals(Extremes.NONE, Extremes.of(values));
      Arrays.fill(values, -0f);
      assertEquals(ZERO, Extremes.of(values));
      values[length / 2] = Float.POSITIVE_INFINITY;
      values[length - 1] = Float.MIN_VALUE;
      float least = length == 1 ? Float.MIN_VALUE : 0f;
      assertEquals(new Extremes(least, Float.MIN_VALUE), Extremes.of(values));
      values[0] = -Float.MAX_VALUE;
      values[length - 1] = Float.MAX_VALUE;
      least = length == 1 ? Float.MAX_VALUE : -Float.MAX_VALUE;
      assertEquals(new Extremes(least, Float.MAX_VALUE), Extremes.of(values));
    }
  }
}
