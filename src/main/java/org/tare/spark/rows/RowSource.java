package org.tare.spark.rows;

import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.Row;
import org.apache.spark.util.LongAccumulator;
import org.tare.TareException;

/**
 * The decoding of a partition's rows into batches, with the policy for bad rows; what both jobs
 * share.
 *
 * @param action for messages: calibrate, evaluate
 * @param keyIndex the column that names rows in messages, or -1
 * @param labelIndex the column of labels, or -1
 * @param seen counts rows for the display of progress, and nothing else
 */
public record RowSource(
    String action,
    String model,
    List<InputBinding> bindings,
    int batchSize,
    BadRows badRows,
    int keyIndex,
    String keyColumn,
    int labelIndex,
    LongAccumulator seen)
    implements Serializable {

  /** What became of the rows of a partition. */
  public static final class Tally {
    private long rows;
    private long skipped;
    private String reason = "";

    /** Counts a row that was used. */
    public void countRow() {
      rows++;
    }

    private void countSkipped(String why) {
      if (reason.isEmpty() || why.compareTo(reason) < 0) {
        reason = why;
      }
      skipped++;
    }

    /** Rows that were used. */
    public long rows() {
      return rows;
    }

    /** Rows that could not be decoded. */
    public long skipped() {
      return skipped;
    }

    /** One reason, the first in the order of texts; empty if nothing was skipped. */
    public String reason() {
      return reason;
    }
  }

  /** Decodes all rows and runs their batches. */
  public Tally run(Iterator<Row> rows, Batches.Sink sink) {
    Tally tally = new Tally();
    RowDecoder decoder = new RowDecoder(bindings);
    Batches batches = new Batches(bindings, batchSize, sink);
    long position = 0;
    while (rows.hasNext()) {
      Row row = rows.next();
      try {
        batches.add(decoder.decode(row), label(row));
        tally.countRow();
      } catch (RowDecoder.BadRow e) {
        String reason = e.getMessage() + " in " + rowName(row, position);
        if (!badRows.skip()) {
          throw failure(reason);
        }
        tally.countSkipped(reason);
      }
      position++;
      seen.add(1);
    }
    batches.finish();
    return tally;
  }

  /** Throws if the row is bad and bad rows are an error. */
  void check(Row row) {
    try {
      new RowDecoder(bindings).decode(row);
      label(row);
    } catch (RowDecoder.BadRow e) {
      if (!badRows.skip()) {
        throw failure(e.getMessage() + " in " + rowName(row, 0));
      }
    }
  }

  private TareException failure(String reason) {
    return TareException.badInput(
        "Cannot %s %s: %s; fix the row, or skip such rows with bad-rows=skip",
        action, model, reason);
  }

  private long label(Row row) throws RowDecoder.BadRow {
    if (labelIndex < 0) {
      return -1;
    }
    if (row.isNullAt(labelIndex)) {
      throw new RowDecoder.BadRow("the label is null");
    }
    return ((Number) row.get(labelIndex)).longValue();
  }

  private String rowName(Row row, long position) {
    if (keyIndex >= 0) {
      return "row " + keyColumn + "=" + row.get(keyIndex);
    }
    TaskContext task = TaskContext.get();
    return "row " + position + (task == null ? "" : " of partition " + task.partitionId());
  }

  /** Fails if nothing is left, or too much was skipped. */
  public void check(String data, long rows, long skipped, String reason) {
    if (rows + skipped == 0) {
      throw TareException.badInput("Cannot %s %s: %s holds no rows", action, model, data);
    }
    if (rows == 0) {
      throw TareException.badInput(
          "Cannot %s %s: all %d rows of %s had to be skipped; one of them: %s",
          action, model, skipped, data, reason);
    }
    double share = (double) skipped / (rows + skipped);
    if (share > badRows.limit()) {
      throw TareException.badInput(
          "Cannot %s %s: %d of %d rows of %s had to be skipped, more than bad-rows-limit %s allows;"
              + " one of them: %s",
          action, model, skipped, rows + skipped, data, badRows.limit(), reason);
    }
  }
}
