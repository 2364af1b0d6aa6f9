package org.tare.spark.rows;

import java.io.Serializable;

/**
 * How many rows go through the model at once.
 *
 * @param isFixed whether the model takes no other number of rows
 */
public record BatchRows(int size, boolean isFixed) implements Serializable {
  /** Bytes that the observed or compared tensors of one run may hold: all are there at once. */
  public static final long BYTES_AT_ONCE = 128L << 20;

  /**
   * As many rows as may be looked at together. The number divides this one, so that batches begin
   * where they would have.
   *
   * @param rowBytes what the tensors of one row hold
   */
  public BatchRows within(long rowBytes) {
    int rows = size;
    while (!isFixed && rows > 1 && (size % rows != 0 || rows * rowBytes > BYTES_AT_ONCE)) {
      rows--;
    }
    return new BatchRows(rows, isFixed);
  }
}
