package org.tare.job;

import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.spark.sql.SparkSession;

/**
 * What all parts of a run that start jobs on Spark need.
 *
 * @param spark gives the session; it may start Spark when it is first asked
 * @param progress gets a line now and then
 * @param rows how rows become inputs of the model
 */
public record JobContext(Supplier<SparkSession> spark, Consumer<String> progress, RowOptions rows) {
  /** The same with other options of rows. */
  public JobContext with(RowOptions other) {
    return new JobContext(spark, progress, other);
  }
}
