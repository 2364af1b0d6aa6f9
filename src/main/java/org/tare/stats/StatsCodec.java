package org.tare.stats;

import org.tare.TareException;
import org.tare.stats.bytes.ByteReader;
import org.tare.stats.bytes.ByteWriter;
import org.tare.stats.bytes.Checksum;
import org.tare.stats.bytes.PageCodec;

/**
 * {@link TensorStats} as bytes, little-endian. Equal stats give equal bytes.
 *
 * <pre>
 *   u8      version of this layout, 2
 *   u8      parts that follow the body, a sum: 1 channels, 2 moving average, 4 recording,
 *           8 smoothing
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
 *   smoothing, if there
 *           f32     alpha
 *           varint  number of channels
 *           i8*     exponent of the factor that a channel's values were divided by
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
  private static final int SMOOTHING = 8;

  private StatsCodec() {}

  /** The bytes of the stats. */
  public static byte[] encode(TensorStats stats) {
    ByteWriter out = new ByteWriter();
    out.u8(VERSION);
    out.u8(
        (stats.channels == null ? 0 : CHANNELS)
            + (stats.average == null ? 0 : AVERAGE)
            + (stats.recording == null ? 0 : RECORDING)
            + (stats.smoothing == null ? 0 : SMOOTHING));
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
    if (stats.smoothing != null) {
      writeSmoothing(out, stats.smoothing);
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
      writeExact(out, stats.sums.digits(c));
      writeExact(out, stats.magnitudes.digits(c));
      if (stats.hasHistograms()) {
        writeBody(out, stats.histograms[c]);
      }
    }
  }

  private static void writeExact(ByteWriter out, byte[] digits) {
    out.u8(digits.length);
    out.bytes(digits);
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

  private static void writeSmoothing(ByteWriter out, Smoothing smoothing) {
    out.f32(smoothing.alpha());
    out.varint(smoothing.channels());
    for (int exponent : smoothing.exponents()) {
      out.u8(exponent & 0xff);
    }
  }

  /**
   * The stats of the bytes.
   *
   * @throws TareException if they are not what {@link #encode} gives, or gave in version 1
   */
  public static TensorStats decode(byte[] bytes) {
    String source = "of a tensor";
    boolean isFirstVersion = bytes.length > 0 && bytes[0] == BODY_ONLY_VERSION;
    return isFirstVersion ? decodeBodyOnly(bytes, source) : decode(bytes, source);
  }

  /** The stats of bytes of version 1. */
  static TensorStats decodeBodyOnly(byte[] bytes, String source) {
    ByteReader in = new ByteReader(bytes, 0, bytes.length, source);
    requireVersion(BODY_ONLY_VERSION, in);
    TensorStats stats = TensorStats.empty();
    new StatsReader(in).body(stats);
    requireEnd(in);
    return stats;
  }

  /** The stats of bytes of version 2. */
  static TensorStats decode(byte[] bytes, String source) {
    ByteReader in = checked(bytes, source);
    int parts = in.u8();
    if (parts > CHANNELS + AVERAGE + RECORDING + SMOOTHING) {
      throw in.damaged("parts " + parts + " are unknown");
    }
    StatsReader reader = new StatsReader(in);
    TensorStats stats = TensorStats.empty();
    reader.body(stats);
    if ((parts & CHANNELS) != 0) {
      stats.channels = reader.channels();
    }
    if ((parts & AVERAGE) != 0) {
      stats.average = reader.average();
    }
    if ((parts & RECORDING) != 0) {
      stats.recording = reader.recording();
    }
    if ((parts & SMOOTHING) != 0) {
      stats.smoothing = reader.smoothing();
    }
    requireEnd(in);
    return stats;
  }

  /** What follows the version's byte, up to the checksum, which fits. */
  private static ByteReader checked(byte[] bytes, String source) {
    ByteReader all = new ByteReader(bytes, 0, bytes.length, source);
    requireVersion(VERSION, all);
    int end = bytes.length - Checksum.BYTES;
    if (end < 2
        || new ByteReader(bytes, end, bytes.length, source).i32() != Checksum.of(bytes, end)) {
      throw all.damaged("a tensor's checksum does not fit, it is damaged or cut short");
    }
    return new ByteReader(bytes, 1, end, source);
  }

  private static void requireVersion(int expected, ByteReader in) {
    int version = in.u8();
    if (version != expected) {
      throw in.damaged(
          "a tensor of it has layout "
              + version
              + " where layout "
              + expected
              + " is due; this Tare reads layouts 1 and "
              + VERSION);
    }
  }

  private static void requireEnd(ByteReader in) {
    if (!in.atEnd()) {
      throw in.damaged("bytes follow a tensor's end");
    }
  }

  /**
   * Merges the stats of the bytes into those given, without making an object of them where that can
   * be: what the merging of many partitions comes down to.
   *
   * <p>It checks what {@link #decode} checks but for one thing: a page of a histogram may be in
   * another form than the shortest. The counts are the same, and are written in the shortest.
   *
   * @throws TareException as decode and {@link TensorStats#merge} do; the stats are then as they
   *     were
   */
  public static void mergeInto(TensorStats stats, byte[] bytes) {
    boolean isPlain = bytes.length > 2 && bytes[0] == VERSION && bytes[1] == 0;
    if (!isPlain || stats.channels != null || stats.average != null || stats.recording != null) {
      stats.merge(decode(bytes));
      return;
    }
    ByteReader in = checked(bytes, "of a tensor");
    in.u8();
    BodyReader body = new BodyReader(in);
    long before = stats.count();
    body.add(
        stats.histogram(),
        () -> {
          requireEnd(in);
          Counts.requireRoom(before, body.count(), 1);
        });
    body.addTo(stats);
  }
}
