package org.tare.range;

import org.tare.quant.QuantSpec;
import org.tare.stats.TensorStats;

/**
 * Searches the range of least expected error to the p-th power. It shrinks the ends of the full
 * range by factors a (min) and b (max): first over a geometric grid whose rows and columns end
 * where clipping alone costs more than the best found, then around the best few by steps that
 * halve.
 */
final class LeastErrorSearch {
  private static final double FINEST_STEP = Math.pow(2, -13);

  /** Few levels make the error a rugged function of the range: several valleys are followed. */
  private static final int VALLEYS = 3;

  /** Errors as close as that are equal. */
  private static final double AS_GOOD = 1.0002;

  private static final double WIDENING = 1.001;
  private static final int WIDENINGS = 40;

  /** The best of the grid is at most one coarse step off: a few moves of each step reach it. */
  private static final int ROUNDS = 4;

  private final BucketTable.ErrorMeasure error;
  private final QuantSpec spec;
  private final double min;
  private final double max;
  private final boolean oneSided;
  private final double coarseRatio;
  private final int coarseSteps;
  private final double finest;
  private final int valleys;
  private final int rounds;
  private final double[] valleyA = new double[VALLEYS];
  private final double[] valleyB = new double[VALLEYS];
  private final double[] valleyError = new double[VALLEYS];
  private Range best;
  private double bestError = Double.POSITIVE_INFINITY;
  private double bestA = 1;
  private double bestB = 1;

  private LeastErrorSearch(
      BucketTable.ErrorMeasure error, QuantSpec spec, float min, float max, boolean isQuick) {
    this.error = error;
    this.spec = spec;
    this.min = min;
    this.max = max;
    this.oneSided = spec.symmetric() || min == 0 || max == 0;
    double stepsPerOctave = isQuick ? (oneSided ? 8 : 2) : oneSided ? 100 : 6;
    this.best = new Range(min, max);
    this.coarseRatio = Math.pow(2, -1 / stepsPerOctave);
    this.coarseSteps = (int) (20 * stepsPerOctave);
    this.valleys = isQuick ? 1 : VALLEYS;
    this.rounds = isQuick ? 2 : ROUNDS;
    this.finest = isQuick ? 1 / 128.0 : FINEST_STEP;
    java.util.Arrays.fill(valleyError, Double.POSITIVE_INFINITY);
  }

  /** The range of least expected error; of a constant tensor, that value. */
  static Range search(BucketTable table, TensorStats stats, QuantSpec spec, double p) {
    if (stats.min() == stats.max()) {
      return new Range(stats.min(), stats.max());
    }
    float min = Math.min(stats.min(), 0f);
    float max = Math.max(stats.max(), 0f);
    if (spec.symmetric()) {
      max = Math.max(-min, max);
      min = -max;
    }
    // Powers other than the square cost a call of pow each bucket: fewer candidates.
    LeastErrorSearch search = new LeastErrorSearch(table.error(p), spec, min, max, p != 2);
    search.coarse();
    search.refineValleys();
    return p == 2 ? search.widest() : search.best;
  }

  private void coarse() {
    tryFactors(1, 1);
    double a = 1;
    for (int i = 0; i < coarseSteps; i++, a *= coarseRatio) {
      if (error.clipping(a * min, oneSided ? a * max : max) > bestError) {
        break;
      }
      double b = oneSided ? a : 1;
      for (int j = 0; j < coarseSteps; j++, b *= coarseRatio) {
        if (error.clipping(a * min, b * max) > bestError) {
          break;
        }
        remember(a, b, tryFactors(a, b));
        if (oneSided) {
          break;
        }
      }
    }
  }

  /** Keeps the best few of the grid, in ascending order of their error. */
  private void remember(double a, double b, double found) {
    int at = VALLEYS;
    while (at > 0 && found < valleyError[at - 1]) {
      at--;
    }
    if (at == VALLEYS) {
      return;
    }
    for (int i = VALLEYS - 1; i > at; i--) {
      valleyA[i] = valleyA[i - 1];
      valleyB[i] = valleyB[i - 1];
      valleyError[i] = valleyError[i - 1];
    }
    valleyA[at] = a;
    valleyB[at] = b;
    valleyError[at] = found;
  }

  private void refineValleys() {
    Range overallBest = best;
    double overall = bestError;
    double overallA = bestA;
    double overallB = bestB;
    for (int i = 0; i < valleys && valleyError[i] < Double.POSITIVE_INFINITY; i++) {
      bestA = valleyA[i];
      bestB = valleyB[i];
      bestError = valleyError[i];
      best = null;
      refine();
      if (best != null && bestError < overall) {
        overall = bestError;
        overallBest = best;
        overallA = bestA;
        overallB = bestB;
      }
    }
    best = overallBest;
    bestError = overall;
    bestA = overallA;
    bestB = overallB;
  }

  private void refine() {
    for (double step = Math.log(1 / coarseRatio) / 2; step > finest; step /= 2) {
      boolean improved = true;
      for (int round = 0; improved && round < rounds; round++) {
        double a = bestA;
        double b = bestB;
        double before = bestError;
        double up = Math.exp(step);
        for (int da = -1; da <= 1; da++) {
          for (int db = -1; db <= 1; db++) {
            if (oneSided ? da == db && da != 0 : (da != 0 || db != 0)) {
              tryFactors(Math.min(1, a * Math.pow(up, da)), Math.min(1, b * Math.pow(up, db)));
            }
          }
        }
        improved = bestError < before;
      }
    }
  }

  /**
   * The widest range as good as the best: rows that calibration did not see reach further than
   * those it saw, and near the optimum the error hardly depends on the range.
   */
  private Range widest() {
    Range widest = best;
    double a = bestA;
    double b = bestB;
    for (int i = 0; i < WIDENINGS && (a < 1 || b < 1); i++) {
      a = Math.min(1, a * WIDENING);
      b = Math.min(1, b * WIDENING);
      Range range = new Range((float) (min * a), (float) (max * b));
      if (error.mean(spec.qparams(range.min(), range.max())) <= bestError * AS_GOOD) {
        widest = range;
      }
    }
    return widest;
  }

  private double tryFactors(double a, double b) {
    Range range = new Range((float) (min * a), (float) (max * b));
    double found = error.mean(spec.qparams(range.min(), range.max()));
    // Of equal errors the wider range wins: it was tried first.
    if (found < bestError) {
      bestError = found;
      best = range;
      bestA = a;
      bestB = b;
    }
    return found;
  }
}
