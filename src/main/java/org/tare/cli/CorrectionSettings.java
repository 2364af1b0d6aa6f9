package org.tare.cli;

/**
 * Which corrections are wanted.
 *
 * @param measureRows rows of the calibration data to measure on what is {@link Switch#AUTO}; 0 goes
 *     by expected errors
 */
record CorrectionSettings(
    Switch smoothQuant,
    Switch kernelSums,
    Switch biasCorrection,
    boolean inSequence,
    int measureRows) {
  private static final int MOST_ROWS = 1_000_000;

  /** Whether a correction is made. */
  enum Switch {
    /** Where it lowers the error. */
    AUTO,
    ON,
    OFF
  }

  static CorrectionSettings of(Settings settings) {
    String bias = settings.require("quantize.bias-correction");
    double rows = settings.number("quantize.measure-rows");
    if (!(rows >= 0 && rows <= MOST_ROWS && rows == Math.rint(rows))) {
      throw settings.wrong(
          "quantize.measure-rows",
          settings.require("quantize.measure-rows"),
          "a whole number from 0 to " + MOST_ROWS);
    }
    return new CorrectionSettings(
        of(settings, "quantize.smooth-quant", "true", "false"),
        of(settings, "quantize.weight.rounding", "sums", "nearest"),
        switch (bias) {
          case "auto", "sequential" -> Switch.AUTO;
          case "fast" -> Switch.ON;
          case "false" -> Switch.OFF;
          default ->
              throw settings.wrong(
                  "quantize.bias-correction", bias, "auto, fast, sequential or false");
        },
        bias.equals("sequential"),
        (int) rows);
  }

  private static Switch of(Settings settings, String key, String on, String off) {
    String value = settings.require(key);
    if (value.equals("auto")) {
      return Switch.AUTO;
    }
    if (value.equals(on) || value.equals(off)) {
      return value.equals(on) ? Switch.ON : Switch.OFF;
    }
    throw settings.wrong(key, value, "auto, " + on + " or " + off);
  }

  boolean smooths() {
    return smoothQuant != Switch.OFF;
  }
}
