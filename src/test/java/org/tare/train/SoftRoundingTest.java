package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights on their way to an integer. */
class SoftRoundingTest {
  private static final long[] SHAPE = {3, 40};
  private static final Grids.Grid GRID =
      new Grids.Grid(0, new float[] {0.5f, 0.125f, 2f}, new int[] {0, 3, -2}, -8, 7);

  /** Within each channel's range, no half of a step among them. */
  private static float[] weights() {
    Random random = new Random(5);
    float[] values = new float[120];
    for (int i = 0; i < values.length; i++) {
      int c = i / 40;
      double least = GRID.quantMin() - GRID.zeroPoints()[c];
      double place = least + random.nextInt(15) + 0.05 + 0.4 * random.nextDouble();
      values[i] = (float) (random.nextBoolean() ? place : place + 0.5) * GRID.scales()[c];
    }
    return values;
  }

  private static float[] nearest(float[] values) {
    return GRID.round(values, SHAPE, new boolean[values.length]);
  }

  @Test
  void beginsWithTheWeightsThemselvesAndTheirNearestIntegers() {
    float[] weights = weights();
    SoftRounding soft = new SoftRounding(GRID, weights, SHAPE);
    float[] between = soft.values();
    for (int i = 0; i < weights.length; i++) {
      assertEquals(weights[i], between[i], 1e-6 * 16 * GRID.scales()[i / 40], "weight " + i);
    }
    assertArrayEquals(nearest(weights), soft.hardValues());
  }

  @Test
  void whatLiesOutsideOfTheGridStaysAtItsEnd() {
    Grids.Grid grid = new Grids.Grid(-1, new float[] {1}, new int[] {0}, -2, 1);
    float[] weights = {-5.3f, -2.2f, 1.4f, 9.7f, -0f, Float.MIN_VALUE};
    SoftRounding soft = new SoftRounding(grid, weights, new long[] {6});
    for (int step = 1; step <= 50; step++) {
      soft.step(new float[] {1, -1, -1, 1, 1, 1}, 1, 0, 2, 0.1, step);
    }
    assertArrayEquals(new float[] {-2, -2, 1, 1, 0, 0}, soft.hardValues());
  }

  /** A loss that is linear in the weights is least where each goes against its gradient. */
  @Test
  void stepsGoAgainstTheGradient() {
    float[] weights = weights();
    SoftRounding soft = new SoftRounding(GRID, weights, SHAPE);
    float[] gradient = new float[weights.length];
    Random random = new Random(6);
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] = random.nextBoolean() ? 1 : -1;
    }
    for (int step = 1; step <= 300; step++) {
      soft.step(gradient, 1, 0, 2, 0.05, step);
    }
    float[] hard = soft.hardValues();
    for (int i = 0; i < weights.length; i++) {
      double floor = Math.floor(weights[i] / GRID.scales()[i / 40]);
      double expected = (gradient[i] > 0 ? floor : floor + 1) * GRID.scales()[i / 40];
      assertEquals(expected, hard[i], 0, "weight " + i);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {2, 5, 20})
  void theSecondTermBringsEachWeightToItsNearestInteger(double beta) {
    float[] weights = weights();
    SoftRounding soft = new SoftRounding(GRID, weights, SHAPE);
    double before = distance(soft);
    for (int step = 1; step <= 400; step++) {
      soft.step(new float[weights.length], 1, 1, beta, 0.05, step);
    }
    assertArrayEquals(nearest(weights), soft.hardValues());
    assertTrue(distance(soft) < before / 2, before + " became " + distance(soft));
  }

  private static double distance(SoftRounding soft) {
    float[] between = soft.values();
    float[] hard = soft.hardValues();
    double sum = 0;
    for (int i = 0; i < between.length; i++) {
      sum += Math.abs(between[i] - hard[i]) / GRID.scales()[i / 40];
    }
    return sum;
  }
}
