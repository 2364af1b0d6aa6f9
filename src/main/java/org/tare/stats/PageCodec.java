package org.tare.stats;

/**
 * One page of a {@link FloatHistogram} as bytes: 128 counts in the shortest of three forms, the
 * first of equals.
 *
 * <pre>
 *   0 sparse  varint number of pairs; per pair u8 index, varint count
 *   1 dense   {@value FloatHistogram#PAGE_SIZE} varints
 *   2 Rice    u8 parameter k; per count the quotient by 2^k in unary (ones, then a zero), then the
 *             rest in k bits, low bits first; filled up to a whole byte
 * </pre>
 */
final class PageCodec {
  private static final int SPARSE = 0;
  private static final int DENSE = 1;
  private static final int RICE = 2;
  private static final int MAX_RICE_PARAMETER = 62;

  private PageCodec() {}

  static void write(ByteWriter out, long[] counts) {
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

  /**
   * The parameter of the fewest bits among those near the mean's logarithm, the least of equals.
   */
  private static int riceParameter(long[] counts) {
    double sum = 0;
    for (long count : counts) {
      sum += count;
    }
    int near = Math.max(0, Math.getExponent(Math.max(1, sum / counts.length)));
    int best = Math.max(0, near - 2);
    long bestBits = riceBits(counts, best);
    for (int k = best + 1; k <= Math.min(MAX_RICE_PARAMETER, near + 2); k++) {
      long bits = riceBits(counts, k);
      if (bits < bestBits) {
        best = k;
        bestBits = bits;
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

  /** Adds a page's counts to those given. */
  static void addTo(long[] counts, ByteReader in) {
    int form = in.u8();
    switch (form) {
      case SPARSE -> {
        long used = in.varint();
        for (long i = 0; i < used; i++) {
          int index = in.u8();
          if (index >= counts.length) {
            throw in.damaged("bucket " + index + " cannot be there");
          }
          counts[index] = Math.addExact(counts[index], in.varint());
        }
      }
      case DENSE -> {
        for (int i = 0; i < counts.length; i++) {
          counts[i] = Math.addExact(counts[i], in.varint());
        }
      }
      case RICE -> addRice(counts, in);
      default -> throw in.damaged("form " + form + " of a page is unknown");
    }
  }

  private static void addRice(long[] counts, ByteReader in) {
    int k = in.u8();
    if (k > MAX_RICE_PARAMETER) {
      throw in.damaged("a parameter of " + k + " cannot be there");
    }
    Bits bits = new Bits(in);
    for (int i = 0; i < counts.length; i++) {
      long quotient = bits.ones();
      if (k > 0 && quotient > Long.MAX_VALUE >>> k) {
        throw in.damaged("a count is out of range");
      }
      counts[i] = Math.addExact(counts[i], quotient << k | bits.next(k));
    }
    bits.giveBackWholeBytes();
  }

  /** Bits, low ones first, from a window of up to seven bytes. */
  private static final class Bits {
    private static final int LOW_WATER = 48;

    private final ByteReader in;
    private long window;
    private int filled;

    Bits(ByteReader in) {
      this.in = in;
    }

    private void fill() {
      if (filled == 0 && !in.hasMore()) {
        in.u8(); // says that the end came too early
      }
      while (filled <= LOW_WATER && in.hasMore()) {
        window |= (long) in.u8() << filled;
        filled += 8;
      }
    }

    /** The length of a run of ones, which a zero ends. */
    long ones() {
      long run = 0;
      while (true) {
        int ones = Long.numberOfTrailingZeros(~window);
        if (ones < filled) {
          window >>>= ones + 1;
          filled -= ones + 1;
          return run + ones;
        }
        run += filled;
        window = 0;
        filled = 0;
        fill();
      }
    }

    long next(int count) {
      long value = 0;
      int read = 0;
      while (read < count) {
        if (filled == 0) {
          fill();
        }
        int take = Math.min(count - read, filled);
        value |= (window & (1L << take) - 1) << read;
        window >>>= take;
        filled -= take;
        read += take;
      }
      return value;
    }

    void giveBackWholeBytes() {
      in.unread(filled >>> 3);
    }
  }
}
