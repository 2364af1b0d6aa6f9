package org.tare.stats;

/**
 * {@link TensorStats} as bytes, little-endian. Equal stats give equal bytes.
 *
 * <pre>
 *   u8      version of this layout, 1
 *   varint  zeros, NaN, +infinities, -infinities
 *   f32     min, max
 *   varint  number of pages that hold values
 *   page*   varint: steps from the page before (from -1 for the first); u8: form; counts
 * </pre>
 *
 * Each page takes the shortest of three forms, the first of equals: pairs of index and varint,
 * {@value FloatHistogram#PAGE_SIZE} varints, or Golomb-Rice codes with their parameter.
 */
public final class StatsCodec {
  private static final int VERSION = 1;
  private static final int SPARSE = 0;
  private static final int DENSE = 1;
  private static final int RICE = 2;
  private static final int MAX_RICE_PARAMETER = 62;

  private StatsCodec() {}

  /** The bytes of the stats. */
  public static byte[] encode(TensorStats stats) {
    ByteWriter out = new ByteWriter();
    out.u8(VERSION);
    out.varint(stats.zeros());
    out.varint(stats.nans());
    out.varint(stats.positiveInfinities());
    out.varint(stats.negativeInfinities());
    out.i32(Float.floatToRawIntBits(stats.min()));
    out.i32(Float.floatToRawIntBits(stats.max()));
    FloatHistogram histogram = stats.histogram();
    int used = 0;
    for (int p = 0; p < FloatHistogram.PAGES; p++) {
      used += isUsed(histogram.page(p)) ? 1 : 0;
    }
    out.varint(used);
    int last = -1;
    for (int p = 0; p < FloatHistogram.PAGES; p++) {
      long[] counts = histogram.page(p);
      if (isUsed(counts)) {
        out.varint(p - last);
        last = p;
        writePage(out, counts);
      }
    }
    return out.toByteArray();
  }

  private static boolean isUsed(long[] page) {
    return page != null && !FloatHistogram.isEmpty(page);
  }

  private static void writePage(ByteWriter out, long[] counts) {
    int sparse = 1;
    int dense = 0;
    for (long count : counts) {
      int length = ByteWriter.varintLength(count);
      dense += length;
      sparse += count == 0 ? 0 : 1 + length;
    }
    int parameter = riceParameter(counts);
    long rice = 1 + (riceBits(counts, parameter) + 7) / 8;
    if (sparse <= dense && sparse <= rice) {
      out.u8(SPARSE);
      int used = 0;
      for (long count : counts) {
        used += count == 0 ? 0 : 1;
      }
      out.varint(used);
      for (int i = 0; i < counts.length; i++) {
        if (counts[i] != 0) {
          out.u8(i);
          out.varint(counts[i]);
        }
      }
    } else if (dense <= rice) {
      out.u8(DENSE);
      for (long count : counts) {
        out.varint(count);
      }
    } else {
      out.u8(RICE);
      out.u8(parameter);
      writeRice(out, counts, parameter);
    }
  }

  /** The parameter of the fewest bits, the least of equals. */
  private static int riceParameter(long[] counts) {
    int best = 0;
    for (int k = 1; k <= MAX_RICE_PARAMETER; k++) {
      if (riceBits(counts, k) < riceBits(counts, best)) {
        best = k;
      }
    }
    return best;
  }

  private static long riceBits(long[] counts, int parameter) {
    long bits = 0;
    for (long count : counts) {
      // Saturates: what is this long is never chosen.
      bits = Math.min(bits + (count >>> parameter) + 1 + parameter, Long.MAX_VALUE / 2);
    }
    return bits;
  }

