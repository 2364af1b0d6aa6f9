package org.tare.stats;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * The hot loop: adds blocks of float32 values to {@link TensorStats}. One observer serves any
 * number of tensors, one after the other; it owns scratch counters of 1 MB, so a task makes one and
 * keeps it. Not thread-safe.
 *
 * <p>Values go through a block that stays in the L1 cache, several times. One loop counts buckets,
 * in four interleaved tables: in one, repeated values (a ReLU's zeros) would wait for each other's
 * store. Minimum and maximum are not reduced value by value, which the JIT does not vectorise;
 * instead two branch-free sums, which it does, count the values beyond what was seen before. Only a
 * block that has any, or a NaN or infinity, is scanned one by one, and these soon become rare.
 * Zeros are counted only where the bucket that holds them grew.
 */
public final class StatsObserver {
  private static final int BLOCK = 4096;
  private static final int BUCKETS = FloatHistogram.PAGES * FloatHistogram.PAGE_SIZE;
  private static final int SHIFT = FloatHistogram.SHIFT;

  private static final int NEGATIVE_ZERO = 0x80000000;
  private static final int NEGATIVE_ZERO_BUCKET = NEGATIVE_ZERO >>> SHIFT;

  private final int[] block = new int[BLOCK];
  private final int[] table0 = new int[BUCKETS];
  private final int[] table1 = new int[BUCKETS];
  private final int[] table2 = new int[BUCKETS];
  private final int[] table3 = new int[BUCKETS];

  /** Adds {@code values[from .. from + length)} to the stats. */
  public void observe(TensorStats stats, float[] values, int from, int length) {
    observe(stats, FloatBuffer.wrap(values, from, length));
  }

  /** Adds the values between the buffer's position and limit; its position moves to the limit. */
  public void observe(TensorStats stats, FloatBuffer values) {
    Summary summary = new Summary(stats);
    float[] floats = new float[Math.min(BLOCK, values.remaining())];
    while (values.hasRemaining()) {
      int n = Math.min(BLOCK, values.remaining());
      values.get(floats, 0, n);
      for (int i = 0; i < n; i++) {
        block[i] = Float.floatToRawIntBits(floats[i]);
      }
      countBlock(n, summary);
    }
    summary.addTo(stats);
    drain(stats, summary);
  }

  /**
   * Adds the float32 values whose bits stand between the buffer's position and limit; its position
   * moves to the limit. This is the way from native memory: a direct buffer in native order seen as
   * ints is copied block by block, which the JIT does at memory speed.
   */
  public void observeBits(TensorStats stats, IntBuffer values) {
    Summary summary = new Summary(stats);
    while (values.hasRemaining()) {
      int n = Math.min(BLOCK, values.remaining());
      values.get(block, 0, n);
      countBlock(n, summary);
    }
    summary.addTo(stats);
    drain(stats, summary);
  }

  private void countBlock(int n, Summary summary) {
    if (!summary.covers(block, n)) {
      summary.scan(block, n);
    }
    int tiny = inBucket(0);
    int negativeTiny = inBucket(NEGATIVE_ZERO_BUCKET);
    count(block, n);
    if (inBucket(0) != tiny) {
      summary.positiveZeros += n - countOthers(block, n, 0);
    }
    if (inBucket(NEGATIVE_ZERO_BUCKET) != negativeTiny) {
      summary.negativeZeros += n - countOthers(block, n, NEGATIVE_ZERO);
    }
  }

  private int inBucket(int bucket) {
    return table0[bucket] + table1[bucket] + table2[bucket] + table3[bucket];
  }

  private static int countOthers(int[] block, int n, int bits) {
    int others = 0;
    for (int i = 0; i < n; i++) {
      // (v | -v) has its top bit set for every v but 0.
      int differs = block[i] ^ bits;
      others += (differs | -differs) >>> 31;
    }
    return others;
  }

  /** How many values have larger bits than the given ones, which are not below zero. */
  private static int countAbove(int[] block, int n, int bits) {
    int above = 0;
    for (int i = 0; i < n; i++) {
      int positive = block[i] & ~(block[i] >> 31);
      above += (bits - positive) >>> 31;
    }
    return above;
  }

  /** The same of the values below zero, by magnitude. */
  private static int countBelow(int[] block, int n, int magnitude) {
    int below = 0;
    for (int i = 0; i < n; i++) {
      int flipped = block[i] ^ NEGATIVE_ZERO;
      int negative = flipped & ~(flipped >> 31);
      below += (magnitude - negative) >>> 31;
    }
    return below;
  }

  private void count(int[] block, int n) {
    int[] counts0 = table0;
    int[] counts1 = table1;
    int[] counts2 = table2;
    int[] counts3 = table3;
    int i = 0;
    for (; i + 3 < n; i += 4) {
      counts0[block[i] >>> SHIFT]++;
      counts1[block[i + 1] >>> SHIFT]++;
      counts2[block[i + 2] >>> SHIFT]++;
      counts3[block[i + 3] >>> SHIFT]++;
    }
    for (; i < n; i++) {
      counts0[block[i] >>> SHIFT]++;
    }
  }

  /** Moves the tables' counts to the stats' histogram and leaves the tables at zero. */
  private void drain(TensorStats stats, Summary summary) {
    FloatHistogram histogram = stats.histogram();
    int lowestNegativePage = summary.anyNegative ? summary.mostNegativeBits >>> 23 : -1;
    for (int page = 0; page <= summary.largestPositiveBits >>> 23; page++) {
      drainPage(histogram, page, summary);
    }
    for (int page = FloatHistogram.PAGES / 2; page <= lowestNegativePage; page++) {
      drainPage(histogram, page, summary);
    }
  }

  private void drainPage(FloatHistogram histogram, int page, Summary summary) {
    int start = page * FloatHistogram.PAGE_SIZE;
    if (page == FloatHistogram.POSITIVE_SPECIAL_PAGE
        || page == FloatHistogram.NEGATIVE_SPECIAL_PAGE) {
      for (int i = start; i < start + FloatHistogram.PAGE_SIZE; i++) {
        clear(i);
      }
      return;
    }
    if (page == 0) {
      table0[0] -= (int) summary.positiveZeros;
    } else if (page == FloatHistogram.PAGES / 2) {
      table0[start] -= (int) summary.negativeZeros;
    }
    int any = 0;
    for (int i = start; i < start + FloatHistogram.PAGE_SIZE; i++) {
      // A table's own count may be below zero in the zeros' bucket, the sum is not.
      any |= table0[i] | table1[i] | table2[i] | table3[i];
    }
    if (any == 0) {
      return;
    }
    long[] counts = null;
    for (int i = 0; i < FloatHistogram.PAGE_SIZE; i++) {
      int bucket = start + i;
      int sum = table0[bucket] + table1[bucket] + table2[bucket] + table3[bucket];
      if (sum != 0) {
        if (counts == null) {
          counts = histogram.pageForUpdate(page);
        }
        counts[i] += Integer.toUnsignedLong(sum);
      }
      clear(bucket);
    }
  }

  private void clear(int bucket) {
    table0[bucket] = 0;
    table1[bucket] = 0;
    table2[bucket] = 0;
    table3[bucket] = 0;
  }

  /** What is known besides the buckets: of the stats so far, and of this call. */
  private static final class Summary {
    private float min;
    private float max;
    private long positiveZeros;
    private long negativeZeros;
    private long nans;
    private long positiveInfinities;
    private long negativeInfinities;
    private int largestPositiveBits;
    private int mostNegativeBits;
    private boolean anyNegative;

    Summary(TensorStats stats) {
      min = stats.min;
      max = stats.max;
    }

    /** Whether all values of the block are finite and within [min, max], found without a branch. */
    boolean covers(int[] block, int n) {
      return min <= 0
          && max >= 0
          && countAbove(block, n, bitsOf(max)) == 0
          && countBelow(block, n, bitsOf(-min)) == 0;
    }

    private static int bitsOf(float value) {
      // "+ 0f" turns -0.0 into 0.0.
      return Float.floatToRawIntBits(value + 0f);
    }

    /** Value by value. */
    void scan(int[] block, int n) {
      for (int i = 0; i < n; i++) {
        int bits = block[i];
        if ((bits & 0x7f800000) == 0x7f800000) {
          if ((bits & 0x007fffff) != 0) {
            nans++;
          } else if (bits > 0) {
            positiveInfinities++;
          } else {
            negativeInfinities++;
          }
        } else {
          float value = Float.intBitsToFloat(bits);
          min = Math.min(min, value);
          max = Math.max(max, value);
        }
      }
    }

    void addTo(TensorStats stats) {
      // The greatest page in use, on each side of zero.
      largestPositiveBits = nans + positiveInfinities > 0 ? 0x7fffffff : bitsOf(Math.max(max, 0f));
      anyNegative = min < 0 || negativeZeros > 0 || nans + negativeInfinities > 0;
      mostNegativeBits =
          nans + negativeInfinities > 0 ? -1 : NEGATIVE_ZERO | bitsOf(-Math.min(min, 0f));
      stats.zeros += positiveZeros + negativeZeros;
      stats.nans += nans;
      stats.positiveInfinities += positiveInfinities;
      stats.negativeInfinities += negativeInfinities;
      stats.min = min + 0f;
      stats.max = max + 0f;
    }
  }
}
