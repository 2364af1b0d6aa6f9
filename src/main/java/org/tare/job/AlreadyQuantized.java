package org.tare.job;

import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.inspect.ModelInspection;
import org.tare.inspect.ModelInspection.Kind;
import org.tare.onnx.OnnxModel;

/** Models that are quantized already, by whatever tool: to calibrate them again is a mistake. */
final class AlreadyQuantized {
  private AlreadyQuantized() {}

  /**
   * Checks a model that is to be quantized. One of whose constants most are float32 still passes:
   * the rest of it may be wanted.
   *
   * @throws TareException of the kind NOTHING_TO_QUANTIZE if it is quantized
   */
  static void check(OnnxModel model, String name) {
    ModelInspection found = ModelInspection.of(model, Map.of());
    if (found.tensors().isEmpty()) {
      return;
    }
    long floats = 0;
    long integers = 0;
    for (ModelInspection.Weights one : found.weights()) {
      if (one.type().contains("float")) {
        floats += one.values();
      } else {
        integers += one.values();
      }
    }
    if (integers >= floats) {
      throw TareException.nothingToQuantize(
          "Nothing to quantize in %s: it is quantized already, %s; give the float model",
          name, what(found));
    }
  }

  private static String what(ModelInspection found) {
    return String.format(
        Locale.ROOT,
        "%d activations and %d weights in %s form",
        found.count(Kind.ACTIVATION),
        found.count(Kind.WEIGHT),
        found.tensors().stream()
            .map(tensor -> tensor.form().id())
            .distinct()
            .collect(Collectors.joining(" and ")));
  }
}
