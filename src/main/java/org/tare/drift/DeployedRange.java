package org.tare.drift;

import org.tare.quant.QParams;
import org.tare.range.ExpectedFidelity;
import org.tare.stats.TensorStats;

/**
 * What the deployed qparams do to a tensor, then and now.
 *
 * @param reference their expected error on the values of the reference
 * @param current the same now
 */
public record DeployedRange(QParams qparams, ExpectedFidelity reference, ExpectedFidelity current) {

  static DeployedRange of(QParams qparams, TensorStats reference, TensorStats current) {
    return new DeployedRange(
        qparams, ExpectedFidelity.of(reference, qparams), ExpectedFidelity.of(current, qparams));
  }

  /** How many dB less are to be expected now; NaN where either is not finite. */
  public double sqnrLoss() {
    double loss = reference.sqnr() - current.sqnr();
    return Double.isFinite(loss) ? loss : Double.NaN;
  }

  /** How much more of the values is clipped now, as a share; below zero if less. */
  public double moreClipped() {
    return current.clipped() - reference.clipped();
  }
}
