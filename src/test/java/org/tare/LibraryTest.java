package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.RawLocalFileSystem;
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
import org.tare.TareException.Kind;
import org.tare.examples.LibraryExample;

/** The library in sessions that it did not start, as their callers set them up. */
class LibraryTest {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-";
  private static final String MODEL = DIGITS + "mobilenet.onnx";
  private static final Map<String, Object> PIXELS =
      Map.of("inputs.image.dtype", "uint8", "inputs.image.scale", 1 / 255.0);
  private static final int ROWS = 256;

  private static SparkSession shared;
  private static Dataset<Row> rows;
  private static String digest;

  @TempDir Path folder;

  @BeforeAll
  static void start() {
    shared =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.artifact.isolation.enabled", "true")
            .getOrCreate();
    shared.sparkContext().setLogLevel("OFF");
    rows = shared.read().parquet(DIGITS + "train.parquet").limit(ROWS);
    digest = calibrate(shared, inMemory(shared)).state().digest();
  }

  @AfterAll
  static void stop() {
    shared.stop();
  }

  /** The rows, without a file behind them. */
  private static Dataset<Row> inMemory(SparkSession spark) {
    return spark.createDataFrame(rows.collectAsList(), rows.schema());
  }

  private static Calibration calibrate(SparkSession spark, Dataset<Row> data) {
    return Tare.on(spark).calibrate(MODEL).data(data).batch(32).set(PIXELS).run();
  }

  private static JsonNode json(Result result) throws Exception {
    return new ObjectMapper().readTree(result.toJson());
  }

  /** The three calls; what is observed is the same in every session. */
  private static void callAll(SparkSession spark, Dataset<Row> data) throws Exception {
    Tare tare = Tare.on(spark);
    Calibration c = calibrate(spark, data);
    assertEquals(digest, c.state().digest());
    assertEquals(ROWS, json(c).at("/calibration/rows").asInt());
    Quantized q = tare.quantize(MODEL).state(c.state()).set("quantize.measure-rows", 64).run();
    assertEquals(q.sizeBytes(), json(q).at("/quantized/bytes").asLong());
    JsonNode qparams = new ObjectMapper().readTree(q.qparamsJson());
    assertEquals(q.qparams().size(), qparams.path("activations").size());
    assertEquals(q.weights().size(), qparams.path("weights").size());
    Evaluation e = tare.evaluate(MODEL, q).data(data).label("label").batch(32).set(PIXELS).run();
    assertEquals(ROWS, e.rows());
    String output = e.outputs().keySet().iterator().next();
    double top1 =
        json(e).path("evaluation").path("outputs").path(output).path("quantized_top1").asDouble();
    assertEquals(e.outputs().get(output).quantizedTop1(), top1);
    assertTrue(top1 >= 0.98, "top-1 of rows that the model was trained on: " + top1);
  }

  @Test
  void writesWhereTheSessionReachesFiles() {
    SparkSession spark = shared.newSession();
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    hadoop.set("fs.kept.impl", RawLocalFileSystem.class.getName());
    try {
      Quantized q = Tare.on(spark).quantize(MODEL).set("quantize.mode", "dynamic").run();
      Path output = folder.resolve("q");
      q.write(output.toString());
      TareException taken = assertThrows(TareException.class, () -> q.write(output.toString()));
      assertEquals(Kind.CANNOT_WRITE, taken.kind());
      // Only the session knows the scheme; its file system refuses paths that are not of file:.
      TareException ofSession =
          assertThrows(TareException.class, () -> q.write("kept:///nowhere/q"));
      assertFalse(ofSession.getMessage().contains("no file system has the scheme"));
      TareException ofNone =
          assertThrows(TareException.class, () -> q.write("unkept:///nowhere/q"));
      assertTrue(ofNone.getMessage().contains("no file system has the scheme unkept"));
    } finally {
      hadoop.unset("fs.kept.impl");
    }
  }

