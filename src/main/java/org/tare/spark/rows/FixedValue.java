package org.tare.spark.rows;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.tare.TareException;
import org.tare.onnx.TensorType;

/** What an input holds in every row where the settings say it: {@code inputs.NAME.value}. */
final class FixedValue {
  private FixedValue() {}

  /**
   * The numbers of one row, one for each place; empty where a column has them.
   *
   * @param shape of one row
   * @throws TareException if they do not fill the shape, or the type does not hold one of them
   */
  static double[] of(String where, String input, TensorType type, long[] shape, InputSpec spec) {
    List<Double> given = spec.value();
    if (given.isEmpty()) {
      return new double[0];
    }
    if (spec.column().isPresent() || spec.dtype().isPresent() || !spec.transform().isPlain()) {
      throw TareException.usage(
          "inputs.%s.value says what the model reads: it goes with no column, dtype, scale, mean,"
              + " std, layout, image, resize and crop",
          input);
    }
    long places = 1;
    for (long size : shape) {
      if (size < 0) {
        throw TareException.usage(
            "%s expects %s, so how many places inputs.%s.value fills does not show; set"
                + " inputs.%s.shape",
            where, type, input, input);
      }
      places *= size;
    }
    if (given.size() != 1 && given.size() != places) {
      throw TareException.usage(
          "inputs.%s.value has %d numbers: it takes one, or the %d of a row of %s",
          input, given.size(), places, type);
    }
    ByteBuffer scratch = ByteBuffer.allocate(Long.BYTES);
    for (double number : given) {
      try {
        Narrowing.put(scratch.clear(), type.elementType(), number);
      } catch (Narrowing.NotHeld e) {
        throw TareException.usage(
            "inputs.%s.value cannot be %s, %s", input, number, e.getMessage());
      }
    }
    double[] values = new double[Math.toIntExact(places)];
    if (given.size() == 1) {
      Arrays.fill(values, given.get(0));
    } else {
      Arrays.setAll(values, given::get);
    }
    return values;
  }
}
