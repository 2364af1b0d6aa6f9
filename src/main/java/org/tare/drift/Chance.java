package org.tare.drift;

/**
 * What distances chance makes between two samples of the same distribution.
 *
 * @param h 1/n + 1/m, of the rows of both states
 * @param smoothing what PSI adds to each share: half a row of the smaller state, and at least 1e-4
 * @param canTell whether both states have enough rows to tell anything from chance
 */
record Chance(double h, double smoothing, boolean canTell) {
  /** The formulas hold for large numbers; of fewer rows nothing is told. */
  static final int LEAST_ROWS = 20;

  private static final double LEAST_SMOOTHING = 1e-4;

  /** e^-7 is less than one in a thousand. */
  private static final double UNLIKELY = 7;

  /** The largest difference is above three times its root mean square less than once in 100,000. */
  private static final double SUPREMUM = 9;

  /** Of rows, or of values where there are fewer. */
  static Chance of(long rows, long count, long otherRows, long otherCount) {
    double n = size(rows, count);
    double m = size(otherRows, otherCount);
    double least = Math.min(n, m);
    return new Chance(1 / n + 1 / m, Math.max(LEAST_SMOOTHING, 0.5 / least), least >= LEAST_ROWS);
  }

  private static double size(long rows, long count) {
    // A state that was put together by hand may not know its rows.
    return Math.max(1, rows == 0 ? count : Math.min(rows, count));
  }

  /**
   * The effect of a distance that is a sum over bins. Its square is h times chi-square with d
   * degrees of freedom, which is above d + 2 sqrt(d t) + 2 t with a probability of e^-t at most
   * (Laurent and Massart, 2000).
   */
  Effect overBins(double effect, int bins) {
    int d = bins - 1;
    return effect(effect, d * h, (d + 2 * Math.sqrt(UNLIKELY * d) + 2 * UNLIKELY) * h);
  }

  /** The effect of the greatest difference of cumulated shares. */
  Effect ofSupremum(double effect) {
    double expected = Math.PI * Math.PI * Math.PI / 6 * h;
    return effect(effect, expected, SUPREMUM * expected);
  }

  /**
   * The effect of an integral over differences of cumulated shares.
   *
   * @param spread the integral of sqrt(P (1 - P)), in standard deviations
   */
  Effect ofIntegral(double effect, double spread) {
    double expected = spread * spread * h;
    return effect(effect, expected, SUPREMUM * expected);
  }

  /** Whether a share that grew did so by more than chance makes. */
  boolean isMore(double before, double now) {
    double pooled = (before + now) / 2;
    return canTell && now - before > 3 * Math.sqrt(pooled * (1 - pooled) * h);
  }

  /**
   * Whether a mean square in dB changed by more than chance makes.
   *
   * @param kurtosis E[x^4] / E[x^2]^2
   */
  boolean isChanged(double decibels, double kurtosis) {
    return canTell && Math.abs(decibels) > 3 * 10 / Math.log(10) * Math.sqrt((kurtosis - 1) * h);
  }

  /** A measured effect, what of it is to be told from chance, and the least that can be. */
  record Effect(double measured, double size, double noise) {}

  private Effect effect(double measured, double expectedSquare, double limit) {
    double square = measured * measured;
    double size = canTell && square > limit ? Math.sqrt(square - expectedSquare) : 0;
    return new Effect(measured, size, Math.sqrt(limit));
  }
}
