package org.tare.spark.rows;

import java.io.Serializable;

/**
 * What to do with rows that cannot be decoded.
 *
 * @param skip count them and go on; otherwise the first one is an error
 * @param limit the share of skipped rows above which skipping fails too
 */
public record BadRows(boolean skip, double limit) implements Serializable {}
