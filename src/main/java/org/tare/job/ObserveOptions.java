package org.tare.job;

import java.util.List;
import org.tare.TareException;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.range.RangeMethod;

/**
 * How columns are observed and their qparams chosen.
 *
 * @param columns at least one
 * @param spec type, limits and arithmetic
 * @param method how the range is chosen from what was observed
 * @param averagingConstant of moving averages
 * @param reducesRange whether one bit stays unused
 * @param batch rows of a batch
 * @param by columns: each combination of their values is observed by itself
 */
public record ObserveOptions(
    List<String> columns,
    Observer observer,
    QuantSpec spec,
    QScheme scheme,
    RangeMethod method,
    float averagingConstant,
    boolean reducesRange,
    int batch,
    List<String> by) {
  public ObserveOptions {
    columns = List.copyOf(columns);
    by = List.copyOf(by);
    if (columns.isEmpty()) {
      throw TareException.usage("Missing observe.column, the columns to observe: set it");
    }
    if (observer.dependsOnOrder() && !by.isEmpty()) {
      throw TareException.usage(
          "calibrate.by cannot be %s with the observer %s: the rows of a slice have no order",
          String.join(",", by), observer.id());
    }
  }
}
