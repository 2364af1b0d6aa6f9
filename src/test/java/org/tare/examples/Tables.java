package org.tare.examples;

import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/** Writes rows as Parquet through a Spark in this process. */
final class Tables implements AutoCloseable {
  /** So that a calibration has something to share out. */
  private static final int FILES = 8;

  private final SparkSession spark =
      SparkSession.builder()
          .appName("examples")
          .master("local[1]")
          .config("spark.ui.enabled", "false")
          .config("spark.driver.host", "127.0.0.1")
          .config("spark.driver.bindAddress", "127.0.0.1")
          .getOrCreate();

  /** Writes a table, in the place of a former one. */
  void write(Path path, StructType schema, List<Row> rows) {
    spark
        .createDataFrame(rows, schema)
        .repartition(FILES)
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(path.toString());
  }

  @Override
  public void close() {
    spark.stop();
  }
}
