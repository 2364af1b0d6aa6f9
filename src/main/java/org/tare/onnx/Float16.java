package org.tare.onnx;

/**
 * The 16-bit floating-point numbers of IEEE 754: a sign, 5 bits of exponent and 10 of mantissa. The
 * largest is 65504; below 2^-14 they are whole multiples of 2^-24.
 */
public final class Float16 {
  private static final int INFINITE = 0x7c00;
  private static final int NAN = 0x7e00;

  private Float16() {}

  /**
   * The bits of the nearest float16, ties to even. From 65520 on, that is infinity; NaN becomes a
   * quiet one.
   */
  public static short bits(double value) {
    int sign = Double.doubleToRawLongBits(value) < 0 ? 0x8000 : 0;
    double magnitude = Math.abs(value);
    if (Double.isNaN(magnitude)) {
      return (short) (sign | NAN);
    }
    if (magnitude >= 0x1p16) {
      return (short) (sign | INFINITE);
    }
    int exponent = Math.max(-14, Math.getExponent(magnitude));
    // With the leading bit of the mantissa, if there is one; a carry goes into the exponent.
    int steps = (int) Math.rint(Math.scalb(magnitude, 10 - exponent));
    return (short) (sign | (((exponent + 14) << 10) + steps));
  }

  /** The number that the low 16 bits stand for. */
  public static double value(int bits) {
    int exponent = bits >> 10 & 31;
    int mantissa = bits & 1023;
    double magnitude;
    if (exponent == 0) {
      magnitude = Math.scalb((double) mantissa, -24);
    } else if (exponent < 31) {
      magnitude = Math.scalb(1024.0 + mantissa, exponent - 25);
    } else {
      magnitude = mantissa == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
    }
    return (bits >> 15 & 1) == 0 ? magnitude : -magnitude;
  }
}
