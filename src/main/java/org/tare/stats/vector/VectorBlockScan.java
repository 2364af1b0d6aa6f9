package org.tare.stats.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.tare.stats.BlockScan;

/** With the Vector API. Made by reflection, since not every JVM has its module. */
public final class VectorBlockScan extends BlockScan {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final int MAGNITUDE = 0x7fffffff;

  public VectorBlockScan() {}

  @Override
  protected boolean isPlain(int[] block, int n, float min, float max) {
    FloatVector least = FloatVector.broadcast(FLOATS, min);
    FloatVector greatest = FloatVector.broadcast(FLOATS, max);
    int i = 0;
    for (int end = INTS.loopBound(n); i < end; i += INTS.length()) {
      IntVector bits = IntVector.fromArray(INTS, block, i);
      FloatVector values = bits.reinterpretAsFloats();
      // NaN fails both comparisons; infinities are beyond every finite limit.
      VectorMask<Float> within =
          values
              .compare(VectorOperators.GE, least)
              .and(values.compare(VectorOperators.LE, greatest));
      IntVector magnitude = bits.and(MAGNITUDE);
      VectorMask<Integer> apart =
          magnitude
              .compare(VectorOperators.GE, LEAST_APART)
              .or(magnitude.compare(VectorOperators.EQ, 0));
      if (!within.allTrue() || !apart.allTrue()) {
        return false;
      }
    }
    for (; i < n; i++) {
      float value = Float.intBitsToFloat(block[i]);
      int magnitude = block[i] & MAGNITUDE;
      if (!(value >= min && value <= max) || (magnitude < LEAST_APART && magnitude != 0)) {
        return false;
      }
    }
    return true;
  }
}
