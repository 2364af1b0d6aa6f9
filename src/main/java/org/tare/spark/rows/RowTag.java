package org.tare.spark.rows;

/**
 * What is known of a row besides the inputs of the model.
 *
 * @param label its class, or -1 where there are no labels
 * @param key the value of the column that names rows, or null
 * @param position in its partition
 */
public record RowTag(long label, Object key, long position) {}
