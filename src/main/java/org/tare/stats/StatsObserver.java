package org.tare.stats;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.List;

/**
 * The hot loop: adds blocks of float32 values to {@link TensorStats}. One observer serves any
 * number of tensors, one after the other; it owns scratch counters of 1 MB, so a task makes one and
 * keeps it. Not thread-safe.
 *
 * <p>Values go through a block that stays in the L1 cache, several times. One loop counts buckets,
 * in four interleaved tables: in one, repeated values (a ReLU's zeros) would wait for each other's
 * store. Minimum and maximum are not reduced value by value, which the JIT does not vectorise;
 * instead a {@link BlockScan} tells whether any value lies beyond what was seen before, is a NaN or
 * infinity, or so tiny that it shares a bucket with zero. Only the section of a block that has any
 * is taken one by one, and these soon become rare.
 */
public final class StatsObserver {
  private static final int BLOCK = 4096;

  /** Of a block that is not plain, only those of so many values that are not. */
  private static final int SECTION = 256;

  private static final int BUCKETS = FloatHistogram.PAGES * FloatHistogram.PAGE_SIZE;
  private static final int SHIFT = FloatHistogram.SHIFT;

  private static final int NEGATIVE_ZERO = 0x80000000;
  private static final int FIRST_NEGATIVE_BUCKET = NEGATIVE_ZERO >>> SHIFT;

  private static final int INFINITY_BITS = 0x7f800000;

  /** Fewer values than that are counted in the stats at once: the tables take longer to empty. */
  private static final int FEW = 4096;

  private final BlockScan scan;
  private final int[] block = new int[BLOCK];
  private final int[] table0 = new int[BUCKETS];
  private final int[] table1 = new int[BUCKETS];
  private final int[] table2 = new int[BUCKETS];
  private final int[] table3 = new int[BUCKETS];

  public StatsObserver() {
    this(BlockScan.fastest());
  }

  StatsObserver(BlockScan scan) {
    this.scan = scan;
  }

  /** Adds {@code values[from .. from + length)} to the stats. */
  public void observe(TensorStats stats, float[] values, int from, int length) {
    observe(stats, FloatBuffer.wrap(values, from, length));
  }

