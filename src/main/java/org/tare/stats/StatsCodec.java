package org.tare.stats;

import java.math.BigInteger;
import org.tare.TareException;

/**
 * {@link TensorStats} as bytes, little-endian. Equal stats give equal bytes.
 *
 * <pre>
 *   u8      version of this layout, 2
 *   u8      parts that follow the body, a sum: 1 channels, 2 moving average, 4 recording
 *   body    varint  zeros, NaN, +infinities, -infinities
 *           f32     min, max
 *           varint  number of pages that hold values
 *           page*   varint: steps from the page before (from -1 for the first); then {@link PageCodec}
 *   channels, if there
 *           varint  number of channels
 *           u8      1 if each has a histogram, else 0
 *           channel* f32 min, max; varint finite, NaN, +infinities, -infinities
 *                   sum, sum of magnitudes: u8 length and a two's complement number of 2^-160 in
 *                   as few bytes as hold it, the highest first
 *                   body, if each has a histogram
 *   average, if there
 *           f32     averaging constant
 *           varint  number of channels, number of runs
 *           run*    by ascending start: varint start, u8 level, varint batches
 *                   f64 first minima, first maxima, reached minima, reached maxima, by channel
 *   recording, if there
 *           varint  limit; place of the first batch that did not fit, 2^63 - 1 for none
 *           varint  number of batches
 *           batch*  by ascending place: varint place, varint length, f32*
 *   u32     CRC-32C of all bytes before
 * </pre>
 *
 * <p>Version 1 is a version byte and a body, nothing else; it is still read.
 */
public final class StatsCodec {
  private static final int VERSION = 2;
  private static final int BODY_ONLY_VERSION = 1;
  private static final int CHANNELS = 1;
  private static final int AVERAGE = 2;
  private static final int RECORDING = 4;

  private StatsCodec() {}

  /** The bytes of the stats. */
  public static byte[] encode(TensorStats stats) {
    ByteWriter out = new ByteWriter();
    out.u8(VERSION);
    out.u8(
        (stats.channels == null ? 0 : CHANNELS)
            + (stats.average == null ? 0 : AVERAGE)
            + (stats.recording == null ? 0 : RECORDING));
    writeBody(out, stats);
    if (stats.channels != null) {
      writeChannels(out, stats.channels);
    }
    if (stats.average != null) {
      writeAverage(out, stats.average);
    }
    if (stats.recording != null) {
      writeRecording(out, stats.recording);
    }
    byte[] block = out.toByteArray();
    out.i32(Checksum.of(block, block.length));
    return out.toByteArray();
  }

