package org.tare.stats.bytes;

/**
 * One page of a histogram as bytes: 128 counts in the shortest of three forms, the first of equals.
 *
 * <pre>
 *   0 sparse  varint number of pairs; per pair, by ascending index, u8 index, varint count
 *   1 dense   {@value #PAGE_SIZE} varints
 *   2 Rice    u8 parameter k; per count the quotient by 2^k in unary (ones, then a zero), then the
 *             rest in k bits, low bits first; filled up to a whole byte with zeros
 * </pre>
 *
 * <p>A page holds at least one value.
 */
public final class PageCodec {
  /** How many counts a page has. */
  public static final int PAGE_SIZE = 128;

  private static final int SPARSE = 0;
  private static final int DENSE = 1;
  private static final int RICE = 2;
  private static final int MAX_RICE_PARAMETER = 62;

  /** No Rice page is shorter: its form, its parameter, and a bit of each count. */
  private static final int LEAST_RICE_BYTES = 2 + PAGE_SIZE / 8;

  /** Counts below that have a sum below 2^53, which float64 holds. */
  private static final long SMALL = 1L << 46;

  private PageCodec() {}

  public static void write(ByteWriter out, long[] counts) {
    int form = shortestForm(counts);
    out.u8(form & 0xff);
    switch (form & 0xff) {
      case SPARSE -> {
        out.varint(used(counts));
        for (int i = 0; i < counts.length; i++) {
          if (counts[i] != 0) {
            out.u8(i);
            out.varint(counts[i]);
          }
        }
      }
      case DENSE -> {
        for (long count : counts) {
          out.varint(count);
        }
      }
      default -> {
        out.u8(form >>> 8);
        writeRice(out, counts, form >>> 8);
      }
    }
  }

  private static int used(long[] counts) {
    int used = 0;
    for (long count : counts) {
      used += count == 0 ? 0 : 1;
    }
    return used;
  }

  /** The form; in the bits from the eighth on, Rice's parameter. Lengths leave the form out. */
  private static int shortestForm(long[] counts) {
    int parameter = riceParameter(counts);
    long rice = 1 + (riceBits(counts, parameter) + 7) / 8;
    int riceForm = RICE | parameter << 8;
    // Each pair takes two bytes at least, each varint one.
    if (1 + 2 * used(counts) > rice && counts.length > rice) {
      return riceForm;
    }
    int sparse = 1;
    int dense = 0;
    for (long count : counts) {
      int length = ByteWriter.varintLength(count);
      dense += length;
      sparse += count == 0 ? 0 : 1 + length;
    }
    if (sparse <= dense && sparse <= rice) {
      return SPARSE;
    }
    return dense <= rice ? DENSE : riceForm;
  }

