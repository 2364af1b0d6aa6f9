package org.tare.stats;

/** One branch-free sum, which the JIT vectorises; minima and maxima it does not. */
final class LoopBlockScan extends BlockScan {
  private static final int SIGN = 0x80000000;

  @Override
  protected boolean isPlain(int[] block, int n, float min, float max) {
    if (!(min <= 0 && max >= 0)) {
      // Comparing magnitudes by sign does not do for a range without zero.
      return false;
    }
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
