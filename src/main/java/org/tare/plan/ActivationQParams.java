package org.tare.plan;

import java.util.List;
import org.tare.quant.QParams;
import org.tare.range.Range;
import org.tare.range.RangeChoice;

/**
 * The qparams of an activation, and how they came about.
 *
 * @param choice the range and how it came about; the method is {@code fixed} where the operator
 *     gives the range
 * @param sharedBy all tensors that take these qparams, the root included
 */
public record ActivationQParams(QParams qparams, RangeChoice choice, List<String> sharedBy) {
  /** As the method chose it, before it was widened to hold zero. */
  public Range range() {
    return choice.range();
  }

  /** The range method's name. */
  public String method() {
    return choice.method();
  }
}
