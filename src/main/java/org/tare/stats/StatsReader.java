package org.tare.stats;

import org.tare.stats.bytes.ByteReader;

/**
 * Reads what {@link StatsCodec} writes, and refuses all else: bytes that are accepted are those
 * that the stats would be written as. Sizes are held against the bytes that are left before memory
 * is taken for them.
 */
final class StatsReader {
  /** A channel without digits: range, four counts, two sums of one byte. */
  private static final int LEAST_CHANNEL_BYTES = 8 + 4 + 2 * 2;

  /** A body without pages. */
  private static final int LEAST_BODY_BYTES = 4 + 8 + 1;

  /** A run without channels: start, level, batches. */
  private static final int LEAST_RUN_BYTES = 3;

  /** An empty batch: place, length. */
  private static final int LEAST_BATCH_BYTES = 2;

  private final ByteReader in;

  StatsReader(ByteReader in) {
    this.in = in;
  }

  /**
   * Reads zeros, NaN, infinities, range and pages.
   *
   * @param stats of nothing
   */
  void body(TensorStats stats) {
    BodyReader body = new BodyReader(in);
    body.read(stats.histogram());
    body.addTo(stats);
  }

  ChannelStats channels() {
    // The byte that says whether there are histograms comes after.
    int count = in.count("channels", LEAST_CHANNEL_BYTES);
    int withHistograms = in.u8();
    if (count == 0) {
      throw in.damaged("it has channel statistics of no channels");
    }
    if (withHistograms > 1) {
      throw in.damaged("detail " + withHistograms + " of channels is unknown");
    }
    if (withHistograms == 1) {
      in.requireRoom(count, "channels with histograms", LEAST_CHANNEL_BYTES + LEAST_BODY_BYTES);
    }
    ChannelStats stats =
        withHistograms == 1 ? ChannelStats.withHistograms(count) : ChannelStats.of(count);
    for (int c = 0; c < count; c++) {
      channel(stats, c);
    }
    return stats;
  }

  private void channel(ChannelStats stats, int c) {
    stats.min[c] = in.f32();
    stats.max[c] = in.f32();
    stats.finite[c] = in.varint();
    stats.nans[c] = in.varint();
    stats.positiveInfinities[c] = in.varint();
    stats.negativeInfinities[c] = in.varint();
    if (!Counts.isSumInRange(
        stats.finite[c], stats.nans[c], stats.positiveInfinities[c], stats.negativeInfinities[c])) {
      throw in.damaged("the counts of channel " + c + " are out of range");
    }
    if (!isRangeOf(stats.finite[c], stats.min[c], stats.max[c])) {
      throw in.damaged(
          "range ["
              + stats.min[c]
              + ", "
              + stats.max[c]
              + "] of channel "
              + c
              + " does not fit the counts");
    }
    exactSum(stats.sums, c);
    exactSum(stats.magnitudes, c);
    if (!stats.sumsFit(c)) {
      throw in.damaged("the sums of channel " + c + " do not fit its counts and its range");
    }
    if (stats.hasHistograms()) {
      body(stats.histograms[c]);
      if (!stats.histogramFits(c)) {
        throw in.damaged(
            "the histogram of channel " + c + " does not fit its counts and its range");
      }
    }
  }

  private static boolean isRangeOf(long finite, float min, float max) {
    if (finite == 0) {
      return min == Float.POSITIVE_INFINITY && max == Float.NEGATIVE_INFINITY;
    }
    int negativeZero = Float.floatToRawIntBits(-0f);
    return Float.isFinite(min)
        && Float.isFinite(max)
        && Float.floatToRawIntBits(min) != negativeZero
        && Float.floatToRawIntBits(max) != negativeZero
        && (finite == 1 ? min == max : min <= max);
  }

  private void exactSum(ExactSums sums, int channel) {
    int length = in.u8();
    if (length == 0) {
      throw in.damaged("a sum has no digits");
    }
    if (length > ExactSums.MAX_BYTES) {
      throw in.damaged("a sum is out of range");
    }
    byte[] digits = in.bytes(length);
    if (!ExactSums.isInRange(digits)) {
      throw in.damaged("a sum is out of range");
    }
    // A first byte that only repeats the sign of the second is one too many.
    if (length > 1 && digits[0] == digits[1] >> 7) {
      throw in.damaged("a sum is not in its shortest form");
    }
    sums.set(channel, digits);
  }

