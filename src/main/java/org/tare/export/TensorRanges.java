package org.tare.export;

import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.range.Range;
import org.tare.rewrite.QuantizedModel;

/** The range of every quantized activation, by name: what other tools' calibration tables hold. */
final class TensorRanges {
  private TensorRanges() {}

  /**
   * One range for each tensor, those that share the qparams of another included.
   *
   * @throws TareException if a name holds a line break, which no table of lines can hold
   */
  static SortedMap<String, Range> of(QuantizedModel model) {
    SortedMap<String, Range> ranges = new TreeMap<>();
    model
        .activations()
        .forEach(
            (root, chosen) -> {
              for (String tensor : chosen.sharedBy()) {
                if (tensor.chars().anyMatch(c -> c == '\n' || c == '\r')) {
                  throw TareException.badInput(
                      "Cannot export tensor \"%s\": its name holds a line break", tensor);
                }
                ranges.put(tensor, chosen.range());
              }
            });
    return ranges;
  }

  /**
   * The dynamic range of symmetric int8: the greatest magnitude in the range. A tensor of zeros has
   * none, any will do: 1 is taken, as a dynamic range of 0 is an error to TensorRT.
   */
  static float magnitude(Range range) {
    float magnitude = Math.max(Math.abs(range.min()), Math.abs(range.max()));
    return magnitude / 127 < Float.MIN_NORMAL ? 1f : magnitude;
  }
}
