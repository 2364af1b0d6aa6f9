package org.tare.quant;

/**
 * The qparams of one tensor, or of one of its channels:
 *
 * <pre>
 *   q = clamp(round_half_even(x / scale) + zeroPoint, quantMin, quantMax)
 *   x' = (q - zeroPoint) * scale
 * </pre>
 *
 * @param scale finite and above zero
 * @param zeroPoint the integer that stands for 0.0, within the type's range
 * @param dtype the integers' type
 * @param quantMin the least integer used; saturation in ONNX is always at the type's own limits, so
 *     what is below appears only in values that Tare itself writes (weights)
 * @param quantMax the greatest integer used
 */
public record QParams(float scale, int zeroPoint, DType dtype, int quantMin, int quantMax) {
  /** Float32 numbers from {@code ROUNDS - EXACT} to {@code ROUNDS + EXACT} have no fractions. */
  private static final float ROUNDS = 3 << 22;

  private static final float EXACT = 1 << 22;

  public QParams {
    if (!(scale > 0) || Float.isInfinite(scale)) {
      throw new IllegalArgumentException("scale must be finite and above zero: " + scale);
    }
    if (zeroPoint < dtype.min() || zeroPoint > dtype.max()) {
      throw new IllegalArgumentException(
          "zero point " + zeroPoint + " is outside of " + dtype.id());
    }
    if (quantMin < dtype.min() || quantMax > dtype.max() || quantMin >= quantMax) {
      throw new IllegalArgumentException(
          "range [" + quantMin + ", " + quantMax + "] is not one of " + dtype.id());
    }
  }

  /** Qparams over the type's whole range. */
  public static QParams of(float scale, int zeroPoint, DType dtype) {
    return new QParams(scale, zeroPoint, dtype, dtype.min(), dtype.max());
  }

  /** The same integers for another step. */
  public QParams withScale(float other) {
    return new QParams(other, zeroPoint, dtype, quantMin, quantMax);
  }

  /** The least number that these qparams represent. */
  public double lowest() {
    return ((double) quantMin - zeroPoint) * scale;
  }

  /** The greatest number that these qparams represent. */
  public double highest() {
    return ((double) quantMax - zeroPoint) * scale;
  }

  /**
   * The integer of {@code x}, as ONNX's QuantizeLinear computes it: divided in float32, ties to
   * even, then saturated. NaN becomes the zero point (ONNX leaves it undefined), infinities
   * saturate, -0.0 is 0.0.
   */
  public int quantize(float x) {
    float steps = x / scale;
    if (steps <= EXACT && steps >= -EXACT) {
      // The sum is rounded to an integer, ties to even: about twice as fast as Math.rint.
      long rounded = (long) ((steps + ROUNDS) - ROUNDS) + zeroPoint;
      return (int) Math.min(quantMax, Math.max(quantMin, rounded));
    }
    if (Float.isNaN(steps)) {
      return zeroPoint;
    }
    double rounded = Math.rint(steps) + zeroPoint;
    return (int) Math.min(quantMax, Math.max(quantMin, rounded));
  }

  /** The number that the integer {@code q} stands for, in float32. */
  public float dequantize(int q) {
    return (float) (q - (long) zeroPoint) * scale;
  }

  /** {@code dequantize(quantize(x))}. */
  public float fakeQuantize(float x) {
    return dequantize(quantize(x));
  }
}
