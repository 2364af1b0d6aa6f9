package org.tare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.TestModel;
import org.tare.stats.CalibrationState;
import org.tare.stats.Samples;
import org.tare.stats.TensorStats;

/** SmoothQuant in one pass over the rows: its factors come from a few of them. */
class SmoothedCalibrationTest {
  private static final int CHANNELS = 16;
  private static final int ROWS = 400;

  @TempDir static Path folder;

  private static SparkSession spark;
  private static Tare tare;
  private static String model;

  @BeforeAll
  static void start() {
    spark = LocalSpark.start();
    tare = Tare.on(spark);
    model = folder.resolve("product.onnx").toString();
    TestModel.opset(17)
        .input("x", -1, CHANNELS)
        .constant("w", new long[] {CHANNELS, 8}, Samples.normal(new Random(2), CHANNELS * 8))
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 8)
        .read()
        .write(Path.of(model));
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  /** Rows of which one channel is as many times as large as the others. */
  private static Dataset<Row> rows(int seed, float outlier) {
    Random random = new Random(seed);
    List<Row> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      float[] x = Samples.normal(random, CHANNELS);
      x[3] *= outlier;
      rows.add(RowFactory.create(row, x));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.IntegerType)
            .add("x", DataTypes.createArrayType(DataTypes.FloatType));
    return spark.createDataFrame(rows, schema);
  }

  private static String smoothed(CalibrationState state) {
    List<String> names =
        state.tensors().keySet().stream().filter(name -> name.startsWith("x_smooth_")).toList();
    assertEquals(1, names.size(), names.toString());
    return names.get(0);
  }

  @Test
  void everyRowIsObservedDividedByTheFactorsOfSome() {
    Dataset<Row> rows = rows(1, 100);
    List<String> progress = new ArrayList<>();
    CalibrationState state =
        Tare.on(spark).withProgress(progress::add).calibrate(model).data(rows).run().state();
    assertTrue(
        progress.stream().anyMatch(line -> line.startsWith("Calibrating: choosing factors")),
        "told");
    TensorStats plain = state.tensor("x");
    TensorStats divided = state.tensor(smoothed(state));
    assertEquals(ROWS * CHANNELS, plain.count());
    assertEquals(ROWS * CHANNELS, divided.count());
    // The extremes of the divided values are those of the channels, divided.
    int[] exponents = divided.smoothing().orElseThrow().exponents();
    float greatest = Float.NEGATIVE_INFINITY;
    for (int c = 0; c < CHANNELS; c++) {
      float max = plain.channels().orElseThrow().max(c);
      greatest = Math.max(greatest, Math.scalb(max, -exponents[c]));
    }
    assertEquals(greatest, divided.max());
    assertTrue(divided.max() < plain.max() / 4, divided.max() + " of " + plain.max());
    byte[] bytes = state.encode();
    for (int partitions : new int[] {1, 7}) {
      assertArrayEquals(
          bytes,
          tare.calibrate(model).data(rows.repartition(partitions)).run().state().encode(),
          partitions + " partitions");
    }
  }

  /** What could have got factors and did not is known: it was not forgotten. */
  @Test
  void plainRowsGetNoFactorsAndNoWarning() {
    CalibrationState state = tare.calibrate(model).data(rows(1, 1)).run().state();
    assertEquals(List.of("x"), List.copyOf(state.tensors().keySet()));
    assertTrue(state.tensor("x").smoothing().isPresent());
    assertEquals(List.of(), warnings(state));
  }

  @Test
  void daysOfAStoreShareTheFactorsOfTheFirst() {
    String store = folder.resolve("store").toString();
    CalibrationState first = day(store, "2026-11-01", 1, 100);
    CalibrationState second = day(store, "2026-11-02", 2, 1000);
    assertEquals(smoothed(first), smoothed(second));
    CalibrationState alone = tare.calibrate(model).data(rows(2, 1000)).run().state();
    assertFalse(smoothed(first).equals(smoothed(alone)), "the second day would choose others");
    CalibrationState sum = first.merge(second);
    assertEquals(List.of(), warnings(sum));
    Quantized quantized =
        tare.quantize(model).state(sum).set(Map.of("quantize.smooth-quant", true)).run();
    assertTrue(quantized.toJson().contains("expected_gain"), quantized.toJson());
    // Chosen apart they do not add up, and that is said.
    assertEquals(
        List.of(
            "SmoothQuant is left out for 1 tensors (x, …): the state is the sum of states with"
                + " other factors; calibrate again for it"),
        warnings(first.merge(alone)));
  }

  /** Those that speak of SmoothQuant; the model is too small to gain bytes. */
  private static List<String> warnings(CalibrationState state) {
    return tare.quantize(model).state(state).run().warnings().stream()
        .filter(line -> line.contains("SmoothQuant"))
        .toList();
  }

  private static CalibrationState day(String store, String day, int seed, float outlier) {
    return tare.calibrate(model).data(rows(seed, outlier)).store(store, day).run().state();
  }
}
