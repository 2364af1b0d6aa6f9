/**
 * What is known of a tensor's values, as a sum that merges exactly, and its bytes.
 *
 * <p>A {@link org.tare.stats.FloatHistogram} counts float32 values by their leading bits:
 *
 * <pre>
 *   bucket(x) = floatToRawIntBits(x) &gt;&gt;&gt; (23 - p), p = 7      at most 2^-7 of its value wide
 * </pre>
 *
 * <p>No range is chosen beforehand, so the histogram of a union is the sum of the histograms.
 * Everything is an integer sum, a minimum or a maximum: merging is associative and commutative, the
 * empty state is its identity, and observe(a ++ b) = merge(observe(a), observe(b)), bit for bit.
 * Moving averages and recordings depend on order and merge by their place in it.
 *
 * <p>Files: {@link org.tare.stats.CalibrationState}, tensors: {@code StatsCodec}, pages: {@link
 * org.tare.stats.bytes.PageCodec}, origins: {@code LineageCodec}; each class has its layout. Equal
 * states are equal bytes, and nothing else is read. Uses the JDK alone.
 */
package org.tare.stats;
