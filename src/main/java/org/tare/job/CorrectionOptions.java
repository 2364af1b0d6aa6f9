package org.tare.job;

/**
 * Which corrections are wanted.
 *
 * @param inSequence whether biases are corrected one layer after the other
 * @param measureRows rows of the calibration data to measure on what is {@link Switch#AUTO}; 0 goes
 *     by expected errors
 */
public record CorrectionOptions(
    Switch smoothQuant,
    Switch kernelSums,
    Switch biasCorrection,
    boolean inSequence,
    int measureRows) {

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
