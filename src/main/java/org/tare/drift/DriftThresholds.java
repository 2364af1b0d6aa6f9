package org.tare.drift;

/**
 * What counts as drift.
 *
 * @param effect of a tensor's distribution or of the means of its channels, in standard deviations
 * @param sqnrLoss how many dB less are to be expected of the deployed qparams
 * @param clipped how much more of the values is clipped by them, as a share
 * @param nonFinite how much more of the values is NaN or infinite, as a share
 */
public record DriftThresholds(Band effect, Band sqnrLoss, Band clipped, Band nonFinite) {
  /** The defaults of the settings. */
  public static final DriftThresholds STANDARD =
      new DriftThresholds(
          new Band(0.2, 0.5), new Band(1, 3), new Band(0.001, 0.01), new Band(1e-9, 0.001));
}
