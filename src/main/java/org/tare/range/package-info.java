/**
 * From the merged stats of a tensor to its range: min-max, percentile, entropy, least squared
 * error, least |error|^p, mean and k standard deviations, moving average.
 *
 * <p>The expected error of a candidate [low, high] with step d is summed over the buckets of the
 * histogram; values inside are rounded, values outside are clipped to the nearer end.
 *
 * <pre>
 *   E(low, high) = sum over buckets of count * |x - Q(x)|^p,   Q(x) = (clamp(round(x / d) + z) - z) * d
 *   entropy      least KL(P || Q) over 2,048 bins, as TensorRT searches it
 * </pre>
 *
 * <p>Zero is in every range. NaN and infinities take no part. Values of an attention mask are set
 * apart. May use the packages of other tools below it, {@code org.tare.stats} and {@code
 * org.tare.quant}.
 */
package org.tare.range;