  /**
   * The parameter of the fewest bits among those near the mean's logarithm, the least of equals.
   */
  private static int riceParameter(long[] counts) {
    double sum = 0;
    if (areSmall(counts)) {
      long exact = 0;
      for (long count : counts) {
        exact += count;
      }
      sum = exact;
    } else {
      for (long count : counts) {
        sum += count;
      }
    }
    int near = near(sum);
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

  private static int near(double sum) {
    return Math.max(0, Math.getExponent(Math.max(1, sum / PAGE_SIZE)));
  }

  private static boolean areSmall(long[] counts) {
    long all = 0;
    for (long count : counts) {
      all |= count;
    }
    return all < SMALL;
  }

  private static long riceBits(long[] counts, int parameter) {
    long bits = 0;
    if (areSmall(counts)) {
      for (long count : counts) {
        bits += count >>> parameter;
      }
      return bits + (long) counts.length * (1 + parameter);
    }
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

  /** A page as it was read: its form with Rice's parameter, and what its counts come to. */
  public static final class Page {
    private int form;
    private int bytes;
    private int used;

    private long sum;
    private int first;
    private int last;

    /** The sum of the counts, from 1 to 2^63 - 1. */
    public long sum() {
      return sum;
    }

    /** The first index that holds values. */
    public int first() {
      return first;
    }

    /** The last index that holds values. */
    public int last() {
      return last;
    }
  }

  /**
   * Reads a page and adds it to counts.
   *
   * @param sign 1 to add, -1 to take away what was added; whether the counts' sum is in range is
   *     the caller's to see
   */
  public static void addTo(long[] counts, int sign, ByteReader in, Page page) {
    int start = in.position();
    page.form = in.u8();
    switch (page.form) {
      case SPARSE -> addSparse(counts, sign, in, page);
      case DENSE -> addDense(counts, sign, in, page);
      case RICE -> {
        int k = in.u8();
        if (k > MAX_RICE_PARAMETER) {
          throw in.damaged("a parameter of " + k + " cannot be there");
        }
        page.form |= k << 8;
        addRice(counts, sign, in, page, k);
      }
      default -> throw in.damaged("form " + page.form + " of a page is unknown");
    }
    if (page.used == 0) {
      throw in.damaged("a page holds no values");
    }
    page.bytes = in.position() - start;
  }

  private static void addSparse(long[] counts, int sign, ByteReader in, Page page) {
    int used = in.count("buckets of a page", 2);
    long sum = 0;
    int last = -1;
    for (int i = 0; i < used; i++) {
      int index = in.u8();
      if (index >= counts.length) {
        throw in.damaged("bucket " + index + " cannot be there");
      }
      if (index <= last) {
        throw in.damaged("bucket " + index + " follows bucket " + last + " of its page");
      }
      long count = in.varint();
      if (count == 0) {
        throw in.damaged("bucket " + index + " of a page says that it holds no values");
      }
      page.first = i == 0 ? index : page.first;
      last = index;
      sum += count;
      requireInRange(sum, in);
      counts[index] += sign * count;
    }
    page.sum = sum;
    page.used = used;
    page.last = last;
  }

  private static void addDense(long[] counts, int sign, ByteReader in, Page page) {
    page.sum = 0;
    page.used = 0;
    for (int i = 0; i < counts.length; i++) {
      long count = in.varint();
      if (count != 0) {
        page.sum += count;
        requireInRange(page.sum, in);
        counts[i] += sign * count;
        page.first = page.used == 0 ? i : page.first;
        page.last = i;
        page.used++;
      }
    }
  }

  private static void addRice(long[] counts, int sign, ByteReader in, Page page, int k) {
    // Local, so that the JIT keeps it in registers.
    Bits bits = new Bits(in);
    long sum = 0;
    long sums = 0;
    int used = 0;
    int first = counts.length;
    int last = -1;
    // No branches on counts, which are as often zero as not: the CPU could not foresee them.
    for (int from = 0; from < counts.length; from += Long.SIZE) {
      long holding = 0;
      for (int i = from; i < from + Long.SIZE; i++) {
        long count = bits.count(k);
        sum += count;
        sums |= sum;
        counts[i] += sign * count;
        // The sign of a count taken from zero, which comes to stand at the count's place.
        holding = (holding >>> 1) | (-count & Long.MIN_VALUE);
      }
      used += Long.bitCount(holding);
      if (holding != 0) {
        first = Math.min(first, from + Long.numberOfTrailingZeros(holding));
        last = from + 63 - Long.numberOfLeadingZeros(holding);
      }
    }
    bits.end();
    // A sum that was out of range left its sign.
    requireInRange(sums, in);
    page.sum = sum;
    page.used = used;
    page.first = first;
    page.last = last;
  }

  private static void requireInRange(long sum, ByteReader in) {
    if (sum < 0) {
      throw in.damaged("its counts are out of range");
    }
  }

  /**
   * Makes sure that a page was read in the form it would be written in.
   *
   * @param counts those of the page alone
   */
  public static void requireShortest(long[] counts, Page page, ByteReader in) {
    boolean isShortest =
        (page.form == SPARSE && page.bytes <= LEAST_RICE_BYTES) || isShortestRice(counts, page);
    if (!isShortest && page.form != shortestForm(counts)) {
      throw in.damaged("a page is not in its shortest form");
    }
  }

  /** Whether the form is Rice's and surely the shortest; a quick look that may say no wrongly. */
  private static boolean isShortestRice(long[] counts, Page page) {
    int rice = page.bytes - 1;
    if ((page.form & 0xff) != RICE
        || page.sum >= SMALL
        || 1 + 2 * page.used <= rice
        || counts.length <= rice) {
      return false;
    }
    int k = page.form >>> 8;
    int near = near((double) page.sum);
    if (k < near - 2 || k > near + 2) {
      return false;
    }
    // The bits are convex in the parameter: the best one has no better neighbour.
    return (k == Math.max(0, near - 2) || riceBits(counts, k - 1) > riceBits(counts, k))
        && (k == near + 2 || riceBits(counts, k + 1) >= riceBits(counts, k));
  }

  /** Bits, low ones first, from a window of up to eight bytes. */
  private static final class Bits {
    private final ByteReader in;

    /** The next bits; from the filled ones on, zeros or the bits that follow in the bytes. */
    private long window;

    private int filled;

    Bits(ByteReader in) {
      this.in = in;
    }

    /** Fills the window with at least one bit, and with 56 as long as there are eight bytes. */
    private void fill() {
      if (in.left() >= Long.BYTES) {
        window |= in.peekI64() << filled;
        int whole = (63 - filled) >>> 3;
        in.skip(whole);
        filled += 8 * whole;
        return;
      }
      window &= (1L << filled) - 1;
      if (filled == 0 && !in.hasMore()) {
        in.u8(); // says that the end came too early
      }
      while (filled < 56 && in.hasMore()) {
        window |= (long) in.u8() << filled;
        filled += 8;
      }
    }

    /** A count with Rice's parameter k. */
    long count(int k) {
      if (filled < 32) {
        fill();
      }
      int ones = Long.numberOfTrailingZeros(~window);
      int length = ones + 1 + k;
      if (length <= filled) {
        long count = ((long) ones << k) | ((window >>> (ones + 1)) & ((1L << k) - 1));
        window >>>= length;
        filled -= length;
        return count;
      }
      long quotient = ones();
      if (quotient > Long.MAX_VALUE >>> k) {
        throw in.damaged("its counts are out of range");
      }
      return quotient << k | next(k);
    }

    /** The length of a run of ones, which a zero ends. */
    private long ones() {
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

    private long next(int count) {
      long value = 0;
      int read = 0;
      while (read < count) {
        if (filled == 0) {
          window = 0;
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

    /** Ends with the byte that was begun, whose other bits are zeros. */
    void end() {
      in.unread(filled >>> 3);
      if ((window & (1L << (filled & 7)) - 1) != 0) {
        throw in.damaged("the bits that fill up a page are not zeros");
      }
    }
  }
}
