package org.tare.bench;

import java.nio.file.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;

/** Tables of many rows, made of few: a single Parquet file each, in which rows come again. */
final class BenchTables {
  private BenchTables() {}

  /**
   * Writes a table, in the place of a former one.
   *
   * @param few a table in Parquet
   */
  static void write(SparkSession spark, Path few, int rows, Path target) {
    Dataset<Row> all = spark.read().parquet(few.toString());
    long times = (rows + all.count() - 1) / all.count();
    spark
        .range(times)
        .toDF("again")
        .crossJoin(all)
        .drop("again")
        .limit(rows)
        .coalesce(1)
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(target.toString());
  }

  /** Spark in this process, to make tables with. */
  static SparkSession spark() {
    SparkSession spark =
        SparkSession.builder()
            .appName("bench")
            .master("local[*]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .getOrCreate();
    spark.sparkContext().setLogLevel("OFF");
    return spark;
  }
}
