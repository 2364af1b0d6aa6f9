package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Against whole numbers of any size. */
class ExactSumsTest {
  /** What a whole number counts, of 2^-160. */
  private static double nearest(BigInteger exact) {
    return Math.scalb(exact.doubleValue(), -160);
  }

  private static void check(BigInteger expected, ExactSums sums, int channel) {
    assertEquals(expected, sums.exact(channel));
    assertArrayEquals(expected.toByteArray(), sums.digits(channel));
    assertEquals(nearest(expected), sums.value(channel));
    ExactSums read = new ExactSums(2);
    read.set(1, expected.toByteArray());
    assertEquals(expected, read.exact(1));
    assertEquals(nearest(expected), read.value(1));
  }

  /** A float of any magnitude, as often one that is the negative of the one before. */
  private static float any(Random random, float before, int most) {
    if (random.nextInt(4) == 0) {
      return -before;
    }
    int exponent = random.nextInt(most);
    int sign = random.nextInt() & 0x80000000;
    return Float.intBitsToFloat(sign | exponent << 23 | random.nextInt(1 << 23));
  }

  @Test
  void sumsOfFloatsOfAllMagnitudesAreExact() {
    for (int seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      int most = 1 + random.nextInt(255);
      ExactSums sums = new ExactSums(3);
      BigInteger expected = BigInteger.ZERO;
      float value = 0;
      for (int i = 0; i < 50; i++) {
        value = any(random, value, most);
        sums.add(1, value);
        expected = expected.add(ExactSums.exact(value));
        check(expected, sums, 1);
      }
      check(BigInteger.ZERO, sums, 0);
      check(BigInteger.ZERO, sums, 2);
      ExactSums more = new ExactSums(3);
      more.add(1, -value);
      sums.addTimes(more, 1);
      sums.addTimes(more, 1_000_003);
      check(
          expected.subtract(ExactSums.exact(value).multiply(BigInteger.valueOf(1_000_004))),
          sums,
          1);
    }
  }

  /** Ones and zeros around the place where float64 ends, with and without bits far below. */
  @Test
  void theNearestFloat64IsTheEvenOneOfTwo() {
    Random random = new Random(1);
    for (int top = 1; top < 370; top++) {
      BigInteger highest = BigInteger.ONE.shiftLeft(top);
      for (int below = 50; below < 70; below++) {
        BigInteger exact = highest;
        if (top > below) {
          exact = exact.setBit(top - below);
        }
        if (top > 52 && random.nextBoolean()) {
          exact = exact.setBit(top - 52);
        }
        if (random.nextBoolean()) {
          exact = exact.setBit(random.nextInt(top));
        }
        for (BigInteger signed : new BigInteger[] {exact, exact.negate()}) {
          ExactSums sums = new ExactSums(1);
          sums.set(0, signed.toByteArray());
          check(signed, sums, 0);
        }
      }
    }
  }
}
