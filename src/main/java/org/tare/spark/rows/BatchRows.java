package org.tare.spark.rows;

import java.io.Serializable;

/**
 * How many rows go through the model at once.
 *
 * @param isFixed whether the model takes no other number of rows
 */
public record BatchRows(int size, boolean isFixed) implements Serializable {}
