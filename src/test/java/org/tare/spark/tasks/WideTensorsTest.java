package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.Calibration;
import org.tare.Tare;
import org.tare.onnx.ElementType;
import org.tare.onnx.TestModel;
import org.tare.stats.Samples;

/** Tensors of which a whole batch is more than is looked at together. */
class WideTensorsTest {
  private static final int WIDTH = 2_000_000;
  private static final int ROWS = 37;

  @TempDir Path folder;

  @Test
  void theStateIsThatOfAnyBatch() {
    Random random = new Random(5);
    TestModel numbers = TestModel.opset(17).input("x", -1, 1, 1, 1);
    String model = wide(numbers, "x", random);
    List<Row> made = new ArrayList<>();
    for (long i = 0; i < ROWS; i++) {
      made.add(RowFactory.create(i, List.of((float) random.nextGaussian())));
    }
    SparkSession spark = DigitsCalibration.local("local[2]", Map.of());
    try {
      Dataset<Row> rows = rows(spark, made, "x", DataTypes.FloatType);
      Calibration whole = calibrate(spark, model, rows, 32);
      assertEquals((long) ROWS * WIDTH, whole.state().tensor("r").count());
      // No two rows together, and as many as fit: 8 MB a row.
      assertArrayEquals(calibrate(spark, model, rows, 1).state().encode(), whole.state().encode());
      assertArrayEquals(calibrate(spark, model, rows, 5).state().encode(), whole.state().encode());
    } finally {
      spark.stop();
    }
  }

  /** A row that the model refuses, in the midst of a batch of which others were looked at. */
  @Test
  void aRefusedRowIsLeftOutAlone() {
    Random random = new Random(6);
    TestModel words =
        TestModel.opset(17)
            .input("ids", ElementType.INT64, -1, 1, 1, 1)
            .constant("embedding", new long[] {50}, Samples.normal(random, 50))
            .node("Gather", List.of("embedding", "ids"), List.of("e"), "axis", 0L);
    String model = wide(words, "e", random);
    List<Row> made = new ArrayList<>();
    for (long i = 0; i < ROWS; i++) {
      made.add(RowFactory.create(i, List.of(i == 9 ? 77 : i)));
    }
    SparkSession spark = DigitsCalibration.local("local[2]", Map.of());
    try {
      Dataset<Row> rows = rows(spark, made, "ids", DataTypes.LongType);
      Dataset<Row> good = rows.filter("id <> 9");
      Calibration all = calibrate(spark, model, rows, 32);
      assertEquals(ROWS - 1, all.state().rows());
      assertArrayEquals(calibrate(spark, model, good, 32).state().encode(), all.state().encode());
      Tare tare = Tare.on(spark);
      String output = folder.resolve("q").toString();
      tare.quantize(model).state(all.state()).output(output).run();
      String quantized = output + "/model.onnx";
      Map<String, OutputMetrics> found =
          tare.compare(model, quantized)
              .data(rows)
              .set("bad-rows", "skip")
              .set("bad-rows-limit", 0.1)
              .run()
              .accumulated();
      Map<String, OutputMetrics> expected =
          tare.compare(model, quantized).data(good).run().accumulated();
      assertEquals(expected.keySet(), found.keySet());
      expected.forEach(
          (tensor, one) -> {
            assertEquals(one.rows, found.get(tensor).rows, tensor);
            assertEquals(one.sqnr(), found.get(tensor).sqnr(), 1e-9, tensor);
          });
    } finally {
      spark.stop();
    }
  }

  /** A model that makes an image of two million values of each number of a tensor. */
  private String wide(TestModel model, String number, Random random) {
    Path file = folder.resolve("wide.onnx");
    model
        .constant("c", new long[] {1, 1, 2000, WIDTH / 2000}, Samples.normal(random, WIDTH))
        .constant("w", new long[] {2, 1, 1, 1}, 0.5f, -1.5f)
        .node("Mul", List.of(number, "c"), List.of("h"))
        .node("Relu", List.of("h"), List.of("r"))
        .node("Conv", List.of("r", "w"), List.of("v"))
        .node("GlobalAveragePool", List.of("v"), List.of("y"))
        .output("y", -1, 2, 1, 1)
        .write(file);
    return file.toString();
  }

  private static Dataset<Row> rows(
      SparkSession spark, List<Row> rows, String column, DataType values) {
    return spark.createDataFrame(
        rows,
        new StructType().add("id", DataTypes.LongType).add(column, new ArrayType(values, false)));
  }

  private static Calibration calibrate(
      SparkSession spark, String model, Dataset<Row> rows, int batch) {
    return Tare.on(spark)
        .calibrate(model)
        .data(rows)
        .batch(batch)
        .set("quantize.smooth-quant", "false")
        .set("bad-rows", "skip")
        .set("bad-rows-limit", 0.1)
        .run();
  }
}
