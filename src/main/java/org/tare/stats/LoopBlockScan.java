package org.tare.stats;

/** Branch-free sums, which the JIT vectorises; minima and maxima of integers it does not. */
final class LoopBlockScan extends BlockScan {
  private static final int SIGN = 0x80000000;

  @Override
  protected boolean isPlain(int[] block, int n, float min, float max) {
    if (min <= 0 && max >= 0) {
      return isPlainAroundZero(block, n, min, max);
    }
    if (min > 0 && min <= max) {
      return isWithin(block, n, 0, Float.floatToRawIntBits(min), Float.floatToRawIntBits(max));
    }
    if (max < 0 && min <= max) {
      return isWithin(block, n, SIGN, Float.floatToRawIntBits(-max), Float.floatToRawIntBits(-min));
    }
    return false;
  }

  /**
   * Whether all values have one sign, and magnitudes in a range of which none shares a bucket with
   * zero.
   *
   * @param sign the sign, as a bit
   * @param least the bits of the least magnitude, {@code greatest} of the greatest
   */
  private static boolean isWithin(int[] block, int n, int sign, int least, int greatest) {
    if (least < LEAST_APART) {
      return false;
    }
    int others = 0;
    for (int i = 0; i < n; i++) {
      int magnitude = block[i] ^ sign;
      // Of the other sign it is below zero: where one difference overflows, the other is below.
      others += ((magnitude - least) | (greatest - magnitude)) >>> 31;
    }
    return others == 0;
  }

  private static boolean isPlainAroundZero(int[] block, int n, float min, float max) {
    // "+ 0f" turns -0.0 into 0.0.
    int greatest = Float.floatToRawIntBits(max + 0f);
    int least = Float.floatToRawIntBits(-min + 0f);
    int others = 0;
    for (int i = 0; i < n; i++) {
      int bits = block[i];
      int flipped = bits ^ SIGN;
      // Bits of the other sign become 0; NaN and infinities have larger bits than any number.
      int positive = bits & ~(bits >> 31);
      int negative = flipped & ~(flipped >> 31);
      int belowMagnitude = (bits & ~SIGN) - 1;
      // Each of the three has its sign bit set where the value is not plain.
      others +=
          ((greatest - positive)
                  | (least - negative)
                  | ((belowMagnitude - (LEAST_APART - 1)) & ~belowMagnitude))
              >>> 31;
    }
    return others == 0;
  }
}
