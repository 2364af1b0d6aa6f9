package org.tare.cli;

import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.spark.sql.SparkSession;

/**
 * What the parts of a command that run jobs on Spark have in common.
 *
 * @param spark starts Spark when it is first asked for
 * @param progress gets a line now and then
 */
record SparkSide(Settings settings, Supplier<SparkSession> spark, Consumer<String> progress) {}
