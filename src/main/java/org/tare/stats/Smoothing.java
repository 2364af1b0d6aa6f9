package org.tare.stats;

import java.util.Arrays;

/**
 * What the values of a tensor were divided by before they were observed: SmoothQuant's factors, a
 * power of two for each channel. A state that holds them can be quantized with the factors that its
 * numbers were made with, whatever its rows would choose. A tensor that could have got factors, and
 * got none since they were not worth it, has factors of 1.
 */
public final class Smoothing {
  /** Factors are 2^-24 to 2^24. */
  public static final int LARGEST_EXPONENT = 24;

  private final float alpha;
  private final int[] exponents;

  /**
   * Factors.
   *
   * @param alpha the share of the outliers that they move from activations to weights, 0 to 1
   * @param exponents of the factors, by channel
   */
  public Smoothing(float alpha, int[] exponents) {
    if (!(alpha >= 0 && alpha <= 1)) {
      throw new IllegalArgumentException("alpha: " + alpha);
    }
    if (exponents.length == 0 || !Arrays.stream(exponents).allMatch(Smoothing::isExponent)) {
      throw new IllegalArgumentException("exponents: " + Arrays.toString(exponents));
    }
    this.alpha = alpha + 0f;
    this.exponents = exponents.clone();
  }

  /** Factors of 1: the values are as they were. */
  public static Smoothing none(int channels) {
    return new Smoothing(0, new int[channels]);
  }

  static boolean isExponent(int value) {
    return Math.abs(value) <= LARGEST_EXPONENT;
  }

  /** The share of the outliers that the factors move from activations to weights. */
  public float alpha() {
    return alpha;
  }

  /** How many channels have a factor. */
  public int channels() {
    return exponents.length;
  }

  /** The exponents of the factors, by channel. */
  public int[] exponents() {
    return exponents.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Smoothing that
        && Float.compare(alpha, that.alpha) == 0
        && Arrays.equals(exponents, that.exponents);
  }

  /** Of the exponents alone; the same in every run. */
  @Override
  public int hashCode() {
    return Arrays.hashCode(exponents);
  }
}
