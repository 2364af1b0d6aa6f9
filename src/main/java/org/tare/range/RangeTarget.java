package org.tare.range;

import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;

/** What a range is for: it says which qparams a range leads to. */
public record RangeTarget(QParamsRule rule, DType dtype, boolean symmetric) {
  /** The qparams of the range. */
  public QParams qparams(Range range) {
    return rule.qparams(range.min(), range.max(), dtype, symmetric, false);
  }
}
