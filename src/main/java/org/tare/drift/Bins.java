package org.tare.drift;

import java.util.ArrayList;
import java.util.List;

/**
 * Shares of two tensors in bins that the reference chose: a bin for each bucket that holds a tenth
 * of it or more, and for the rest ten bins of about equal shares. The outermost are open.
 *
 * @param reference shares that add up to 1
 * @param current shares that add up to 1, in the same bins
 */
record Bins(double[] reference, double[] current) {
  /** Of equal shares; the literature of PSI takes 10 to 20. */
  static final int QUANTILES = 10;

  static Bins of(Cells cells) {
    double heavy = cells.referenceTotal() / QUANTILES;
    double light = 0;
    for (Cells.Cell cell : cells.list()) {
      light += cell.reference() < heavy ? cell.reference() : 0;
    }
    List<double[]> bins = new ArrayList<>();
    double[] open = null;
    boolean isLastHeavy = true;
    double passed = 0;
    double nextCut = light / QUANTILES;
    for (Cells.Cell cell : cells.list()) {
      boolean isHeavy = cell.reference() >= heavy;
      boolean isBeyondTheRest = passed >= light && cell.reference() == 0;
      if (isHeavy) {
        open = null;
      } else if (open == null && isBeyondTheRest && !isLastHeavy) {
        open = bins.get(bins.size() - 1);
      }
      if (open == null) {
        open = new double[2];
        bins.add(open);
      }
      open[0] += cell.reference() / cells.referenceTotal();
      open[1] += cell.current() / cells.currentTotal();
      isLastHeavy = isHeavy;
      if (isHeavy) {
        open = null;
        continue;
      }
      passed += cell.reference();
      if (passed >= nextCut && cell.reference() > 0) {
        open = null;
        while (nextCut <= passed) {
          nextCut += light / QUANTILES;
        }
      }
    }
    return new Bins(
        bins.stream().mapToDouble(bin -> bin[0]).toArray(),
        bins.stream().mapToDouble(bin -> bin[1]).toArray());
  }

  int count() {
    return reference.length;
  }
}
