package org.tare.report;

/** Half powers of two: twice the exponent, and one more in its upper half. */
final class HalfPowers {
  private HalfPowers() {}

  /** The greatest half power that is not above a magnitude. */
  static int of(double magnitude) {
    int exponent = Math.getExponent(magnitude);
    return 2 * exponent + (magnitude >= Math.scalb(Math.sqrt(2), exponent) ? 1 : 0);
  }
}
