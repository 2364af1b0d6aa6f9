package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.TableNeeds;
import org.tare.stats.Samples;

/** Rows go to tasks by the work they are, and the state is the same. */
class EvenTasksTest {
  private static final int BATCH = 8;

  @TempDir static Path folder;

  private static SparkSession spark;
  private static OnnxModel model;

  /** 1,000 rows; the vocabulary of the model ends at 50. */
  private static final String ROWS =
      "SELECT id, CAST(id % 3 AS STRING) AS day, array(id % 50, id * 7 % 50) AS ids FROM range(0,"
          + " 1000, 1, ";

  @BeforeAll
  static void start() {
    spark = DigitsCalibration.local("local[2]", Map.of());
    Random random = new Random(5);
    model =
        TestModel.opset(17)
            .input("ids", ElementType.INT64, -1, 2)
            .constant("embedding", new long[] {50, 4}, Samples.normal(random, 200))
            .constant("w", new long[] {4, 4}, Samples.normal(random, 16))
            .node("Gather", List.of("embedding", "ids"), List.of("e"), "axis", 0L)
            .node("MatMul", List.of("e", "w"), List.of("m"))
            .output("m", -1, 2, 4)
            .read();
    spark.sql(ROWS + "1)").write().parquet(folder.resolve("one").toString());
    spark.sql(ROWS + "1)").write().option("header", true).json(folder.resolve("json").toString());
    // One partition of 900 rows, and 50 of 2.
    Dataset<Row> most = spark.sql(ROWS + "1)").filter("id < 900");
    most.union(spark.sql(ROWS + "50)").filter("id >= 900")).createOrReplaceTempView("skewed");
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static CalibrationJob.Request request(DataSource.Origin origin, List<String> by) {
    return new CalibrationJob.Request(
        "texts",
        model,
        TensorTypes.of(model, "texts"),
        List.of("e", "m"),
        new DataSource(origin, Optional.empty(), Optional.empty()),
        Map.of(),
        BATCH,
        new BadRows(false, 0),
        ObservedParts.none(),
        Optional.empty(),
        by);
  }

  private static CalibrationJob.Result calibrate(
      DataSource.Origin origin, double secondsPerRow, List<String> by) {
    return CalibrationJob.runAsIf(
        spark, request(origin, by), OptionalDouble.of(secondsPerRow), line -> {});
  }

  private static DataSource.Origin origin(String name) {
    return switch (name) {
      case "parquet" -> new DataSource.Files(folder.resolve("one").toString(), "parquet", Map.of());
      case "json" -> new DataSource.Files(folder.resolve("json").toString(), "json", Map.of());
      case "tiny" -> new DataSource.Query(ROWS + "60)");
      case "shuffled" -> new DataSource.Query("SELECT /*+ REPARTITION(3) */ * FROM skewed");
      default -> new DataSource.Query("SELECT * FROM skewed");
    };
  }

  @ParameterizedTest
  @ValueSource(strings = {"parquet", "json", "skewed", "tiny", "shuffled"})
  void theStateIsTheSameInAsManyTasksAsTheWorkFills(String source) {
    CalibrationJob.Result kept = calibrate(origin("parquet"), 0, List.of());
    assertEquals(1, kept.partitions());
    CalibrationJob.Result dealt = calibrate(origin(source), 0.02, List.of());
    // 20 seconds in tasks of 3, in whole rounds of 2 slots.
    assertEquals(8, dealt.partitions());
    assertEquals(1000, dealt.state().rows());
    assertArrayEquals(kept.state().encode(), dealt.state().encode());
  }

  @Test
  void rowsWhoseOrderCountsStay() {
    CalibrationJob.Request plain = request(origin("parquet"), List.of());
    CalibrationJob.Request averaged =
        new CalibrationJob.Request(
            plain.label(),
            plain.prepared(),
            plain.types(),
            plain.observed(),
            plain.data(),
            plain.inputs(),
            plain.batch(),
            plain.badRows(),
            new ObservedParts(Map.of("m", 0.5f), ObservedParts.ChannelDetail.NONE, Map.of()),
            plain.mask(),
            plain.by());
    CalibrationJob.Result result =
        CalibrationJob.runAsIf(spark, averaged, OptionalDouble.of(0.02), line -> {});
    assertEquals(1, result.partitions());
  }

  @Test
  void slicesAreTheSameToo() {
    CalibrationJob.Result kept = calibrate(origin("parquet"), 0, List.of("day"));
    CalibrationJob.Result dealt = calibrate(origin("parquet"), 0.02, List.of("day"));
    assertEquals(List.of("day=0", "day=1", "day=2"), List.copyOf(dealt.slices().keySet()));
    assertEquals(8, dealt.partitions());
    kept.slices()
        .forEach(
            (name, state) ->
                assertArrayEquals(state.encode(), dealt.slices().get(name).encode(), name));
  }

  @Test
  void aBadRowIsNamedByThePlaceWhereItStood() {
    DataSource.Origin bad =
        new DataSource.Query(
            "SELECT array(IF(id = 700, NULL, id % 50), 3L) AS ids FROM range(0, 1000, 1, 2)");
    for (double seconds : new double[] {0, 0.02}) {
      TareException refused =
          assertThrows(TareException.class, () -> calibrate(bad, seconds, List.of()));
      assertTrue(refused.getMessage().contains("in row 200 of partition 1"), refused.getMessage());
    }
  }

  @Test
  void tasksHoldWholeBatchesInTheOrderOfTheTable() {
    try (SessionSettings settings = new SessionSettings(spark)) {
      CalibrationJob.Request request = request(origin("skewed"), List.of());
      BoundTable table =
          TableNeeds.of(
                  "calibrate",
                  "texts",
                  Map.of("ids", request.types().get("ids")),
                  Map.of(),
                  BATCH,
                  request.badRows())
              .bind(settings, request.data());
      EvenTasks.Dealt dealt = EvenTasks.deal(settings, table, new EvenTasks.Work(0.02, BATCH));
      List<Row> rows =
          dealt
              .table()
              .rows()
              .withColumn("task", functions.spark_partition_id())
              .select("id", "task")
              .collectAsList();
      int[] sizes = new int[8];
      List<Long> ids = new ArrayList<>();
      for (Row row : rows) {
        sizes[row.getInt(1)]++;
        ids.add(row.getLong(0));
      }
      for (int task = 0, from = 0; task < 8; from += sizes[task++]) {
        assertEquals(0, from % BATCH, Arrays.toString(sizes));
        assertEquals(125, sizes[task], 2 * BATCH, Arrays.toString(sizes));
      }
      assertEquals(spark.table("skewed").select("id").as(longs()).collectAsList(), ids);
    }
  }

  private static org.apache.spark.sql.Encoder<Long> longs() {
    return org.apache.spark.sql.Encoders.LONG();
  }

  @ParameterizedTest
  @CsvSource({
    // Rows of each partition, seconds a row, slots, tasks.
    "'2048', 0.016, 2, 12",
    "'128', 0.016, 2, 2",
    "'20', 10, 2, 0",
    "'64', 10, 2, 2",
    "'64', 10, 16, 2",
    "'1000 1000', 0.016, 2, 0",
    "'1000 1000', 0.001, 2, 0",
    "'1000 100', 0.016, 2, 6",
    "'5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5', 0.02, 2, 2",
    "'1000', 0.0001, 2, 0",
    "'0', 1, 2, 0",
  })
  void tasksFollowTheWork(String counts, double secondsPerRow, int slots, int tasks) {
    long[] rows = Arrays.stream(counts.split(" ")).mapToLong(Long::parseLong).toArray();
    assertEquals(tasks, EvenTasks.tasks(rows, new EvenTasks.Work(secondsPerRow, 32), slots, 1000));
  }

  @Test
  void rowsThatAreAnHourToMoveStay() {
    EvenTasks.Work work = new EvenTasks.Work(0.001, 32);
    assertTrue(EvenTasks.tasks(new long[] {100_000}, work, 4, 1000) > 0);
    assertEquals(0, EvenTasks.tasks(new long[] {100_000}, work, 4, 1_000_000));
  }

  @Test
  void sparkSendsEachKeyToItsTask() {
    int[] keys = EvenTasks.keys(9);
    Dataset<Row> rows =
        spark
            .createDataset(
                Arrays.stream(keys).boxed().toList(), org.apache.spark.sql.Encoders.INT())
            .toDF("key")
            .repartition(9, functions.col("key"))
            .withColumn("task", functions.spark_partition_id());
    for (Row row : rows.collectAsList()) {
      assertEquals(keys[row.getInt(1)], row.getInt(0));
    }
  }
}
