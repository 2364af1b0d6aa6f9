package org.tare.stats;

import java.util.random.RandomGenerator;

/** Seeded random values with what floats have in store: zeros, subnormals, NaN, infinities. */
public final class Samples {
  private static final float[] SPECIAL = {
    0f,
    -0f,
    Float.NaN,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    Float.MIN_VALUE,
    -Float.MIN_VALUE,
    Float.MAX_VALUE,
    -Float.MAX_VALUE,
    Float.MIN_NORMAL,
    1e30f,
    1f,
    -1f,
    Float.intBitsToFloat(0xffc00001)
  };

  private Samples() {}

  /** Values of many magnitudes, about one in eight special. */
  public static float[] wild(RandomGenerator random, int length) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] =
          random.nextInt(8) == 0
              ? SPECIAL[random.nextInt(SPECIAL.length)]
              : (float) (random.nextGaussian() * Math.pow(2, random.nextInt(-20, 20)));
    }
    return values;
  }

  public static float[] normal(RandomGenerator random, int length) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