  private static void writeBody(ByteWriter out, TensorStats stats) {
    out.varint(stats.zeros());
    out.varint(stats.nans());
    out.varint(stats.positiveInfinities());
    out.varint(stats.negativeInfinities());
    out.f32(stats.min());
    out.f32(stats.max());
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
        PageCodec.write(out, counts);
      }
    }
  }

  private static boolean isUsed(long[] page) {
    return page != null && !FloatHistogram.isEmpty(page);
  }

  private static void writeChannels(ByteWriter out, ChannelStats stats) {
    out.varint(stats.channels());
    out.u8(stats.hasHistograms() ? 1 : 0);
    for (int c = 0; c < stats.channels(); c++) {
      out.f32(stats.min[c]);
      out.f32(stats.max[c]);
      out.varint(stats.finite[c]);
      out.varint(stats.nans[c]);
      out.varint(stats.positiveInfinities[c]);
      out.varint(stats.negativeInfinities[c]);
      writeExact(out, stats.sums.exact(c));
      writeExact(out, stats.magnitudes.exact(c));
      if (stats.hasHistograms()) {
        writeBody(out, stats.histograms[c]);
      }
    }
  }

  private static void writeExact(ByteWriter out, BigInteger sum) {
    byte[] bytes = sum.toByteArray();
    out.u8(bytes.length);
    out.bytes(bytes);
  }

  private static void writeAverage(ByteWriter out, MovingAverage average) {
    out.f32(average.constant());
    out.varint(average.channels());
    out.varint(average.runs().size());
    for (MovingAverage.Run run : average.runs().values()) {
      out.varint(run.start());
      out.u8(run.level());
      out.varint(run.batches());
      for (double value : run.first()) {
        out.f64(value);
      }
      for (double value : run.reached()) {
        out.f64(value);
      }
    }
  }

  private static void writeRecording(ByteWriter out, Recording recording) {
    out.varint(recording.limit());
    out.varint(recording.end());
    out.varint(recording.bySequence().size());
    recording
        .bySequence()
        .forEach(
            (place, values) -> {
              out.varint(place);
              out.varint(values.length);
              for (float value : values) {
                out.f32(value);
              }
            });
  }

  /**
   * The stats of the bytes.
   *
   * @throws TareException if they are of another version, or damaged
   */
  public static TensorStats decode(byte[] bytes) {
    return decode(bytes, "of a tensor");
  }

  static TensorStats decode(byte[] bytes, String source) {
    TensorStats stats = TensorStats.empty();
    decodeInto(stats, bytes, source);
    return stats;
  }

  /**
   * Merges the stats of the bytes into those given, without making an object of them where that can
   * be: what the merging of many partitions comes down to.
   *
   * @throws TareException if they are of another version, or damaged
   */
  public static void mergeInto(TensorStats stats, byte[] bytes) {
    boolean isPlain = bytes.length > 2 && bytes[0] == VERSION && bytes[1] == 0;
    if (isPlain && stats.channels == null && stats.average == null && stats.recording == null) {
      decodeInto(stats, bytes, "of a tensor");
    } else {
      stats.merge(decode(bytes));
    }
  }

  private static void decodeInto(TensorStats stats, byte[] bytes, String source) {
    ByteReader header = new ByteReader(bytes, 0, bytes.length, source);
    try {
      decodeInto(stats, bytes, header, source);
    } catch (ArithmeticException e) {
      throw header.damaged("its counts are out of range").causedBy(e);
    }
  }

  private static void decodeInto(
      TensorStats stats, byte[] bytes, ByteReader header, String source) {
    int version = header.u8();
    if (version == BODY_ONLY_VERSION) {
      addBody(stats, header);
      if (!header.atEnd()) {
        throw header.damaged("bytes follow a tensor's end");
      }
      return;
    }
    if (version != VERSION) {
      throw header.damaged(
          "its tensors have layout " + version + ", this Tare reads layouts 1 and " + VERSION);
    }
    int end = bytes.length - Checksum.BYTES;
    if (end < 2
        || new ByteReader(bytes, end, bytes.length, source).i32() != Checksum.of(bytes, end)) {
      throw header.damaged("a tensor's checksum does not fit, it is damaged or cut short");
    }
    ByteReader in = new ByteReader(bytes, 1, end, source);
    int parts = in.u8();
    if (parts > CHANNELS + AVERAGE + RECORDING) {
      throw in.damaged("parts " + parts + " are unknown");
    }
    addBody(stats, in);
    if ((parts & CHANNELS) != 0) {
      stats.channels = readChannels(in);
    }
    if ((parts & AVERAGE) != 0) {
      stats.average = readAverage(in);
    }
    if ((parts & RECORDING) != 0) {
      stats.recording = readRecording(in);
    }
    if (!in.atEnd()) {
      throw in.damaged("bytes follow a tensor's end");
    }
  }

  private static void addBody(TensorStats stats, ByteReader in) {
    long zeros = in.varint();
    stats.zeros = Math.addExact(stats.zeros, zeros);
    stats.nans = Math.addExact(stats.nans, in.varint());
    stats.positiveInfinities = Math.addExact(stats.positiveInfinities, in.varint());
    stats.negativeInfinities = Math.addExact(stats.negativeInfinities, in.varint());
    float min = in.f32();
    float max = in.f32();
    long used = in.varint();
    checkRange(min, max, zeros + used == 0, in);
    stats.min = Math.min(stats.min, min);
    stats.max = Math.max(stats.max, max);
    long page = -1;
    for (long i = 0; i < used; i++) {
      long step = in.varint();
      page += Math.min(step, FloatHistogram.PAGES);
      if (step < 1
          || page >= FloatHistogram.PAGES
          || page == FloatHistogram.POSITIVE_SPECIAL_PAGE
          || page == FloatHistogram.NEGATIVE_SPECIAL_PAGE) {
        throw in.damaged("page " + page + " cannot be there");
      }
      PageCodec.addTo(stats.histogram().pageForUpdate((int) page), in);
    }
  }

  private static void checkRange(float min, float max, boolean isEmpty, ByteReader in) {
    boolean hasRange = Float.isFinite(min) && Float.isFinite(max) && min <= max;
    boolean hasNoRange = min == Float.POSITIVE_INFINITY && max == Float.NEGATIVE_INFINITY;
    if (isEmpty ? !hasNoRange : !hasRange) {
      throw in.damaged("range [" + min + ", " + max + "] does not fit the counts");
    }
  }

  private static ChannelStats readChannels(ByteReader in) {
    int count = in.length();
    if (count == 0) {
      throw in.damaged("it has channel statistics of no channels");
    }
    boolean withHistograms = in.u8() != 0;
    ChannelStats stats =
        withHistograms ? ChannelStats.withHistograms(count) : ChannelStats.of(count);
    for (int c = 0; c < count; c++) {
      stats.min[c] = in.f32();
      stats.max[c] = in.f32();
      stats.finite[c] = in.varint();
      stats.nans[c] = in.varint();
      stats.positiveInfinities[c] = in.varint();
      stats.negativeInfinities[c] = in.varint();
      checkRange(stats.min[c], stats.max[c], stats.finite[c] == 0, in);
      readExact(stats.sums, c, in);
      readExact(stats.magnitudes, c, in);
      if (withHistograms) {
        addBody(stats.histograms[c], in);
      }
    }
    return stats;
  }

  private static void readExact(ExactSums sums, int channel, ByteReader in) {
    int length = in.u8();
    if (length == 0) {
      throw in.damaged("a sum has no digits");
    }
    try {
      sums.set(channel, new BigInteger(in.bytes(length)));
    } catch (ArithmeticException e) {
      throw in.damaged("a sum is out of range");
    }
  }

  private static MovingAverage readAverage(ByteReader in) {
    float constant = in.f32();
    int channels = in.length();
    if (!(constant > 0 && constant <= 1)) {
      throw in.damaged("averaging constant " + constant + " cannot be there");
    }
    MovingAverage average = MovingAverage.empty(constant, channels);
    long runs = in.varint();
    for (long i = 0; i < runs; i++) {
      long start = in.varint();
      int level = in.u8();
      if (level > 62) {
        throw in.damaged("a run of level " + level + " cannot be there");
      }
      long batches = in.varint();
      MovingAverage.Run run =
          new MovingAverage.Run(
              start, level, batches, readDoubles(2 * channels, in), readDoubles(2 * channels, in));
      try {
        average.insert(run);
      } catch (TareException e) {
        throw in.damaged("two runs of a moving average stand at one place").causedBy(e);
      }
    }
    return average;
  }

  private static double[] readDoubles(int count, ByteReader in) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = in.f64();
    }
    return values;
  }

  private static Recording readRecording(ByteReader in) {
    long limit = in.varint();
    if (limit > Integer.MAX_VALUE) {
      throw in.damaged("a recording of " + limit + " values cannot be there");
    }
    Recording recording = Recording.of((int) limit);
    long end = in.varint();
    long batches = in.varint();
    for (long i = 0; i < batches; i++) {
      long place = in.varint();
      float[] values = new float[in.length()];
      for (int k = 0; k < values.length; k++) {
        values[k] = in.f32();
      }
      recording.observe(place, values);
    }
    recording.setEnd(end);
    return recording;
  }
}