  /** What a caller can see of a session that a call might change. */
  private record Trace(
      Object settings, List<String> tables, Object jobGroup, Object persistent, Object files) {
    static Trace of(SparkSession spark) {
      return new Trace(
          spark.conf().getAll(),
          spark.catalog().listTables().collectAsList().stream().map(t -> t.name()).toList(),
          spark.sparkContext().getLocalProperty("spark.jobGroup.id"),
          spark.sparkContext().getPersistentRDDs().size(),
          spark.sparkContext().listFiles());
    }
  }

  @ParameterizedTest
  @CsvSource({"true, true", "true, false", "false, true", "false, false"})
  void sessionsOfAllKindsGiveTheSameAndStayAsTheyWere(boolean isAnsi, boolean isCaseSensitive)
      throws Exception {
    SparkSession spark = shared.newSession();
    spark.conf().set("spark.sql.ansi.enabled", isAnsi);
    spark.conf().set("spark.sql.caseSensitive", isCaseSensitive);
    Dataset<Row> data = inMemory(spark);
    // Where case counts, another column may differ from the input's by it alone.
    (isCaseSensitive ? data.withColumn("IMAGE", functions.lit(1)) : data)
        .createOrReplaceTempView("digits");
    Trace before = Trace.of(spark);
    callAll(spark, spark.table("digits"));
    assertEquals(before, Trace.of(spark));
    assertEquals(List.of("digits"), before.tables());
  }

  @Test
  void twoThreadsAtOnceGiveTheSame() throws Exception {
    Dataset<Row> data = inMemory(shared);
    data.createOrReplaceTempView("digits");
    Trace before = Trace.of(shared);
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      List<Future<Void>> calls =
          List.of(data, shared.table("digits")).stream()
              .map(
                  table ->
                      threads.<Void>submit(
                          () -> {
                            callAll(shared, table);
                            assertNull(shared.sparkContext().getLocalProperty("spark.jobGroup.id"));
                            return null;
                          }))
              .toList();
      for (Future<Void> call : calls) {
        call.get();
      }
    } finally {
      threads.shutdown();
      shared.catalog().dropTempView("digits");
    }
    assertEquals(before.settings(), Trace.of(shared).settings());
    assertEquals(before.files(), Trace.of(shared).files());
  }

  @Test
  void wholeJobWritesItsResult() throws Exception {
    Path output = folder.resolve("out");
    Dataset<Row> data = inMemory(shared);
    RunResult result =
        Tare.on(shared)
            .run(MODEL)
            .data(data)
            .validation(data)
            .label("label")
            .batch(32)
            .set(PIXELS)
            .set("quantize.measure-rows", 64)
            .output(output.toString())
            .run();
    assertEquals(digest, result.calibration().orElseThrow().state().digest());
    assertTrue(result.evaluation().isPresent());
    JsonNode written = new ObjectMapper().readTree(output.resolve("result.json").toFile());
    assertEquals(json(result), written);
  }

  @Test
  void missingColumnsAreErrorsThatLeaveNothingBehind() {
    Path output = folder.resolve("out");
    Dataset<Row> data = inMemory(shared);
    Tare tare = Tare.on(shared);
    Trace before = Trace.of(shared);
    List<Call<?>> calls =
        List.of(
            tare.calibrate(MODEL).data(data).column("image", "nowhere"),
            tare.calibrate(MODEL).data(data).set(PIXELS).by("nowhere"),
            tare.evaluate(MODEL, MODEL).data(data).set(PIXELS).label("nowhere"),
            tare.run(MODEL).data(data).validation(data).set(PIXELS).key("nowhere"),
            tare.observe(data).columns("nowhere"));
    for (Call<?> call : calls) {
      TareException e =
          assertThrows(
              TareException.class, () -> call.output(output.toString()).run(), call.toString());
      assertEquals(Kind.BAD_INPUT, e.kind(), e.getMessage());
      assertTrue(e.getMessage().contains("nowhere"), e.getMessage());
      assertFalse(e.getMessage().contains("\n"), e.getMessage());
    }
    assertEquals(before, Trace.of(shared));
    assertFalse(Files.exists(output), "an output folder was made");
  }

  @Test
  void exampleReachesItsFigures() {
    LibraryExample.check(shared);
  }
}
