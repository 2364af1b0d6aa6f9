package org.tare.history;

import java.util.function.Supplier;
import org.apache.spark.sql.SparkSession;
import org.tare.store.HadoopFiles;

/**
 * Where a call runs.
 *
 * @param files how it reaches files
 * @param sparks gives the session; none is started before it is asked
 * @param version of Tare
 */
public record Session(HadoopFiles files, Supplier<SparkSession> sparks, String version) {
  SparkSession spark() {
    return sparks.get();
  }
}
