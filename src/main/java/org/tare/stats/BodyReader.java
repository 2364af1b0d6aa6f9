package org.tare.stats;

import org.tare.TareException;
import org.tare.stats.bytes.ByteReader;
import org.tare.stats.bytes.PageCodec;

/**
 * Reads a body as {@link StatsCodec} writes it: counts, range and pages. The pages go straight into
 * a histogram, for an object of each of many bodies would cost more than to read them.
 */
final class BodyReader {
  private final ByteReader in;
  private final PageCodec.Page page = new PageCodec.Page();

  private long zeros;
  private long nans;
  private long positiveInfinities;
  private long negativeInfinities;
  private float min;
  private float max;

  /** How many values the pages hold. */
  private long values;

  /** The first and the last bucket that hold values, by their bits, on each side; -1 for none. */
  private int firstPositive = -1;

  private int lastPositive = -1;
  private int firstNegative = -1;
  private int lastNegative = -1;

  BodyReader(ByteReader in) {
    this.in = in;
  }

  /** Reads a body in the form that it is written in; the histogram is empty. */
  void read(FloatHistogram histogram) {
    readCounts();
    readPages(histogram, 1, true);
    check();
    histogram.setTotal(values);
  }

  /**
   * Reads a body and adds its pages to a histogram.
   *
   * @param check what else must hold, lest nothing is added
   * @throws TareException if the body is refused, or what the check throws; the histogram then
   *     counts what it did
   */
  void add(FloatHistogram histogram, Runnable check) {
    long before = histogram.total();
    readCounts();
    int start = in.position();
    try {
      readPages(histogram, 1, false);
      check();
      check.run();
    } catch (TareException e) {
      in.unread(in.position() - start);
      takeAway(histogram);
      throw e;
    }
    histogram.setTotal(before + values);
  }

  /** Reads the pages again, to where they ended or were refused. */
  private void takeAway(FloatHistogram histogram) {
    try {
      readPages(histogram, -1, false);
    } catch (TareException e) {
      // As the first time: all before was taken away.
      return;
    }
  }

  private void readCounts() {
    zeros = in.varint();
    nans = in.varint();
    positiveInfinities = in.varint();
    negativeInfinities = in.varint();
    min = in.f32();
    max = in.f32();
  }

  private void readPages(FloatHistogram histogram, int sign, boolean isShortest) {
    long used = in.varint();
    values = 0;
    int place = -1;
    for (long i = 0; i < used; i++) {
      long step = in.varint();
      place += (int) Math.min(step, FloatHistogram.PAGES);
      if (step < 1
          || place >= FloatHistogram.PAGES
          || place == FloatHistogram.POSITIVE_SPECIAL_PAGE
          || place == FloatHistogram.NEGATIVE_SPECIAL_PAGE) {
        throw in.damaged("page " + place + " cannot be there");
      }
      long[] counts = histogram.pageForUpdate(place);
      PageCodec.addTo(counts, sign, in, page);
      if (isShortest) {
        PageCodec.requireShortest(counts, page, in);
      }
      values += page.sum();
      if (values < 0) {
        throw in.damaged("its counts are out of range");
      }
      noteBuckets(place * FloatHistogram.PAGE_SIZE);
    }
  }

  private void noteBuckets(int pageStart) {
    if (pageStart < FloatHistogram.PAGES / 2 * FloatHistogram.PAGE_SIZE) {
      firstPositive = firstPositive < 0 ? pageStart + page.first() : firstPositive;
      lastPositive = pageStart + page.last();
    } else {
      firstNegative = firstNegative < 0 ? pageStart + page.first() : firstNegative;
      lastNegative = pageStart + page.last();
    }
  }

  /** The least value lies in the lowest bucket that holds any, the greatest in the highest. */
  private void check() {
    if (!Counts.isSumInRange(values, zeros, nans, positiveInfinities, negativeInfinities)) {
      throw in.damaged("its counts are out of range");
    }
    long finite = values + zeros;
    boolean fits;
    if (finite == 0) {
      fits = min == Float.POSITIVE_INFINITY && max == Float.NEGATIVE_INFINITY;
    } else {
      // Of values below zero, the greatest magnitude is the least.
      int least = lastNegative < 0 && zeros == 0 ? firstPositive : lastNegative;
      int greatest = lastPositive < 0 && zeros == 0 ? firstNegative : lastPositive;
      fits = isIn(min, least) && isIn(max, greatest) && (finite == 1 ? min == max : min <= max);
    }
    if (!fits) {
      throw in.damaged("range [" + min + ", " + max + "] does not fit the counts");
    }
  }

  /**
   * Whether a value is one of a bucket; of no bucket, -1, whether it is zero as min and max are.
   */
  private static boolean isIn(float value, int bucket) {
    int bits = Float.floatToRawIntBits(value);
    return bucket < 0 ? bits == 0 : bits >>> FloatHistogram.SHIFT == bucket && value != 0;
  }

  /** How many values there are in all. */
  long count() {
    return values + zeros + nans + positiveInfinities + negativeInfinities;
  }

  /** Adds what stands beside the pages. */
  void addTo(TensorStats stats) {
    stats.zeros += zeros;
    stats.nans += nans;
    stats.positiveInfinities += positiveInfinities;
    stats.negativeInfinities += negativeInfinities;
    stats.min = Math.min(stats.min, min);
    stats.max = Math.max(stats.max, max);
  }
}
