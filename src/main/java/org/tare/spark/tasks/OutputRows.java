package org.tare.spark.tasks;

import java.util.function.IntConsumer;

/**
 * The values of each row in an output of a batch: {@code parts} stretches of {@code length} values,
 * each {@code step} behind the one before.
 *
 * @param rows how many rows the output has; 1 if it is one for the whole batch
 */
record OutputRows(int rows, int parts, int step, int length) {
  /**
   * @param shape of the output
   * @param size how many values it has
   * @param axis of the rows, or {@link OutputAxes#NONE}
   */
  static OutputRows of(long[] shape, int size, int axis, int rows) {
    if (axis == OutputAxes.NONE || rows == 1) {
      return new OutputRows(1, 1, size, size);
    }
    int parts = 1;
    for (int i = 0; i < axis; i++) {
      parts *= (int) shape[i];
    }
    int step = parts == 0 ? 0 : size / parts;
    return new OutputRows(rows, parts, step, step / rows);
  }

  /** Gives the place where each stretch of a row begins. */
  void each(int row, IntConsumer from) {
    for (int part = 0; part < parts; part++) {
      from.accept(part * step + row * length);
    }
  }
}
