package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
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
import org.tare.job.advice.Advice;
import org.tare.job.advice.Way;
import org.tare.onnx.TestModel;
import org.tare.stats.Samples;

/** Which way to quantize the digits. */
class RecommendTest {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-";
  private static final String MODEL = DIGITS + "mobilenet.onnx";
  private static final Map<String, Object> INPUT =
      Map.of("inputs.image.dtype", "uint8", "inputs.image.scale", 1 / 255.0);

  @TempDir static Path folder;

  private static SparkSession spark;
  private static Tare tare;
  private static Dataset<Row> train;
  private static Dataset<Row> validation;

  @BeforeAll
  static void start() {
    spark = LocalSpark.start();
    tare = Tare.on(spark);
    train = spark.read().parquet(DIGITS + "train.parquet").limit(200);
    validation = spark.read().parquet(DIGITS + "validation.parquet").limit(100);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static Recommend recommend() {
    return tare.recommend(MODEL)
        .data(train)
        .validation(validation)
        .label("label")
        .set(INPUT)
        .set("recommend.rows", 64);
  }

  private static Advice.Step step(Recommendation found, Way way) {
    return found.advice().tried().get(way.ordinal());
  }

  @Test
  void theCheapestWayThatKeepsTheTargetIsChosenAndItsJobFileRuns() throws Exception {
    Path output = folder.resolve("advice");
    Recommendation found =
        recommend()
            .set("data.path", DIGITS + "train.parquet")
            .set("recommend.max-drop", 0.02)
            .output(output.toString())
            .run();
    assertEquals(Way.STATIC, found.advice().chosen().orElseThrow().way(), found.toJson());
    assertTrue(found.advice().isMet() && found.warnings().isEmpty(), found.toJson());
    assertTrue(
        step(found, Way.DYNAMIC).reason().startsWith("does not fit: 97 % of the layers' weights"),
        step(found, Way.DYNAMIC).reason());
    assertEquals("not needed: static costs less and is enough", step(found, Way.MIXED).reason());
    assertEquals(64, found.advice().rows());

    JsonNode json = new ObjectMapper().readTree(output.resolve("recommendation.json").toFile());
    assertEquals("static", json.at("/recommendation/choice").asText());
    assertEquals("top1", json.at("/recommendation/metric").asText());
    assertEquals(5, json.at("/recommendation/tried").size());
    String page = Files.readString(output.resolve("report.html"));
    assertTrue(page.contains("How to quantize digits-mobilenet.onnx"), page);

    RunResult made =
        tare.run(MODEL)
            .config(output.resolve("job.yaml"))
            .set("data.sample", 64)
            .validation(validation)
            .run();
    long bytes = step(found, Way.STATIC).measured().orElseThrow().bytes();
    // Ranges of other rows, and the digests of other states.
    assertEquals(bytes, made.quantized().sizeBytes(), 500);
  }

  /** Two products: what is dynamic comes first. */
  private static String linear() {
    Random random = new Random(1);
    Path file = folder.resolve("linear.onnx");
    TestModel.opset(17)
        .input("x", -1, 16)
        .constant("a", new long[] {16, 32}, Samples.normal(random, 512))
        .constant("b", new long[] {32, 8}, Samples.normal(random, 256))
        .node("MatMul", List.of("x", "a"), List.of("h"))
        .node("Relu", List.of("h"), List.of("r"))
        .node("MatMul", List.of("r", "b"), List.of("y"))
        .output("y", -1, 8)
        .write(file);
    return file.toString();
  }

  private static Dataset<Row> numbers() {
    Random random = new Random(2);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 48; i++) {
      rows.add(RowFactory.create((Object) Samples.normal(random, 16)));
    }
    return spark.createDataFrame(
        rows,
        new StructType().add("x", DataTypes.createArrayType(DataTypes.FloatType, false), false));
  }

  @Test
  void whereNothingKeepsTheTargetTheBestIsChosenAndTrainingIsNext() {
    Recommendation found =
        tare.recommend(linear())
            .data(numbers())
            .set("recommend.metric", "cosine")
            .set("recommend.max-drop", 1e-12)
            .run();
    Advice advice = found.advice();
    assertTrue(!advice.isMet(), found.toJson());
    double least =
        advice.tried().stream()
            .flatMap(step -> step.measured().stream())
            .mapToDouble(Advice.Measured::drop)
            .min()
            .orElseThrow();
    assertEquals(least, advice.chosen().orElseThrow().measured().orElseThrow().drop());
    assertEquals(768, advice.traits().linear());
    for (Way way : List.of(Way.DYNAMIC, Way.STATIC, Way.CORRECTED, Way.WEIGHT_ONLY)) {
      assertTrue(step(found, way).measured().isPresent(), step(found, way).toString());
      assertTrue(step(found, way).reason().startsWith("loses "), step(found, way).reason());
    }
    // All layers stay float32, and nothing is left to quantize.
    assertTrue(
        step(found, Way.MIXED).reason().startsWith("not possible: "),
        step(found, Way.MIXED).reason());
    assertTrue(
        found.warnings().get(0).startsWith("No way that was tried keeps the target: training is"),
        found.warnings().toString());
  }

  @Test
  void afterTheBudgetNoWayIsBegun() {
    Recommendation found = recommend().budget("0.001s").run();
    assertTrue(found.advice().chosen().isEmpty(), found.toJson());
    assertTrue(
        step(found, Way.STATIC).reason().startsWith("not tried: "),
        step(found, Way.STATIC).reason());
    assertEquals("none: no way could be measured", found.summary().get(7).value());
    assertTrue(found.jobFile().isEmpty());
  }

  @Test
  void wrongWishesAreNamed() {
    assertMessage(
        "recommend.budget (set by the caller) cannot be \"soon\": it is a time, as 90s, 10m or 1h",
        recommend().budget("soon"));
    assertMessage(
        "recommend.metric cannot be top1 without labels: set validation.label",
        recommend().set("validation.label", "").set("recommend.metric", "top1"));
    assertMessage("Missing the rows to calibrate on", tare.recommend(MODEL).validation(validation));
  }

  private static void assertMessage(String expected, Recommend call) {
    TareException e = assertThrows(TareException.class, call::run);
    assertTrue(e.getMessage().contains(expected), e.getMessage());
    assertEquals(TareException.Kind.USAGE, e.kind());
  }
}
