/**
 * From a table to the batches that a model takes: columns are bound to inputs, rows decoded,
 * sampled, cut into slices and gathered to batches of one shape.
 *
 * <p>A value becomes {@code (value * scale - mean) / std}, computed in float64 and narrowed to the
 * input's type last; a value that the type does not hold makes the row bad. Bad rows fail the job
 * by name, or are counted and skipped up to a limit. A sample of n rows takes those with the least
 * hashes of their keys, so it does not depend on partitions or order.
 *
 * <p>May use Spark, {@code org.tare.onnx} for types of inputs, and what lies between.
 */
package org.tare.spark.rows;
