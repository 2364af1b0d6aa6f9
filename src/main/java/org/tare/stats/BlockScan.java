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

  /** The least magnitude, as bits, that shares no bucket with zero: 2^-133. */
  protected static final int LEAST_APART = 1 << FloatHistogram.SHIFT;

  /**
   * Scans the first values of the block.
   *
   * @param block the values' bits
   * @param min the least value seen before; +infinity if none was
   * @param max the greatest
   * @return true only if all values are plain; false may be wrong where min is above or max below
   *     zero
   */
  protected abstract boolean isPlain(int[] block, int n, float min, float max);

  /** The fastest one that this JVM has. */
  static BlockScan fastest() {
    if (ModuleLayer.boot().findModule(VECTOR_MODULE).isPresent() && hasC2()) {
      try {
        BlockScan scan =
            Class.forName(VECTOR_CLASS)
                .asSubclass(BlockScan.class)
                .getDeclaredConstructor()
                .newInstance();
        // Whatever is missing shows when the loop is linked.
        return scan.isPlain(new int[64], 64, 0f, 0f) ? scan : new LoopBlockScan();
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
