package org.tare.cli;

import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.spark.functions.TareExtensions;

/** Starts Spark as the command needs it. */
final class Sessions {
  private static final String EXTENSIONS = "spark.sql.extensions";

  private Sessions() {}

  /**
   * The session of spark-submit's configuration, or of {@code local[*]} if it names no master.
   *
   * @param verbose leave Spark's log as it is configured
   */
  static SparkSession start(boolean verbose) {
    SparkConf conf = new SparkConf();
    conf.setIfMissing("spark.app.name", "tare");
    if (!conf.contains("spark.master")) {
      conf.set("spark.master", "local[*]");
      conf.setIfMissing("spark.ui.enabled", "false");
      conf.setIfMissing("spark.driver.host", "127.0.0.1");
      conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1");
    }
    conf.setIfMissing("spark.ui.showConsoleProgress", "false");
    // Otherwise files that are added to the session do not reach SparkFiles on Spark 4.
    conf.set("spark.sql.artifact.isolation.enabled", "false");
    String functions = TareExtensions.class.getName();
    String extensions = conf.get(EXTENSIONS, "");
    if (!extensions.contains(functions)) {
      // So that a --query can use Tare's SQL functions.
      conf.set(EXTENSIONS, extensions.isEmpty() ? functions : extensions + "," + functions);
    }
    try {
      SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
      if (!verbose) {
        spark.sparkContext().setLogLevel("OFF");
      }
      return spark;
    } catch (RuntimeException e) {
      throw TareException.tryAgain("Cannot start Spark: %s", e.getMessage()).causedBy(e);
    }
  }
}
