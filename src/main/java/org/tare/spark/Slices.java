package org.tare.spark;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;

/** Cuts rows that are sorted by the columns of a slice into its runs. */
final class Slices {
  private final Iterator<Row> rows;
  private final List<SliceColumn> columns;
  private Row ahead;
  private String aheadName;
  private String name;

  Slices(Iterator<Row> rows, List<SliceColumn> columns) {
    this.rows = rows;
    this.columns = columns;
    advance();
  }

  private void advance() {
    ahead = rows.hasNext() ? rows.next() : null;
    aheadName = ahead == null ? null : SliceColumn.sliceOf(columns, ahead);
  }

  /** Goes on to the next slice, once the rows of this one are read; false if there is none. */
  boolean next() {
    name = aheadName;
    return ahead != null;
  }

  /** The name of this slice. */
  String name() {
    return name;
  }

  /** The rows of this slice. */
  Iterator<Row> rows() {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return ahead != null && aheadName.equals(name);
      }

      @Override
      public Row next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        Row row = ahead;
        advance();
        return row;
      }
    };
  }
}
