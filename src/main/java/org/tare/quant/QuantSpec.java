package org.tare.quant;

import java.io.Serializable;
import java.util.OptionalInt;
import org.tare.TareException;

/**
 * How numbers become integers, but for the range: what an observer is told. {@link
 * QParamsRule#spec} makes one with the limits that the tool of that rule would use.
 *
 * @param rule whose arithmetic turns a range into qparams
 * @param dtype the integers' type
 * @param symmetric the zero point is fixed in the middle
 * @param quantMin the least integer used
 * @param quantMax the greatest integer used
 * @param customized the limits were given by hand, which changes PyTorch's symmetric zero point
 * @param eps the least scale; 0 for the rules that have another floor
 */
public record QuantSpec(
    QParamsRule rule,
    DType dtype,
    boolean symmetric,
    int quantMin,
    int quantMax,
    boolean customized,
    float eps)
    implements Serializable {
  public QuantSpec {
    if (quantMin >= quantMax) {
      throw TareException.usage(
          "quant_min %d cannot be used: it is not below quant_max %d", quantMin, quantMax);
    }
    if (!(eps >= 0) || Float.isInfinite(eps)) {
      throw TareException.usage("eps %s cannot be used: it is a finite number from 0 on", eps);
    }
  }

  /**
   * The same with fewer bits of the type: symmetric ones of signed types leave out the lowest
   * integer, as in all bits.
   */
  public QuantSpec ofBits(int bits) {
    int half = 1 << (bits - 1);
    int least = dtype.isSigned() ? -half + (symmetric ? 1 : 0) : 0;
    int greatest = dtype.isSigned() ? half - 1 : 2 * half - 1;
    return new QuantSpec(rule, dtype, symmetric, least, greatest, customized, eps);
  }

  /** How many steps lie between the least and the greatest integer. */
  public double steps() {
    return (double) quantMax - quantMin;
  }

  /**
   * The qparams of numbers in [min, max]; the range is widened to hold zero.
   *
   * @throws IllegalArgumentException if an end is NaN or infinite
   * @throws TareException if the limits do not fit the type, or if the rule's arithmetic gives no
   *     finite scale for the range
   */
  public QParams qparams(float min, float max) {
    if (!Float.isFinite(min) || !Float.isFinite(max)) {
      throw new IllegalArgumentException("range [" + min + ", " + max + "] is not finite");
    }
    if (quantMin < dtype.min() || quantMax > dtype.max()) {
      // PyTorch's observers take such limits; no integer of the type could hold the results.
      throw TareException.usage(
          "quant_min %d and quant_max %d cannot be used: %s holds %d to %d",
          quantMin, quantMax, dtype.id(), dtype.min(), dtype.max());
    }
    return rule.qparams(min, max, this);
  }

  /** Limits of which both are given, or neither counts: PyTorch ignores a single one. */
  static boolean areGiven(OptionalInt quantMin, OptionalInt quantMax) {
    return quantMin.isPresent() && quantMax.isPresent();
  }
}
