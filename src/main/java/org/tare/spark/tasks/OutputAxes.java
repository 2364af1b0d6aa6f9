package org.tare.spark.tasks;

import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.tare.TareException;

/**
 * Where the rows of a batch are in a model's outputs: the axis that grows with the rows. What one
 * row gives shows it; a shape alone may have the number of rows at several axes. Not thread-safe.
 */
final class OutputAxes {
  /** No axis has the rows: the output is one for the whole batch. */
  static final int NONE = -1;

  private final Map<String, Map<String, Integer>> known = new HashMap<>();

  /**
   * The axis of the rows in each output, or {@link #NONE}.
   *
   * @param shapes of the outputs of a batch of so many rows
   * @param ofOneRow gives the shapes that one row of the batch leads to; asked once for the same
   *     outputs of equal shapes
   */
  Map<String, Integer> of(
      int rows, Map<String, long[]> shapes, Supplier<Map<String, long[]>> ofOneRow) {
    StringBuilder key = new StringBuilder().append(rows);
    // Layers that are repeated have outputs of equal shapes under other names.
    shapes.forEach((output, shape) -> key.append(output).append(Arrays.toString(shape)));
    return known.computeIfAbsent(key.toString(), k -> find(rows, shapes, ofOneRow));
  }

  private static Map<String, Integer> find(
      int rows, Map<String, long[]> shapes, Supplier<Map<String, long[]>> ofOneRow) {
    Map<String, Integer> axes = new LinkedHashMap<>();
    try {
      Map<String, long[]> one = ofOneRow.get();
      shapes.forEach((output, shape) -> axes.put(output, axis(one.get(output), shape, rows)));
    } catch (TareException e) {
      // The model takes no single row.
      shapes.forEach((output, shape) -> axes.put(output, axis(shape, rows)));
    }
    return axes;
  }

  /** The axis that is as many times as long as there are rows. */
  static int axis(long[] one, long[] all, int rows) {
    int found = NONE;
    for (int i = 0; i < all.length && one.length == all.length; i++) {
      if (all[i] != one[i]) {
        if (found != NONE || all[i] != one[i] * rows) {
          // Sizes that depend on values.
          return all[0] == rows && one[0] == 1 ? 0 : NONE;
        }
        found = i;
      }
    }
    return found;
  }

  /** Of a model that takes no other number of rows: the only axis of this size, or the first. */
  static int axis(long[] shape, int rows) {
    if (shape.length > 0 && shape[0] == rows) {
      return 0;
    }
    int found = NONE;
    for (int i = 1; i < shape.length; i++) {
      if (shape[i] == rows) {
        if (found != NONE) {
          return NONE;
        }
        found = i;
      }
    }
    return found;
  }
}
