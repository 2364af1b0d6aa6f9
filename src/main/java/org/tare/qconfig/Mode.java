package org.tare.qconfig;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.tare.TareException;

/** When activations become integers. */
public enum Mode {
  /** With qparams from calibration, written into the model. */
  STATIC,
  /** With qparams that the model computes for each batch; weights are integers, no data needed. */
  DYNAMIC,
  /** Never: weights are stored as integers and multiplied as floats. */
  WEIGHT_ONLY;

  /** The name in settings: {@code weight-only}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * The mode of the given name.
   *
   * @throws TareException if there is none
   */
  public static Mode of(String name) {
    for (Mode mode : values()) {
      if (mode.id().equals(name)) {
        return mode;
      }
    }
    throw TareException.usage(
        "quantize.mode cannot be \"%s\": it is %s",
        name, Arrays.stream(values()).map(Mode::id).collect(Collectors.joining(", ")));
  }
}
