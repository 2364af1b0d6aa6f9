package org.tare.job;

/**
 * Which corrections are wanted.
 *
 * @param inSequence whether biases are corrected one layer after the other
 * @param measureRows rows of the calibration data to measure on what is {@link Switch#AUTO}; 0 goes
 *     by expected errors
 * @param floatBelow the SQNR in dB below which the layers that cost most stay float32; 0 for never
 */
public record CorrectionOptions(
    Switch smoothQuant,
    Switch kernelSums,
    Switch biasCorrection,
    boolean inSequence,
    int measureRows,
    double floatBelow) {

  /** Whether a correction is made. */
  public enum Switch {
    /** Where it lowers the error. */
    AUTO,
    ON,
    OFF
  }

  boolean smooths() {
    return smoothQuant != Switch.OFF;
  }
}
