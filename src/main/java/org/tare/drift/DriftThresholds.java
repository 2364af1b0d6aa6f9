package org.tare.drift;

/**
 * What counts as drift.
 *
 * <p>The limits of distributions are those that are usual for PSI. Means of channels have lower
 * ones: if a share p of the rows is missing, no mean moves by more than sqrt(p / (1 - p)) of the
 * standard deviations that it had. A class of a tenth of the rows moves none by more than a third.
 *
 * @param effect of a tensor's distribution, in standard deviations
 * @param channel of the mean of the channel that moved most, in standard deviations
 * @param sqnrLoss how many dB less are to be expected of the deployed qparams
 * @param clipped how much more of the values is clipped by them, as a share
 * @param nonFinite how much more of the values is NaN or infinite, as a share
 */
public record DriftThresholds(
    Band effect, Band channel, Band sqnrLoss, Band clipped, Band nonFinite) {
  /** The defaults of the settings. */
  public static final DriftThresholds STANDARD =
      new DriftThresholds(
          new Band(0.2, 0.5),
          new Band(0.1, 0.2),
          new Band(1, 3),
          new Band(0.001, 0.01),
          new Band(1e-9, 0.001));
}
