package org.tare.stats;

/** Branch-free sums, which the JIT vectorises; minima and maxima of integers it does not. */
final class LoopBlockScan extends BlockScan {
  @Override
  protected boolean isPlainAroundZero(int[] block, int from, int n, int least, int greatest) {
    int others = 0;
    for (int i = from; i < from + n; i++) {
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

  @Override
  protected boolean isOfOneSign(int[] block, int from, int n, int sign, int least, int greatest) {
    int others = 0;
    for (int i = from; i < from + n; i++) {
      int magnitude = block[i] ^ sign;
      // Of the other sign it is below zero: where one difference overflows, the other is below.
      others += ((magnitude - least) | (greatest - magnitude)) >>> 31;
    }
    return others == 0;
  }
}
