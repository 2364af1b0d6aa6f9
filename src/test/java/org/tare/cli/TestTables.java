package org.tare.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Writes tables for commands to read, through a Spark that is gone when they start theirs. */
final class TestTables {
  private TestTables() {}

  static void write(Consumer<SparkSession> writer) {
    SparkSession spark =
        SparkSession.builder()
            .master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate();
    try {
      writer.accept(spark);
    } finally {
      spark.stop();
    }
  }

  /** Rows of the columns id and x, an array of floats. */
  static void writeFloats(Path path, float[]... rows) {
    List<Row> all = new ArrayList<>();
    for (float[] row : rows) {
      List<Float> values = new ArrayList<>();
      for (float value : row) {
        values.add(value);
      }
      all.add(RowFactory.create((long) all.size(), values));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("x", new ArrayType(DataTypes.FloatType, false));
    write(spark -> spark.createDataFrame(all, schema).coalesce(1).write().parquet(path.toString()));
  }
}
