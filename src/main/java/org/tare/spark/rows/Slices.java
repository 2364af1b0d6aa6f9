package org.tare.spark.rows;

import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;

/** Cuts rows that are sorted by the columns of a slice into its runs. */
public final class Slices {
  private final Iterator<Row> rows;
  private final List<SliceColumn> columns;
  private Row ahead;
  private String aheadName;
  private String name;

  private Slices(Iterator<Row> rows, List<SliceColumn> columns) {
    this.rows = rows;
    this.columns = columns;
    advance();
  }

  /** What a task makes of the rows of one slice. */
  @FunctionalInterface
  public interface Work<T> {
    Iterator<T> of(String slice, Iterator<Row> rows);
  }

  /**
   * The results of all slices, one after the other: each slice is worked on when it is asked for,
   * so that a task holds one at a time. Without columns all rows are one slice without a name.
   */
  public static <T> Iterator<T> each(Iterator<Row> rows, List<SliceColumn> columns, Work<T> work) {
    if (columns.isEmpty()) {
      return work.of("", rows);
    }
    Slices slices = new Slices(rows, columns);
    return new Iterator<>() {
      private Iterator<T> ready = Collections.emptyIterator();

      @Override
      public boolean hasNext() {
        while (!ready.hasNext() && slices.next()) {
          ready = work.of(slices.name, slices.rows());
        }
        return ready.hasNext();
      }

      @Override
      public T next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        return ready.next();
      }
    };
  }

  private void advance() {
    ahead = rows.hasNext() ? rows.next() : null;
    aheadName = ahead == null ? null : SliceColumn.sliceOf(columns, ahead);
  }

  /** Goes on to the next slice, once the rows of this one are read; false if there is none. */
  private boolean next() {
    name = aheadName;
    return ahead != null;
  }

  /** The rows of this slice. */
  private Iterator<Row> rows() {
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
