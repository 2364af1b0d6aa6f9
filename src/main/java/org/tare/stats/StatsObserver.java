package org.tare.stats;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * The hot loop: adds blocks of float32 values to {@link TensorStats}. One observer serves any
 * number of tensors, one after the other; it owns scratch counters of 1 MB, so a task makes one and
 * keeps it. Not thread-safe.
 *
 * <p>Values go through a block that stays in the L1 cache, twice. The first pass is branch-free and
 * vectorised by the JIT: the bits of a float, with those of negative ones mirrored, order like the
 * numbers, so least and greatest are integer reductions, and zeros are counted by arithmetic. The
 * second counts buckets, in four interleaved tables: in one, repeated values (a ReLU's zeros) would
 * wait for each other's store.
 */
public final class StatsObserver {
  private static final int BLOCK = 4096;
  private static final int BUCKETS = FloatHistogram.PAGES * FloatHistogram.PAGE_SIZE;
  private static final int SHIFT = FloatHistogram.SHIFT;

  private static final int ORDERED_POSITIVE_INFINITY = 0x7f800000;
  private static final int ORDERED_NEGATIVE_INFINITY = 0x807fffff;

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
    Summary summary = new Summary();
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
    Summary summary = new Summary();
    while (values.hasRemaining()) {
      int n = Math.min(BLOCK, values.remaining());
      values.get(block, 0, n);
      countBlock(n, summary);
    }
    summary.addTo(stats);
    drain(stats, summary);
  }

  private void countBlock(int n, Summary summary) {
    summarise(block, n, summary);
    count(block, n);
  }

  private static void summarise(int[] block, int n, Summary summary) {
    int min = Integer.MAX_VALUE;
    int max = Integer.MIN_VALUE;
    int notPositiveZero = 0;
    int notNegativeZero = 0;
    for (int i = 0; i < n; i++) {
      int bits = block[i];
      int ordered = bits ^ ((bits >> 31) & 0x7fffffff);
      min = Math.min(min, ordered);
      max = Math.max(max, ordered);
      // (v | -v) has its top bit set for every v but 0.
      int flipped = bits ^ 0x80000000;
      notPositiveZero += (bits | -bits) >>> 31;
      notNegativeZero += (flipped | -flipped) >>> 31;
    }
    summary.positiveZeros += n - notPositiveZero;
    summary.negativeZeros += n - notNegativeZero;
    if (max >= ORDERED_POSITIVE_INFINITY || min <= ORDERED_NEGATIVE_INFINITY) {
      summary.addBlockWithSpecials(block, n);
    } else {
      summary.min = Math.min(summary.min, min);
      summary.max = Math.max(summary.max, max);
    }
  }

  private void count(int[] block, int n) {
    int i = 0;
    for (; i + 3 < n; i += 4) {
      table0[block[i] >>> SHIFT]++;
      table1[block[i + 1] >>> SHIFT]++;
      table2[block[i + 2] >>> SHIFT]++;
      table3[block[i + 3] >>> SHIFT]++;
    }
    for (; i < n; i++) {
      table0[block[i] >>> SHIFT]++;
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

  /** What one call saw besides the buckets. */
  private static final class Summary {
    /** Least and greatest finite value as ordered bits. */
    int min = Integer.MAX_VALUE;

    int max = Integer.MIN_VALUE;
    long positiveZeros;
    long negativeZeros;
    long nans;
    long positiveInfinities;
    long negativeInfinities;
    int largestPositiveBits;
    int mostNegativeBits;
    boolean anyNegative;

    /** The slow way, for a block in which NaN or an infinity occurs. */
    void addBlockWithSpecials(int[] block, int n) {
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
          int ordered = bits ^ ((bits >> 31) & 0x7fffffff);
          min = Math.min(min, ordered);
          max = Math.max(max, ordered);
        }
      }
    }

    void addTo(TensorStats stats) {
      // The greatest page in use, on each side of zero.
      largestPositiveBits = nans + positiveInfinities > 0 ? 0x7fffffff : Math.max(max, 0);
      anyNegative = min < 0 || nans + negativeInfinities > 0;
      mostNegativeBits = nans + negativeInfinities > 0 ? -1 : min ^ 0x7fffffff;
      stats.zeros += positiveZeros + negativeZeros;
      stats.nans += nans;
      stats.positiveInfinities += positiveInfinities;
      stats.negativeInfinities += negativeInfinities;
      if (min <= max) {
        // "+ 0f" turns -0.0 into 0.0.
        stats.min = Math.min(stats.min, fromOrdered(min) + 0f);
        stats.max = Math.max(stats.max, fromOrdered(max) + 0f);
      }
    }

    private static float fromOrdered(int ordered) {
      return Float.intBitsToFloat(ordered ^ ((ordered >> 31) & 0x7fffffff));
    }
  }
}
