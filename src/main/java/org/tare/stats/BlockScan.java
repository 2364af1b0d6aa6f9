package org.tare.stats;

/**
 * Looks at a block of float32 values once: are all of them plain, that is finite, within what was
 * seen before, and zero or not so tiny that they share a bucket with zero? Others are rare and are
 * then taken one by one.
 *
 * <p>There are two: a loop that the JIT vectorises by itself, and one with the Vector API where the
 * JVM was started with it, as Spark starts its executors from 4.0 on.
 */
public abstract class BlockScan {
  private static final String VECTOR_MODULE = "jdk.incubator.vector";
  private static final String VECTOR_CLASS = "org.tare.stats.vector.VectorBlockScan";

  /** The bit of a float32 value that is set below zero. */
  protected static final int SIGN = 0x80000000;

  /** The least magnitude, as bits, that shares no bucket with zero: 2^-133. */
  protected static final int LEAST_APART = 1 << FloatHistogram.SHIFT;

  /**
   * Scans {@code block[from .. from + n)}.
   *
   * @param block the values' bits
   * @param min the least value seen before; +infinity if none was
   * @param max the greatest
   * @return true only if all values are plain; false may be wrong where those seen before share a
   *     bucket with zero on one side of it
   */
  final boolean isPlain(int[] block, int from, int n, float min, float max) {
    if (min <= 0 && max >= 0) {
      // "+ 0f" turns -0.0 into 0.0.
      int greatest = Float.floatToRawIntBits(max + 0f);
      int least = Float.floatToRawIntBits(-min + 0f);
      return isPlainAroundZero(block, from, n, least, greatest);
    }
    if (min > 0 && min <= max) {
      return isWithin(
          block, from, n, 0, Float.floatToRawIntBits(min), Float.floatToRawIntBits(max));
    }
    if (max < 0 && min <= max) {
      return isWithin(
          block, from, n, SIGN, Float.floatToRawIntBits(-max), Float.floatToRawIntBits(-min));
    }
    return false;
  }

  private boolean isWithin(int[] block, int from, int n, int sign, int least, int greatest) {
    return least >= LEAST_APART && isOfOneSign(block, from, n, sign, least, greatest);
  }

  /**
   * Whether all values are plain where zero is between those seen before.
   *
   * @param least the bits of the greatest magnitude below zero, {@code greatest} of that above
   */
  protected abstract boolean isPlainAroundZero(
      int[] block, int from, int n, int least, int greatest);

  /**
   * Whether all values have one sign, and magnitudes in a range of which none shares a bucket with
   * zero.
   *
   * @param sign the sign, as a bit
   * @param least the bits of the least magnitude, {@code greatest} of the greatest
   */
  protected abstract boolean isOfOneSign(
      int[] block, int from, int n, int sign, int least, int greatest);

  /** Below zero, as an integer, if a value is not plain where zero is between those seen before. */
  protected static int oddAroundZero(int bits, int least, int greatest) {
    int flipped = bits ^ SIGN;
    // Bits of the other sign become 0; NaN and infinities have larger bits than any number.
    int positive = bits & ~(bits >> 31);
    int negative = flipped & ~(flipped >> 31);
    int belowMagnitude = (bits & ~SIGN) - 1;
    // Each of the three has its sign bit set where the value is not plain.
    return (greatest - positive)
        | (least - negative)
        | ((belowMagnitude - (LEAST_APART - 1)) & ~belowMagnitude);
  }

  /** Below zero, as an integer, if a value has the other sign or a magnitude out of the range. */
  protected static int oddOfOneSign(int bits, int sign, int least, int greatest) {
    int magnitude = bits ^ sign;
    // Of the other sign it is below zero: where one difference overflows, the other is below.
    return (magnitude - least) | (greatest - magnitude);
  }

  /** The fastest one that this JVM has. */
  static BlockScan fastest() {
    if (ModuleLayer.boot().findModule(VECTOR_MODULE).isPresent() && hasC2()) {
      try {
        BlockScan scan =
            Class.forName(VECTOR_CLASS)
                .asSubclass(BlockScan.class)
                .getDeclaredConstructor()
                .newInstance();
        // Whatever is missing shows when the loops are linked.
        boolean isRight =
            scan.isPlain(new int[64], 0, 64, 0f, 0f) && !scan.isPlain(new int[64], 0, 64, 1f, 2f);
        return isRight ? scan : new LoopBlockScan();
      } catch (ReflectiveOperationException | LinkageError e) {
        // The incubator's API changes between releases: the loop does as well.
        return new LoopBlockScan();
      }
    }
    return new LoopBlockScan();
  }

  /**
   * Only C2 makes instructions of the Vector API; without it each operation is a method that makes
   * an object. "emulated-client" is what HotSpot says with {@code -XX:TieredStopAtLevel=1}.
   */
  private static boolean hasC2() {
    String info = System.getProperty("java.vm.info", "");
    return !info.contains("emulated-client") && !info.contains("interpreted mode");
  }
}
