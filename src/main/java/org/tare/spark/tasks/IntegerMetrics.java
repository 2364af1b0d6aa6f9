package org.tare.spark.tasks;

import java.io.Serializable;
import java.util.Optional;
import org.tare.spark.rows.SequenceMask;

/**
 * Counts over rows that say how often one output of integers, classes or indices or tokens, is the
 * same in both models: the distance of two class numbers says nothing. They merge by addition.
 */
public final class IntegerMetrics implements Serializable {
  private static final long serialVersionUID = 1L;

  private long rows;
  private long sameRows;
  private long count;
  private long same;
  private long labelled;
  private long floatRight;
  private long quantizedRight;
  private boolean otherShape;

  void merge(IntegerMetrics other) {
    rows += other.rows;
    sameRows += other.sameRows;
    count += other.count;
    same += other.same;
    labelled += other.labelled;
    floatRight += other.floatRight;
    quantizedRight += other.quantizedRight;
    otherShape |= other.otherShape;
  }

  void markOtherShape() {
    otherShape = true;
  }

  boolean hasOtherShape() {
    return otherShape;
  }

  /**
   * Adds a row.
   *
   * @param row which row of the batch
   * @param filling leaves places of a sequence out, the values being of that many places each
   */
  void add(long[] x, long[] y, int row, int length, Optional<SequenceMask> filling) {
    long before = count - same;
    int from = row * length;
    if (filling.isPresent()) {
      int perPlace = length / filling.get().length();
      filling.get().each(row, (a, b) -> add(x, y, a * perPlace, b * perPlace));
    } else {
      add(x, y, from, from + length);
    }
    rows++;
    sameRows += count - same == before ? 1 : 0;
  }

  private void add(long[] x, long[] y, int from, int to) {
    for (int i = from; i < to; i++) {
      same += x[i] == y[i] ? 1 : 0;
    }
    count += to - from;
  }

  /** Adds the class of a row. */
  void addClass(long x, long y, long label) {
    labelled++;
    floatRight += x == label ? 1 : 0;
    quantizedRight += y == label ? 1 : 0;
  }

  public long rows() {
    return rows;
  }

  /** The share of values that are the same; NaN for none. */
  public double agreement() {
    return (double) same / count;
  }

  /** The share of rows in which all values are the same. */
  public double rowAgreement() {
    return (double) sameRows / rows;
  }

  /** Whether there were labels, and one class a row. */
  public boolean isLabelled() {
    return labelled > 0;
  }

  /** The share of rows in which the float model gives the label. */
  public double floatTop1() {
    return (double) floatRight / labelled;
  }

  /** The share of rows in which the quantized model gives the label. */
  public double quantizedTop1() {
    return (double) quantizedRight / labelled;
  }
}