  /** The quotient in unary (ones, then a zero), the rest in {@code k} bits; low bits first. */
  private static void writeRice(ByteWriter out, long[] counts, int k) {
    long pending = 0;
    int filled = 0;
    for (long count : counts) {
      long quotient = count >>> k;
      for (long i = 0; i <= quotient + k; i++) {
        long bit = i < quotient ? 1 : i == quotient ? 0 : count >>> (i - quotient - 1) & 1;
        pending |= bit << filled++;
        if (filled == 8) {
          out.u8((int) pending);
          pending = 0;
          filled = 0;
        }
      }
    }
    if (filled > 0) {
      out.u8((int) pending);
    }
  }

  /**
   * The stats of the bytes.
   *
   * @throws org.tare.TareException if they are of another version, or damaged
   */
  public static TensorStats decode(byte[] bytes) {
    return decode(bytes, "of a tensor");
  }

  static TensorStats decode(byte[] bytes, String source) {
    ByteReader in = new ByteReader(bytes, 0, bytes.length, source);
    int version = in.u8();
    if (version != VERSION) {
      throw in.damaged(
          "its tensors have layout " + version + ", this Tare reads layout " + VERSION);
    }
    TensorStats stats = TensorStats.empty();
    stats.zeros = in.varint();
    stats.nans = in.varint();
    stats.positiveInfinities = in.varint();
    stats.negativeInfinities = in.varint();
    stats.min = Float.intBitsToFloat(in.i32());
    stats.max = Float.intBitsToFloat(in.i32());
    long used = in.varint();
    long page = -1;
    for (long i = 0; i < used; i++) {
      long step = in.varint();
      page += step;
      if (step < 1
          || page >= FloatHistogram.PAGES
          || page == FloatHistogram.POSITIVE_SPECIAL_PAGE
          || page == FloatHistogram.NEGATIVE_SPECIAL_PAGE) {
        throw in.damaged("page " + page + " cannot be there");
      }
      readPage(in, stats.histogram().pageForUpdate((int) page));
    }
    if (!in.atEnd()) {
      throw in.damaged("bytes follow a tensor's end");
    }
    check(stats, in);
    return stats;
  }

  private static void check(TensorStats stats, ByteReader in) {
    boolean isEmpty = stats.finiteCount() == 0;
    boolean hasRange =
        Float.isFinite(stats.min) && Float.isFinite(stats.max) && stats.min <= stats.max;
    boolean hasNoRange =
        stats.min == Float.POSITIVE_INFINITY && stats.max == Float.NEGATIVE_INFINITY;
    if (isEmpty ? !hasNoRange : !hasRange) {
      throw in.damaged("range [" + stats.min + ", " + stats.max + "] does not fit the counts");
    }
  }

  private static void readPage(ByteReader in, long[] counts) {
    int form = in.u8();
    switch (form) {
      case SPARSE -> {
        long used = in.varint();
        for (long i = 0; i < used; i++) {
          int index = in.u8();
          if (index >= counts.length) {
            throw in.damaged("bucket " + index + " cannot be there");
          }
          counts[index] = in.varint();
        }
      }
      case DENSE -> {
        for (int i = 0; i < counts.length; i++) {
          counts[i] = in.varint();
        }
      }
      case RICE -> readRice(in, counts);
      default -> throw in.damaged("form " + form + " of a page is unknown");
    }
  }

  private static void readRice(ByteReader in, long[] counts) {
    int k = in.u8();
    if (k > MAX_RICE_PARAMETER) {
      throw in.damaged("a parameter of " + k + " cannot be there");
    }
    int current = 0;
    int left = 0;
    for (int i = 0; i < counts.length; i++) {
      long quotient = 0;
      long rest = 0;
      int restBits = -1;
      while (restBits < k) {
        if (left == 0) {
          current = in.u8();
          left = 8;
        }
        long bit = current & 1;
        current >>>= 1;
        left--;
        if (restBits >= 0) {
          rest |= bit << restBits++;
        } else if (bit == 0) {
          restBits = 0;
        } else {
          quotient++;
        }
      }
      counts[i] = quotient << k | rest;
    }
  }
}
