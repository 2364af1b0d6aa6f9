package org.tare.spark.rows;

import java.util.Arrays;

/**
 * The numbers of one column of one row, in the column's order, before they become the model's type.
 * They are either all exact whole numbers or all floating-point. The memory serves row after row.
 */
final class Numbers {
  /** What one number takes. */
  static final long SIZE_BYTES = 8;

  private double[] doubles = {};
  private long[] longs = {};
  private boolean exact;
  private int size;

  /** Forgets all numbers; those that follow are exact or not. */
  void clear(boolean areExact) {
    exact = areExact;
    size = 0;
  }

  /** Makes room for so many numbers in all, so that adding them copies nothing. */
  void reserve(int count) {
    if (exact && longs.length < count) {
      longs = Arrays.copyOf(longs, count);
    } else if (!exact && doubles.length < count) {
      doubles = Arrays.copyOf(doubles, count);
    }
  }

  /** Adds a number that has not to be exact. */
  void add(double value) {
    if (size == doubles.length) {
      reserve(grown());
    }
    doubles[size++] = value;
  }

  /** Adds an exact number. */
  void addExact(long value) {
    if (size == longs.length) {
      reserve(grown());
    }
    longs[size++] = value;
  }

  /** Adds a whole number, exactly if all are. */
  void addWhole(long value) {
    if (exact) {
      addExact(value);
    } else {
      add((double) value);
    }
  }

  private int grown() {
    return Math.addExact(Math.max(16, size), size / 2);
  }

  boolean isExact() {
    return exact;
  }

  int size() {
    return size;
  }

  double number(int position) {
    return doubles[position];
  }

  long whole(int position) {
    return longs[position];
  }
}
