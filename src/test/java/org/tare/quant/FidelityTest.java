package org.tare.quant;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Sums of a comparison are the same for any order and grouping. */
class FidelityTest {
  @Test
  void sumsAreExact() {
    Random random = new Random(3);
    double least = (double) Float.MIN_VALUE * Float.MIN_VALUE;
    double greatest = (double) Float.MAX_VALUE * Float.MAX_VALUE;
    List<Double> values = new ArrayList<>(List.of(least, -least, greatest, greatest, 0.0, -0.0));
    for (int i = 0; i < 2000; i++) {
      double a = random.nextGaussian() * Math.scalb(1f, random.nextInt(200) - 100);
      double b = random.nextGaussian() * Math.scalb(1f, random.nextInt(200) - 100);
      values.add((double) (float) a * (float) b);
    }
    BigDecimal expected = BigDecimal.ZERO;
    ExactSum one = new ExactSum();
    ExactSum two = new ExactSum();
    for (double value : values) {
      expected = expected.add(new BigDecimal(value));
      (random.nextBoolean() ? one : two).add(value);
    }
    one.add(two);
    assertEquals(expected.doubleValue(), one.value());
    for (double value : values) {
      one.add(-value);
    }
    assertEquals(0, one.value());
  }

  @Test
  void neitherOrderNorGroupingCounts() {
    Random random = new Random(4);
    float[] x = new float[900];
    float[] y = new float[900];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) (random.nextGaussian() * Math.exp(10 * random.nextGaussian()));
      y[i] = x[i] + (float) random.nextGaussian();
    }
    x[7] = Float.NaN;
    y[8] = Float.POSITIVE_INFINITY;
    Fidelity expected = new Fidelity();
    List<Integer> rows = new ArrayList<>();
    for (int row = 0; row < 90; row++) {
      rows.add(row);
      expected.add(x, y, 10 * row, 10);
    }
    Collections.shuffle(rows, random);
    Fidelity merged = new Fidelity();
    for (List<Integer> part : List.of(rows.subList(0, 13), rows.subList(13, 90))) {
      Fidelity own = new Fidelity();
      part.forEach(row -> own.add(x, y, 10 * row, 10));
      merged.merge(own);
    }
    assertEquals(expected.sqnr(), merged.sqnr());
    assertEquals(expected.mse(), merged.mse());
    assertEquals(expected.cosine(), merged.cosine());
    assertEquals(expected.count(), merged.count());
    assertEquals(1, merged.lost());
    assertEquals(2, merged.nonFinite());
  }
}
