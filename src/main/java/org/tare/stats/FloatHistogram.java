package org.tare.stats;

import java.util.Arrays;

/**
 * Counts of float32 values by their leading bits: the bucket of {@code x} is {@code
 * floatToRawIntBits(x) >>> (23 - p)} with p = {@value #MANTISSA_BITS}, that is the sign, the
 * exponent and the first p bits of the mantissa. A bucket spans at most 2^-p of its value.
 *
 * <p>No range is chosen beforehand and none ever grows, so the histogram of a union is the sum of
 * the histograms: merging is exact, associative and commutative, and any split of the values gives
 * the same counts. Counts are 64-bit and kept by page, one page of {@value #PAGE_SIZE} buckets for
 * each sign and exponent that occurs.
 *
 * <p>Zeros, NaN and infinities are not in the pages; {@link TensorStats} counts them. Subnormals
 * are in the pages of exponent 0. Not thread-safe.
 */
public final class FloatHistogram {
  /** p: how many bits of the mantissa select the bucket. */
  public static final int MANTISSA_BITS = 7;

  /** Buckets per sign and exponent. */
  public static final int PAGE_SIZE = 1 << MANTISSA_BITS;

  /** Sign and exponent: one bit and eight. */
  public static final int PAGES = 512;

  /** Exponent 255: NaN and infinities. */
  static final int POSITIVE_SPECIAL_PAGE = 255;

  static final int NEGATIVE_SPECIAL_PAGE = 511;
  static final int SHIFT = 23 - MANTISSA_BITS;

  private static final long UNKNOWN = -1;

  /** The pages of a histogram that holds nothing, which takes no memory of its own. */
  private static final long[][] NO_PAGES = new long[PAGES][];

  private long[][] pages = NO_PAGES;

  /** The number of values, or {@link #UNKNOWN} since somebody asked for a page to change it. */
  private long total;

  FloatHistogram() {}

  /** The counts of a page, or null if it is empty. Not a copy. */
  long[] page(int page) {
    return pages[page];
  }

  /**
   * The counts of a page, made when missing. Not a copy; to be changed at once and not kept, for
   * {@link #total} is counted anew only after a call of this.
   */
  @SuppressWarnings("ReferenceEquality") // the one array that stands for no pages
  long[] pageForUpdate(int page) {
    total = UNKNOWN;
    if (pages == NO_PAGES) {
      pages = new long[PAGES][];
    }
    long[] counts = pages[page];
    if (counts == null) {
      counts = new long[PAGE_SIZE];
      pages[page] = counts;
    }
    return counts;
  }

  /** Adds another's counts that often. The caller made sure that all together are below 2^63. */
  void addTimes(FloatHistogram other, long times) {
    long sum = total() + other.total() * times;
    for (int p = 0; p < PAGES; p++) {
      long[] theirs = other.pages[p];
      if (theirs != null) {
        long[] ours = pageForUpdate(p);
        for (int i = 0; i < PAGE_SIZE; i++) {
          ours[i] += theirs[i] * times;
        }
      }
    }
    setTotal(sum);
  }

  /** Says how many values the pages hold, after they were changed by somebody who knows. */
  void setTotal(long values) {
    total = values;
  }

  /** Adds the buckets of another that lie wholly above a limit. */
  void addAbove(FloatHistogram other, double limit) {
    for (int page = 0; page < PAGES; page++) {
      if (other.pages[page] != null) {
        for (int i = 0; i < PAGE_SIZE; i++) {
          int bucket = page * PAGE_SIZE + i;
          double low = page < PAGES / 2 ? magnitude(bucket) : -magnitudeAbove(bucket);
          if (other.pages[page][i] != 0 && low >= limit) {
            pageForUpdate(page)[i] += other.pages[page][i];
          }
        }
      }
    }
  }

  /** Takes a value as one bucket up to its bound, from the lowest bucket to the highest. */
  @FunctionalInterface
  public interface BucketVisitor {
    /**
     * @param low the least number of the bucket
     * @param high the least number above the bucket; for negative buckets the ends are mirrored, so
     *     that {@code low < high} always
     * @param count how many values fell in it, above zero
     */
    void bucket(double low, double high, long count);
  }

  /** Visits the buckets that hold values, in ascending order of the values they stand for. */
  public void forEachAscending(BucketVisitor visitor) {
    for (int page = NEGATIVE_SPECIAL_PAGE; page >= PAGES / 2; page--) {
      long[] counts = pages[page];
      if (counts != null) {
        for (int i = PAGE_SIZE - 1; i >= 0; i--) {
          if (counts[i] != 0) {
            int bucket = page * PAGE_SIZE + i;
            visitor.bucket(-magnitudeAbove(bucket), -magnitude(bucket), counts[i]);
          }
        }
      }
    }
    for (int page = 0; page < PAGES / 2; page++) {
      long[] counts = pages[page];
      if (counts != null) {
        for (int i = 0; i < PAGE_SIZE; i++) {
          if (counts[i] != 0) {
            int bucket = page * PAGE_SIZE + i;
            visitor.bucket(magnitude(bucket), magnitudeAbove(bucket), counts[i]);
          }
        }
      }
    }
  }

  private static double magnitude(int bucket) {
    return Float.intBitsToFloat((bucket << SHIFT) & Integer.MAX_VALUE);
  }

  private static double magnitudeAbove(int bucket) {
    int bits = ((bucket << SHIFT) & Integer.MAX_VALUE) + (1 << SHIFT);
    // The bits after the largest finite float are infinity's, whose value in reals is 2^128.
    return bits == 0x7f800000 ? 0x1p128 : Float.intBitsToFloat(bits);
  }

  /** The number of values in the pages. */
  long total() {
    long known = total;
    if (known != UNKNOWN) {
      return known;
    }
    long sum = 0;
    for (long[] page : pages) {
      if (page != null) {
        for (long count : page) {
          sum += count;
        }
      }
    }
    // One write of one field: threads that only read may do it at the same time.
    total = sum;
    return sum;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FloatHistogram that && Arrays.deepEquals(canonical(), that.canonical());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(canonical());
  }

  /** The pages with those left out that hold nothing. */
  private long[][] canonical() {
    long[][] canonical = pages.clone();
    for (int p = 0; p < PAGES; p++) {
      if (canonical[p] != null && isEmpty(canonical[p])) {
        canonical[p] = null;
      }
    }
    return canonical;
  }

  static boolean isEmpty(long[] page) {
    for (long count : page) {
      if (count != 0) {
        return false;
      }
    }
    return true;
  }
}