  /** Adds the values between the buffer's position and limit; its position moves to the limit. */
  public void observe(TensorStats stats, FloatBuffer values) {
    if (values.remaining() < FEW) {
      while (values.hasRemaining()) {
        addOne(stats, Float.floatToRawIntBits(values.get()));
      }
      return;
    }
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
   * Adds the float32 values whose bits stand between the buffers' positions and limits, which do
   * not move. This is the way from native memory: a direct buffer in native order seen as ints is
   * copied block by block, which the JIT does at memory speed.
   *
   * @param parts of one tensor: to empty the tables takes as long as to count some thousand values,
   *     so that parts are best given together
   */
  public void observeBits(TensorStats stats, List<IntBuffer> parts) {
    long length = 0;
    for (IntBuffer part : parts) {
      length += part.remaining();
    }
    if (length < FEW) {
      for (IntBuffer part : parts) {
        for (int i = part.position(); i < part.limit(); i++) {
          addOne(stats, part.get(i));
        }
      }
      return;
    }
    Summary summary = new Summary(stats);
    for (IntBuffer part : parts) {
      for (int at = part.position(); at < part.limit(); at += BLOCK) {
        int n = Math.min(BLOCK, part.limit() - at);
        part.get(at, block, 0, n);
        countBlock(n, summary);
      }
    }
    summary.addTo(stats);
    drain(stats, summary);
  }

  private static void addOne(TensorStats stats, int bits) {
    int magnitude = bits & Integer.MAX_VALUE;
    if (magnitude < INFINITY_BITS) {
      // "+ 0f" turns -0.0 into 0.0.
      float value = Float.intBitsToFloat(bits) + 0f;
      stats.min = Math.min(stats.min, value);
      stats.max = Math.max(stats.max, value);
      if (magnitude == 0) {
        stats.zeros++;
      } else {
        long[] counts = stats.histogram().pageForUpdate(bits >>> 23);
        counts[(bits >>> SHIFT) & (FloatHistogram.PAGE_SIZE - 1)]++;
      }
    } else if (magnitude > INFINITY_BITS) {
      stats.nans++;
    } else if (bits > 0) {
      stats.positiveInfinities++;
    } else {
      stats.negativeInfinities++;
    }
  }

  private void countBlock(int n, Summary summary) {
    if (!scan.isPlain(block, 0, n, summary.min, summary.max)) {
      for (int from = 0; from < n; from += SECTION) {
        int length = Math.min(SECTION, n - from);
        if (!scan.isPlain(block, from, length, summary.min, summary.max)) {
          summary.scan(block, from, length);
        }
      }
    }
    count(block, n);
  }

  private void count(int[] block, int n) {
    int[] counts0 = table0;
    int[] counts1 = table1;
    int[] counts2 = table2;
    int[] counts3 = table3;
    int whole = n & ~3;
    for (int i = 0; i < whole; i += 4) {
      counts0[block[i] >>> SHIFT]++;
      counts1[block[i + 1] >>> SHIFT]++;
      counts2[block[i + 2] >>> SHIFT]++;
      counts3[block[i + 3] >>> SHIFT]++;
    }
    for (int i = whole; i < n; i++) {
      counts0[block[i] >>> SHIFT]++;
    }
  }

  /** Moves the tables' counts to the stats' histogram and leaves the tables at zero. */
  private void drain(TensorStats stats, Summary summary) {
    FloatHistogram histogram = stats.histogram();
    // All values of a bucket that holds zero are zeros, but for those that were found to be tiny.
    stats.zeros += drainZeros(0, summary.tinyPositive);
    stats.zeros += drainZeros(FIRST_NEGATIVE_BUCKET, summary.tinyNegative);
    for (int page = 0; page <= summary.largestPositiveBits >>> 23; page++) {
      drainPage(histogram, page);
    }
    for (int page = FloatHistogram.PAGES / 2; page <= summary.mostNegativeBits >>> 23; page++) {
      drainPage(histogram, page);
    }
  }

  /** Leaves the values that are not zero in the bucket; returns how many are. */
  private long drainZeros(int bucket, long others) {
    long all =
        Integer.toUnsignedLong(table0[bucket] + table1[bucket] + table2[bucket] + table3[bucket]);
    clear(bucket);
    table0[bucket] = (int) others;
    return all - others;
  }

  private void drainPage(FloatHistogram histogram, int page) {
    int start = page * FloatHistogram.PAGE_SIZE;
    if (page == FloatHistogram.POSITIVE_SPECIAL_PAGE
        || page == FloatHistogram.NEGATIVE_SPECIAL_PAGE) {
      for (int i = start; i < start + FloatHistogram.PAGE_SIZE; i++) {
        clear(i);
      }
      return;
    }
    int any = 0;
    for (int i = start; i < start + FloatHistogram.PAGE_SIZE; i++) {
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

    /** Values that are not zero and share its bucket. */
    private long tinyPositive;

    private long tinyNegative;
    private long nans;
    private long positiveInfinities;
    private long negativeInfinities;
    private int largestPositiveBits;
    private int mostNegativeBits;

    Summary(TensorStats stats) {
      min = stats.min;
      max = stats.max;
    }

    private static int bitsOf(float value) {
      // "+ 0f" turns -0.0 into 0.0.
      return Float.floatToRawIntBits(value + 0f);
    }

    /** Value by value. */
    void scan(int[] block, int from, int n) {
      for (int i = from; i < from + n; i++) {
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
          int magnitude = bits & Integer.MAX_VALUE;
          if (magnitude < BlockScan.LEAST_APART && magnitude != 0) {
            tinyPositive += bits > 0 ? 1 : 0;
            tinyNegative += bits > 0 ? 0 : 1;
          }
        }
      }
    }

    void addTo(TensorStats stats) {
      // The greatest page in use, on each side of zero.
      largestPositiveBits = nans + positiveInfinities > 0 ? 0x7fffffff : bitsOf(Math.max(max, 0f));
      mostNegativeBits =
          nans + negativeInfinities > 0 ? -1 : NEGATIVE_ZERO | bitsOf(-Math.min(min, 0f));
      stats.nans += nans;
      stats.positiveInfinities += positiveInfinities;
      stats.negativeInfinities += negativeInfinities;
      stats.min = min + 0f;
      stats.max = max + 0f;
    }
  }
}
