package org.tare;

import org.apache.spark.sql.SparkSession;

/** Spark in this process, with two task slots, for a class of tests. */
final class LocalSpark {
  private LocalSpark() {}

  /** A session with a context of its own; the caller stops it. */
  static SparkSession start() {
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate();
    spark.sparkContext().setLogLevel("OFF");
    return spark;
  }
}
