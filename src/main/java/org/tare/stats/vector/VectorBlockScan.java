package org.tare.stats.vector;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.tare.stats.BlockScan;

/**
 * With the Vector API. Made by reflection, since not every JVM has its module. It computes as the
 * loop does and looks at the signs once, at the end: masks are slow before Java 18.
 */
public final class VectorBlockScan extends BlockScan {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;

  public VectorBlockScan() {}

  @Override
  protected boolean isPlainAroundZero(int[] block, int from, int n, int least, int greatest) {
    IntVector most = IntVector.broadcast(INTS, greatest);
    IntVector mostBelow = IntVector.broadcast(INTS, least);
    IntVector others = IntVector.zero(INTS);
    int i = from;
    for (int end = from + INTS.loopBound(n); i < end; i += INTS.length()) {
      IntVector bits = IntVector.fromArray(INTS, block, i);
      IntVector positive = bits.max(0);
      IntVector negative = bits.lanewise(VectorOperators.XOR, SIGN).max(0);
      IntVector belowMagnitude = bits.and(~SIGN).sub(1);
      // One step of "others" for each vector: the next waits for it.
      IntVector odd =
          most.sub(positive)
              .or(mostBelow.sub(negative))
              .or(belowMagnitude.sub(LEAST_APART - 1).and(belowMagnitude.not()));
      others = others.or(odd);
    }
    int any = others.reduceLanes(VectorOperators.OR);
    for (; i < from + n; i++) {
      any |= oddAroundZero(block[i], least, greatest);
    }
    return any >= 0;
  }

  @Override
  protected boolean isOfOneSign(int[] block, int from, int n, int sign, int least, int greatest) {
    IntVector most = IntVector.broadcast(INTS, greatest);
    IntVector others = IntVector.zero(INTS);
    int i = from;
    for (int end = from + INTS.loopBound(n); i < end; i += INTS.length()) {
      IntVector magnitude = IntVector.fromArray(INTS, block, i).lanewise(VectorOperators.XOR, sign);
      others = others.or(magnitude.sub(least).or(most.sub(magnitude)));
    }
    int any = others.reduceLanes(VectorOperators.OR);
    for (; i < from + n; i++) {
      any |= oddOfOneSign(block[i], sign, least, greatest);
    }
    return any >= 0;
  }
}
