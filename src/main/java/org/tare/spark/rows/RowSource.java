package org.tare.spark.rows;

import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import java.util.function.ToIntFunction;
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
 * @param placeIndex the column that says where a row stood before it moved to another partition, as
 *     {@link BoundTable#placed} has it, or -1
 * @param seen counts rows for the display of progress, and nothing else
 */
public record RowSource(
    String action,
    String model,
    List<InputBinding> bindings,
    BatchRows batch,
    BadRows badRows,
    int keyIndex,
    String keyColumn,
    int labelIndex,
    int placeIndex,
    LongAccumulator seen)
    implements Serializable {
  /** Spark's monotonically increasing numbers have the position in the low bits. */
  private static final int PLACE_BITS = 33;

  /** What became of the rows of a partition. */
  public static final class Tally {
    private long rows;
    private long skipped;
    private String reason = "";

    /** Counts a row that was used. */
    public void countRow() {
      rows++;
    }

    /** Rows that were used. */
    public long rows() {
      return rows;
    }

    /** Rows that could not be decoded, or that the model does not take. */
    public long skipped() {
      return skipped;
    }

    /** One reason, the first in the order of texts; empty if nothing was skipped. */
    public String reason() {
      return reason;
    }

    /** Takes rows that were counted as good, and turned out to be bad, into account. */
    public void subtract(Tally bad) {
      rows -= bad.skipped;
      skipped += bad.skipped;
      boolean isFirst =
          !bad.reason.isEmpty() && (reason.isEmpty() || bad.reason.compareTo(reason) < 0);
      reason = isFirst ? bad.reason : reason;
    }
  }

  /** Decodes all rows and runs their batches. */
  public Tally run(Iterator<Row> rows, Batches.Sink sink) {
    return run(rows, Batches.Batch::size, sink);
  }

  /**
   * The same in parts of batches.
   *
   * @param atOnce gives how many rows of a batch are a part: a number that divides its size
   */
  public Tally run(Iterator<Row> rows, ToIntFunction<Batches.Batch> atOnce, Batches.Sink sink) {
    Tally tally = new Tally();
    RowDecoder decoder = new RowDecoder(bindings);
    Batches batches =
        new Batches(
            bindings,
            batch.size(),
            (batch, real) -> {
              int size = atOnce.applyAsInt(batch);
              for (int from = 0; from < real; from += size) {
                Batches.Batch part = size == batch.size() ? batch : batch.part(from, from + size);
                run(part, Math.min(size, real - from), sink, tally);
              }
            });
    long here = 0;
    while (rows.hasNext()) {
      Row row = rows.next();
      long position = placeIndex >= 0 ? row.getLong(placeIndex) : here;
      Object key = keyIndex >= 0 ? row.get(keyIndex) : null;
      try {
        batches.add(decoder.decode(row), new RowTag(label(row), key, position));
        tally.rows++;
      } catch (RowDecoder.BadRow e) {
        skip(tally, e.getMessage(), new RowTag(-1, key, position));
      }
      here++;
      seen.add(1);
    }
    batches.finish();
    return tally;
  }

  /** Runs a batch; if the model refuses values of it, row by row, so that the rows are known. */
  private void run(Batches.Batch batch, int real, Batches.Sink sink, Tally tally) {
    try {
      sink.run(batch, real);
    } catch (TareException ofBatch) {
      if (ValueFailures.reason(ofBatch).isEmpty()) {
        throw ofBatch;
      }
      for (int row = 0; row < real; row++) {
        try {
          sink.run(batch.alone(row), 1);
        } catch (TareException ofRow) {
          String reason = ValueFailures.reason(ofRow).orElseThrow(() -> ofRow);
          tally.rows--;
          skip(tally, "the model does not take the values (" + reason + ")", batch.tag(row));
        }
      }
    }
  }

  /**
   * Counts a row as bad.
   *
   * @param reason what is wrong with it
   * @throws TareException unless bad rows are to be skipped
   */
  public void skip(Tally tally, String reason, RowTag row) {
    String where = reason + " in " + name(row);
    if (!badRows.skip()) {
      throw TareException.badInput(
          "Cannot %s %s: %s; fix the row, or skip such rows with bad-rows=skip",
          action, model, where);
    }
    if (tally.reason.isEmpty() || where.compareTo(tally.reason) < 0) {
      tally.reason = where;
    }
    tally.skipped++;
  }

  /** Throws if the row is bad and bad rows are an error. */
  void check(Row row) {
    try {
      new RowDecoder(bindings).decode(row);
      label(row);
    } catch (RowDecoder.BadRow e) {
      skip(
          new Tally(), e.getMessage(), new RowTag(-1, keyIndex >= 0 ? row.get(keyIndex) : null, 0));
    }
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

  /** What a row is called in messages. */
  String nameOf(Row row, long position) {
    return name(new RowTag(-1, keyIndex >= 0 ? row.get(keyIndex) : null, position));
  }

  /** The same rows with other bindings of the same columns. */
  RowSource with(List<InputBinding> newBindings) {
    boolean isWhole = newBindings.stream().allMatch(InputBinding::isShared);
    return new RowSource(
        action,
        model,
        newBindings,
        isWhole ? new BatchRows(1, true) : batch,
        badRows,
        keyIndex,
        keyColumn,
        labelIndex,
        placeIndex,
        seen);
  }

  /** The same rows in other partitions. */
  RowSource placed(int index) {
    return new RowSource(
        action, model, bindings, batch, badRows, keyIndex, keyColumn, labelIndex, index, seen);
  }

  /** The same rows, counted elsewhere. */
  public RowSource seenBy(LongAccumulator other) {
    return new RowSource(
        action,
        model,
        bindings,
        batch,
        badRows,
        keyIndex,
        keyColumn,
        labelIndex,
        placeIndex,
        other);
  }

  /** Whether rows say where they stood, since they moved to other partitions. */
  public boolean isPlaced() {
    return placeIndex >= 0;
  }

  /** Whether each row is all of the model's inputs: none of them has an axis for rows. */
  public boolean isRowByRow() {
    return bindings.stream().allMatch(InputBinding::isShared);
  }

  /** The axis of a model's input that counts rows, or {@link InputSpec#NO_AXIS}. */
  public int axis(String input) {
    return bindings.stream()
        .filter(binding -> binding.input().equals(input))
        .mapToInt(InputBinding::batchAxis)
        .findFirst()
        .orElseThrow();
  }

  private String name(RowTag row) {
    if (keyIndex >= 0) {
      return "row " + keyColumn + "=" + row.key();
    }
    if (placeIndex >= 0) {
      return "row "
          + (row.position() & (1L << PLACE_BITS) - 1)
          + " of partition "
          + (row.position() >>> PLACE_BITS);
    }
    TaskContext task = TaskContext.get();
    return "row " + row.position() + (task == null ? "" : " of partition " + task.partitionId());
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