  MovingAverage average() {
    float constant = in.f32();
    if (!(constant > 0 && constant <= 1)) {
      throw in.damaged("averaging constant " + constant + " cannot be there");
    }
    long channels = in.varint();
    if (channels < 1 || channels > Integer.MAX_VALUE / 2) {
      throw in.damaged("a moving average of " + channels + " channels cannot be there");
    }
    MovingAverage average = MovingAverage.empty(constant, (int) channels);
    int runs = in.count("runs of a moving average", LEAST_RUN_BYTES + channels * 4 * Double.BYTES);
    MovingAverage.Run before = null;
    long batches = 0;
    for (int i = 0; i < runs; i++) {
      MovingAverage.Run run = run((int) channels);
      if (before != null && run.start() < before.end()) {
        throw in.damaged("two runs of a moving average stand at one place, or not in order");
      }
      if (before != null && before.joins(run)) {
        throw in.damaged("two runs of a moving average are not joined");
      }
      batches += run.batches();
      if (batches < 0) {
        throw in.damaged("its batches are out of range");
      }
      average.put(run);
      before = run;
    }
    return average;
  }

  private MovingAverage.Run run(int channels) {
    long start = in.varint();
    int level = in.u8();
    if (level > MovingAverage.MAX_LEVEL
        || start > MovingAverage.LAST_PLACE
        || (start & (1L << level) - 1) != 0) {
      throw in.damaged("a run of level " + level + " cannot be at place " + start);
    }
    long batches = in.varint();
    if (batches < 1L << level) {
      throw in.damaged("a run of level " + level + " cannot be of " + batches + " batches");
    }
    double[] first = doubles(2 * channels);
    double[] reached = doubles(2 * channels);
    for (int i = 0; i < first.length; i++) {
      boolean isReachedKept =
          level > 0 || (batches == 1 ? same(first[i], reached[i]) : isFloat(reached[i]));
      if (!isFloat(first[i]) || !isReachedKept) {
        throw in.damaged(
            "a run of a moving average cannot begin with "
                + first[i]
                + " and reach "
                + reached[i]
                + " in "
                + batches
                + " batches");
      }
    }
    return new MovingAverage.Run(start, level, batches, first, reached);
  }

  private static boolean same(double one, double other) {
    return Double.compare(one, other) == 0;
  }

  /** Whether it came from a float32 number. */
  private static boolean isFloat(double value) {
    return same((float) value, value);
  }

  private double[] doubles(int count) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = in.f64();
    }
    return values;
  }

  Recording recording() {
    long limit = in.varint();
    if (limit > Integer.MAX_VALUE) {
      throw in.damaged("a recording of " + limit + " values cannot be there");
    }
    Recording recording = Recording.of((int) limit);
    long end = in.varint();
    int batches = in.count("batches of a recording", LEAST_BATCH_BYTES);
    long last = -1;
    long left = limit;
    for (int i = 0; i < batches; i++) {
      long place = in.varint();
      if (place <= last || place >= end) {
        throw in.damaged(
            "a batch of a recording cannot be at place "
                + place
                + ", between "
                + last
                + " and "
                + end);
      }
      last = place;
      float[] values = new float[in.count("values of a batch", Float.BYTES)];
      for (int k = 0; k < values.length; k++) {
        values[k] = in.f32();
      }
      left -= values.length;
      if (left < 0) {
        throw in.damaged("a recording holds more than its limit of " + limit + " values");
      }
      recording.observe(place, values);
    }
    recording.setEnd(end);
    return recording;
  }

  Smoothing smoothing() {
    float alpha = in.f32();
    boolean isShare = alpha >= 0 && alpha <= 1 && Float.floatToRawIntBits(alpha) >= 0;
    if (!isShare) {
      throw in.damaged("alpha " + alpha + " of SmoothQuant cannot be there");
    }
    int[] exponents = new int[in.count("factors of SmoothQuant", 1)];
    if (exponents.length == 0) {
      throw in.damaged("it has factors of SmoothQuant for no channels");
    }
    for (int c = 0; c < exponents.length; c++) {
      exponents[c] = (byte) in.u8();
      if (!Smoothing.isExponent(exponents[c])) {
        throw in.damaged("a factor of 2^" + exponents[c] + " of SmoothQuant cannot be there");
      }
    }
    return new Smoothing(alpha, exponents);
  }
}
