package org.tare.range;

import org.tare.quant.QParams;
import org.tare.stats.TensorStats;

/**
 * What qparams would do to the values of a tensor, computed from its stats alone.
 *
 * <pre>
 *   clipped = share of x with round(x / scale) + zero_point outside of the integers
 *   SQNR    = 10 log10(E[x^2] / E[(x - fakeQuantize(x))^2])   in dB
 * </pre>
 *
 * <p>Only finite values count, those of an attention mask apart. Values are taken as uniform in
 * their bucket, so both figures are known to a bucket's width.
 *
 * @param meanSquare E[x^2]
 * @param meanSquaredError E[(x - fakeQuantize(x))^2]
 * @param clipped from 0 to 1
 */
public record ExpectedFidelity(double meanSquare, double meanSquaredError, double clipped) {

  /** Of the stats under the qparams; all zeros if there is no finite value. */
  public static ExpectedFidelity of(TensorStats stats, QParams qparams) {
    TensorStats values = Mask.of(stats).rest();
    BucketTable table = new BucketTable(values);
    double half = qparams.scale() / 2.0;
    // Half a step beyond the ends still rounds to the last integer.
    double clipped =
        table.shareBeyond(qparams.lowest() - half) + table.shareBeyond(qparams.highest() + half);
    return new ExpectedFidelity(
        table.meanSquare(), table.meanSquaredError(qparams), Math.min(1, clipped));
  }

  /** In dB; infinite without error, NaN where all values are zero. */
  public double sqnr() {
    return 10 * Math.log10(meanSquare / meanSquaredError);
  }
}
