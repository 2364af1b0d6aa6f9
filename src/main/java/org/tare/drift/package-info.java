/**
 * How far two calibration states are apart: what changed between the data of then and of now.
 *
 * <p>Shares p (reference) and q (current) in the same bins, cumulated shares P and Q:
 *
 * <pre>
 *   PSI                  sum (q' - p') ln(q' / p'),   p' = (p + e) / (1 + B e), B bins
 *   Jensen-Shannon       sqrt((KL2(p || m) + KL2(q || m)) / 2),   m = (p + q) / 2, base 2
 *   Hellinger            sqrt(sum (sqrt p - sqrt q)^2 / 2)
 *   Kolmogorov-Smirnov   max |P - Q|
 *   1-Wasserstein        integral of |P(x) - Q(x)| dx
 * </pre>
 *
 * <p>Only PSI needs the e: it keeps empty bins finite. It is half a row of the smaller state, and
 * 1e-4 from 5,000 rows on. The last two are taken on the buckets of the histogram as they are. For
 * the first three buckets are joined to ten bins of equal shares of the reference, after each
 * bucket that holds a tenth of it or more, as zeros do, got a bin of its own. The outermost bins
 * are open. So the bins depend on the reference alone: between days that are held against one
 * reference the distances are metrics where they should be.
 *
 * <p>Effects are in standard deviations, so that one pair of limits serves all: each distance is
 * told as the shift of a normal distribution that gives it, for small shifts.
 *
 * <pre>
 *   sqrt(PSI)   sqrt(8 ln 2) JS   sqrt(8) Hellinger   sqrt(2 pi) KS   W1 / std of the reference
 * </pre>
 *
 * <p>Chance alone makes distances, the larger the fewer rows n and m there are. The values of one
 * row go together, so rows count and not values: the share of a row's values in a bin is between 0
 * and 1, so the variance of p is at most p (1 - p) / n, whatever the row holds. With h = 1/n + 1/m
 * the expected squared effect without drift is at most
 *
 * <pre>
 *   (B - 1) h   for PSI, Jensen-Shannon, Hellinger
 *   pi^3 / 6 h  for Kolmogorov-Smirnov (the supremum of a Brownian bridge has the mean square pi^2 / 12)
 *   (integral of sqrt(P (1 - P)) dx / std)^2 h   for 1-Wasserstein (Minkowski)
 * </pre>
 *
 * <p>An effect counts where it is above what chance makes less than once in a thousand; from its
 * square the expected square is taken off. Of fewer than 20 rows in either state none counts, for
 * the formulas are those of large numbers. P-values are not used: of billions of values each change
 * is significant, and hardly one matters.
 *
 * <p>Without Spark, files or models. May use {@code org.tare.range}, {@code org.tare.stats} and
 * {@code org.tare.quant}.
 */
package org.tare.drift;
