package org.tare;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.tare.onnx.TestModel;

/**
 * A small model, tables of seven days that are alike, and one whose values are three times those.
 */
record NightlyFiles(Path folder) {
  private static final int ROWS = 64;

  static NightlyFiles make(SparkSession spark, Path folder) throws Exception {
    NightlyFiles files = new NightlyFiles(folder);
    Random random = new Random(14);
    float[] weights = new float[8 * 4];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) random.nextGaussian();
    }
    TestModel.opset(17)
        .input("x", -1, 8)
        .constant("w", new long[] {8, 4}, weights)
        .node("MatMul", List.of("x", "w"), List.of("h"))
        .node("Relu", List.of("h"), List.of("y"))
        .output("y", -1, 4)
        .write(folder.resolve("model.onnx"));
    for (int day = 1; day <= 7; day++) {
      table(spark, random, 1, files.day(day));
    }
    table(spark, random, 3, files.moved());
    return files;
  }

  private static void table(SparkSession spark, Random random, float factor, String path) {
    List<Row> rows = new ArrayList<>();
    for (long id = 0; id < ROWS; id++) {
      List<Float> x = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        // Bounded, so that days differ little in their extremes.
        x.add(factor * (float) (2 * random.nextDouble() - 1));
      }
      rows.add(RowFactory.create(id, x));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("x", new ArrayType(DataTypes.FloatType, false));
    spark.createDataFrame(rows, schema).coalesce(1).write().parquet(path);
  }

  String model() {
    return folder.resolve("model.onnx").toString();
  }

  String day(int day) {
    return folder.resolve("day" + day).toString();
  }

  String moved() {
    return folder.resolve("moved").toString();
  }

  static String date(int day) {
    return String.format("2026-11-%02d", day);
  }
}
