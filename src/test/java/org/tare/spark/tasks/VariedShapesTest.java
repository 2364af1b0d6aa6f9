package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.DataSource;
import org.tare.stats.CalibrationState;
import org.tare.stats.Samples;

/** Two inputs, rows of several lengths, and tensors whose first axis is not the batch. */
class VariedShapesTest {
  @TempDir Path folder;

  private static OnnxModel model() {
    Random random = new Random(1);
    return FloatPasses.prepare(
        TestModel.opset(17)
            .input("ids", ElementType.INT64, -1, -1)
            .input("weight", -1, 1)
            .constant("embedding", new long[] {50, 8}, Samples.normal(random, 400))
            .constant("w", new long[] {8, 8}, Samples.normal(random, 64))
            .constant("positions", new long[] {1, 64, 8}, Samples.normal(random, 512))
            .longs("zero", 0)
            .longs("one", 1)
            .longs("axis1", 1)
            // Positions depend on the length alone, whatever the batch.
            .node("Shape", List.of("ids"), List.of("shape"))
            .node("Gather", List.of("shape", "one"), List.of("length"), "axis", 0L)
            .node("Slice", List.of("positions", "zero", "length", "axis1"), List.of("p"))
            .node("Relu", List.of("p"), List.of("pr"))
            .node("Gather", List.of("embedding", "ids"), List.of("e"), "axis", 0L)
            .node("MatMul", List.of("e", "w"), List.of("ew"))
            .node("Add", List.of("ew", "pr"), List.of("h"))
            // Rows lie across: [length, batch, 8].
            .node("Transpose", List.of("h"), List.of("t"), "perm", new long[] {1, 0, 2})
            .node("MatMul", List.of("t", "w"), List.of("m"))
            .node("Relu", List.of("m"), List.of("r"))
            .node(
                "ReduceMean", List.of("r"), List.of("mean"), "axes", new long[] {0}, "keepdims", 0L)
            .node("Mul", List.of("mean", "weight"), List.of("scaled"))
            .node("Identity", List.of("scaled"), List.of("y"))
            .output("y", -1, 8)
            .read());
  }

  private static CalibrationState calibrate(SparkSession spark, int partitions, int batch) {
    spark.table("texts").repartition(partitions).createOrReplaceTempView("parts");
    OnnxModel model = model();
    Map<String, TensorType> types = TensorTypes.of(model, "texts");
    QConfigMapping mapping =
        new QConfigMapping(Mode.STATIC, Backend.ONEDNN, QConfig.standard(), List.of());
    return CalibrationJob.run(
            spark,
            new CalibrationJob.Request(
                "texts",
                model,
                types,
                QuantizationPlan.of(model, types, mapping).observed(),
                new DataSource(
                    new DataSource.Query("SELECT * FROM parts"),
                    Optional.empty(),
                    Optional.empty()),
                Map.of(),
                batch,
                new BadRows(false, 0),
                ObservedParts.none(),
                Optional.empty(),
                List.of()),
            line -> {})
        .state();
  }

  @Test
  void stateDoesNotDependOnPartitions() {
    SparkSession spark = DigitsCalibration.local("local[2]", Map.of());
    try {
      Random random = new Random(2);
      List<Row> rows = new ArrayList<>();
      long values = 0;
      for (int i = 0; i < 203; i++) {
        List<Long> ids = new ArrayList<>();
        int length = 3 + random.nextInt(5) * (1 + random.nextInt(6));
        for (int k = 0; k < length; k++) {
          ids.add((long) random.nextInt(50));
        }
        values += 8L * length;
        rows.add(RowFactory.create((long) i, ids, random.nextDouble()));
      }
      StructType schema =
          new StructType()
              .add("id", DataTypes.LongType)
              .add("ids", new ArrayType(DataTypes.LongType, false))
              .add("weight", DataTypes.DoubleType);
      spark.createDataFrame(rows, schema).createOrReplaceTempView("texts");
      CalibrationState one = calibrate(spark, 1, 8);
      assertEquals(203, one.rows());
      // Batch-major, across the batch, and the same for every batch: each value counts once a row.
      for (String tensor : List.of("h", "r", "pr")) {
        assertEquals(values, one.tensor(tensor).count(), tensor);
      }
      assertEquals(203 * 8, one.tensor("mean").count());
      assertEquals(203, one.tensor("weight").count());
      for (int partitions : new int[] {2, 5, 13}) {
        assertArrayEquals(one.encode(), calibrate(spark, partitions, 8).encode());
      }
    } finally {
      spark.stop();
    }
  }
}
