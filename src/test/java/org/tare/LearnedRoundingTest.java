package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.TestModel;

/**
 * Rounding by learning, where it has to help: all inputs of a layer rise and fall together, so that
 * errors of rounding to the nearest add up, and half of them upwards, half downwards cancel out.
 */
class LearnedRoundingTest {
  private static final int INPUTS = 48;

  @TempDir static Path folder;

  private static SparkSession spark;
  private static Dataset<Row> rows;
  private static String model;

  @BeforeAll
  static void start() {
    spark = LocalSpark.start();
    Random random = new Random(4);
    List<Row> made = new ArrayList<>();
    for (long id = 0; id < 128; id++) {
      double level = random.nextGaussian();
      List<Float> x = new ArrayList<>();
      for (int i = 0; i < INPUTS; i++) {
        x.add((float) (level + 0.1 * random.nextGaussian()));
      }
      made.add(RowFactory.create(id, x));
    }
    rows =
        spark.createDataFrame(
            made,
            new StructType()
                .add("id", DataTypes.LongType)
                .add("x", new ArrayType(DataTypes.FloatType, false)));
    float[] weights = new float[INPUTS * 6];
    for (int i = 0; i < weights.length; i++) {
      // The largest sets the step to 1; the others are nearer to what is below.
      weights[i] = i < 6 ? 7 : 0.2f + 0.25f * random.nextFloat();
    }
    Path file = folder.resolve("net.onnx");
    TestModel.opset(17)
        .input("x", -1, INPUTS)
        .constant("w", new long[] {INPUTS, 6}, weights)
        .constant("b", new long[] {6}, new float[6])
        .node("Gemm", List.of("x", "w", "b"), List.of("y"))
        .output("y", -1, 6)
        .write(file);
    model = file.toString();
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static Run run(Tare tare) {
    return tare.run(model)
        .data(rows)
        .validation(rows)
        .set("quantize.weight.bits", 4)
        .set("quantize.measure-rows", 0);
  }

  private static double sqnr(RunResult made) {
    return made.evaluation().orElseThrow().outputs().get("y").sqnr();
  }

  @Test
  void errorsThatAddUpAreRoundedAgainstEachOther() {
    double nearest = sqnr(run(Tare.on(spark)).run());
    List<String> lines = new ArrayList<>();
    RunResult learned =
        run(Tare.on(spark).withProgress(lines::add))
            .set("quantize.weight.rounding", "learned")
            .set("quantize.weight.rounding-steps", 300)
            .run();
    assertTrue(nearest < 12, "nearest rounding is good already: " + nearest);
    assertTrue(sqnr(learned) > nearest + 10, nearest + " became " + sqnr(learned));
    assertFalse(
        learned.warnings().stream().anyMatch(line -> line.startsWith("Learned rounding made")),
        learned.warnings().toString());
    assertTrue(
        lines.stream().anyMatch(line -> line.startsWith("Learned rounding: ")), lines.toString());
  }

  @Test
  void otherModesAreRefusedBeforeDataAreRead() {
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                run(Tare.on(spark))
                    .set("quantize.mode", "weight-only")
                    .set("quantize.weight.rounding", "learned")
                    .run());
    assertEquals(TareException.Kind.USAGE, e.kind(), e.getMessage());
    assertTrue(e.getMessage().contains("quantize.weight.rounding"), e.getMessage());
  }

  @Test
  void nodesWithoutAGradientAreNamedBeforeDataAreRead() {
    Path file = folder.resolve("hard.onnx");
    TestModel.opset(17)
        .input("x", -1, INPUTS)
        .constant("w", new long[] {INPUTS, 6}, new float[INPUTS * 6])
        .node("MatMul", List.of("x", "w"), List.of("c"))
        .node("Hardmax", List.of("c"), List.of("y"))
        .output("y", -1, 6)
        .write(file);
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                Tare.on(spark)
                    .run(file.toString())
                    .data("nowhere.parquet")
                    .set("quantize.weight.rounding", "learned")
                    .run());
    assertEquals(TareException.Kind.BAD_INPUT, e.kind(), e.getMessage());
    assertTrue(
        e.getMessage()
            .matches(
                "Cannot learn the rounding of hard.onnx: node \\S+ of operator Hardmax: it has no"
                    + " training form; set quantize.weight.rounding=auto"),
        e.getMessage());
  }
}
