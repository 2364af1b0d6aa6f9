package org.tare.stats;

/** Branch-free sums, which the JIT vectorises; minima and maxima of integers it does not. */
final class LoopBlockScan extends BlockScan {
  @Override
  protected boolean isPlainAroundZero(int[] block, int from, int n, int least, int greatest) {
    int others = 0;
    for (int i = from; i < from + n; i++) {
      others += oddAroundZero(block[i], least, greatest) >>> 31;
    }
    return others == 0;
  }

  @Override
  protected boolean isOfOneSign(int[] block, int from, int n, int sign, int least, int greatest) {
    int others = 0;
    for (int i = from; i < from + n; i++) {
      others += oddOfOneSign(block[i], sign, least, greatest) >>> 31;
    }
    return others == 0;
  }
}
