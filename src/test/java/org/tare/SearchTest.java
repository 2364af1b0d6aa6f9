package org.tare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.job.CheckpointBytes;
import org.tare.job.trials.Cost;
import org.tare.job.trials.LayerType;
import org.tare.job.trials.MixRun;
import org.tare.job.trials.SensitivityRun.Trial;
import org.tare.onnx.TestModel;
import org.tare.spark.tasks.OutputMetrics;

/** Metrics of the user's own, and searches that go on, on a net of three layers. */
class SearchTest {
  private static final int WIDTH = 8;

  private static final String EIGHT_TYPES =
      "w8a8,w4a8,w8a16,w4a16,w8a8-tensor,w4a8-tensor,w8a16-tensor,w4a16-tensor";

  @TempDir static Path folder;

  private static SparkSession spark;
  private static Dataset<Row> rows;
  private static String model;
  private static String state;

  @BeforeAll
  static void calibrate() {
    spark = LocalSpark.start();
    Random random = new Random(11);
    List<Row> made = new ArrayList<>();
    for (long id = 0; id < 40; id++) {
      List<Float> x = new ArrayList<>();
      for (int i = 0; i < WIDTH; i++) {
        x.add((float) random.nextGaussian());
      }
      made.add(RowFactory.create(x, id % WIDTH, "row " + id));
    }
    rows =
        spark
            .createDataFrame(
                made,
                new StructType()
                    .add("x", DataTypes.createArrayType(DataTypes.FloatType, false))
                    .add("label", DataTypes.LongType)
                    .add("name", DataTypes.StringType))
            .cache();
    Path file = folder.resolve("net.onnx");
    TestModel.opset(17)
        .input("x", -1, WIDTH)
        .constant("w1", new long[] {WIDTH, WIDTH}, weights(random))
        .constant("w2", new long[] {WIDTH, WIDTH}, weights(random))
        .constant("w3", new long[] {WIDTH, WIDTH}, weights(random))
        .node("MatMul", List.of("x", "w1"), List.of("a"))
        .node("Relu", List.of("a"), List.of("ra"))
        .node("MatMul", List.of("ra", "w2"), List.of("b"))
        .node("Relu", List.of("b"), List.of("rb"))
        .node("MatMul", List.of("rb", "w3"), List.of("a/b.c"))
        .output("a/b.c", -1, WIDTH)
        .write(file);
    model = file.toString();
    String output = folder.resolve("calibrated").toString();
    Tare.on(spark).calibrate(model).data(rows).output(output).run();
    state = output + "/state.tare";
  }

  private static float[] weights(Random random) {
    float[] weights = new float[WIDTH * WIDTH];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) random.nextGaussian() / 2;
    }
    return weights;
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static Sensitivity bySql(Dataset<Row> rows, String sql) {
    return Tare.on(spark)
        .sensitivity(model)
        .state(state)
        .validation(rows)
        .label("label")
        .set("sensitivity.types", "w4a8")
        .set("trials.metric-sql", sql)
        // Stretches of 32 rows.
        .batch(2)
        .run();
  }

  @Test
  void anExpressionOfARowGivesWhatTheMetricOfItsKindGives() {
    String top1 =
        "array_position(quantized.`a/b.c`, array_max(quantized.`a/b.c`)) - 1 = wanted AND float IS"
            + " NOT NULL";
    Dataset<Row> other = rows.withColumn("wanted", functions.col("label"));
    List<Trial> trials = new ArrayList<>(bySql(other.repartition(5), top1).layers());
    assertEquals(3, trials.size());
    for (Trial trial : trials) {
      OutputMetrics figures = trial.outputs().get("a/b.c");
      assertEquals(40, figures.rows());
      assertEquals(figures.quantizedTop1(), trial.metric(), 1e-12);
    }
  }

  @Test
  void anExpressionOverAllRowsDependsOnNoPartitioning() {
    // In fractions, with another factor for each row: another order of summing would show.
    String noise =
        "sum(aggregate(zip_with(float.`a/b.c`, quantized.`a/b.c`, (x, y) -> (x - y) * (x - y)), 0D,"
            + " (s, e) -> s + e)) / sum(aggregate(float.`a/b.c`, 0D, (s, e) -> s + e * e))"
            + " + 0 * sum(length(name) / 3D)";
    Sensitivity one = bySql(rows.coalesce(1), noise);
    Sensitivity other = bySql(rows.repartition(3), noise);
    for (int i = 0; i < one.layers().size(); i++) {
      Trial trial = one.layers().get(i);
      double expected = Math.pow(10, trial.outputs().get("a/b.c").sqnr() / -10);
      assertEquals(expected, trial.metric(), 1e-6 * expected, trial.layer().toString());
      assertEquals(trial.metric(), other.layers().get(i).metric());
      assertEquals(trial.layer(), other.layers().get(i).layer());
    }
    String json = one.toJson();
    assertTrue(json.contains("\"metric_sql\" : \"sum(aggregate("), json);
    assertTrue(json.contains("\"metric\" : \"sql\""), json);
  }

  @Test
  void expressionsThatGiveNoFigureAreNamedBeforeTheWork() {
    for (String[] wrong :
        new String[][] {
          {"array_max(quantized.`a/b`) > 1", "a/b"},
          {"label >", "Syntax error"},
          {"quantized.`a/b.c`", "it is of type array<float>"},
          {"'good'", "it is of type string"},
          {"nope = 1", "nope"},
          {"rand()", "rand"},
          {"sum(label) + label", "label"},
        }) {
      TareException e = assertThrows(TareException.class, () -> bySql(rows, wrong[0]));
      String message = e.getMessage();
      assertTrue(message.startsWith("trials.metric-sql cannot be \"" + wrong[0] + "\": "), message);
      assertTrue(message.contains(wrong[1]) && !message.contains("\n"), message);
      assertEquals(TareException.Kind.USAGE, e.kind(), message);
    }
    TareException e =
        assertThrows(TareException.class, () -> bySql(rows, "nullif(label, label) + label"));
    assertTrue(e.getMessage().contains("is null: it gives no number"), e.getMessage());
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
  }

  private static final String TOP1 =
      "array_position(quantized.`a/b.c`, array_max(quantized.`a/b.c`)) - 1 = wanted";

  @Test
  void anEvaluationGivesAnExpressionsFigureOfBothModels() throws Exception {
    Tare tare = Tare.on(spark);
    Quantized quantized = tare.quantize(model).state(state).run();
    Dataset<Row> other = rows.withColumn("wanted", functions.col("label"));
    // In fractions, with another factor for each row: another order of summing would show.
    String noise = "sum((quantized.`a/b.c`[0] - float.`a/b.c`[1]) * wanted / 3D)";
    double[] noises = new double[2];
    for (int partitions : new int[] {1, 3}) {
      Evaluation found =
          tare.evaluate(model, quantized)
              .data(other.repartition(partitions))
              .label("label")
              .batch(4)
              .set("trials.metric-sql", TOP1)
              .run();
      OutputMetrics figures = found.outputs().get("a/b.c");
      Evaluation.OwnMetric own = found.ownMetric().orElseThrow();
      assertEquals(figures.quantizedTop1(), own.figures().quantized(), 1e-12);
      assertEquals(figures.floatTop1(), own.figures().floats(), 1e-12);
      JsonNode json = new ObjectMapper().readTree(found.toJson()).get("evaluation");
      assertEquals(TOP1, json.get("metric_sql").asText());
      assertEquals(own.figures().quantized(), json.get("metric").asDouble());
      assertEquals(own.figures().floats(), json.get("float_metric").asDouble());
      assertEquals(
          String.format(
              Locale.ROOT,
              "%.6f, of the float model %.6f",
              own.figures().quantized(),
              own.figures().floats()),
          found.summary().stream()
              .filter(fact -> fact.name().equals("Metric"))
              .findFirst()
              .orElseThrow()
              .value());
      noises[partitions / 2] =
          tare.evaluate(model, quantized)
              .data(other.repartition(partitions))
              .set("trials.metric-sql", noise)
              .run()
              .ownMetric()
              .orElseThrow()
              .figures()
              .quantized();
    }
    assertEquals(noises[0], noises[1]);
    for (String[] wrong :
        new String[][] {
          {"nope = 1", "nope"}, {"'good'", "it is of type string"}, {"sum(label) + label", "label"},
        }) {
      Evaluate call = tare.evaluate(model, quantized).data(rows).set("trials.metric-sql", wrong[0]);
      TareException e = assertThrows(TareException.class, call::run);
      assertTrue(
          e.getMessage().startsWith("trials.metric-sql cannot be \"" + wrong[0] + "\": ")
              && e.getMessage().contains(wrong[1]),
          e.getMessage());
      assertEquals(TareException.Kind.USAGE, e.kind());
    }
    Evaluate none = tare.evaluate(model, quantized).data(rows).set("trials.metric-sql", "1 / NULL");
    TareException e = assertThrows(TareException.class, none::run);
    assertTrue(e.getMessage().contains("is null: it gives no number"), e.getMessage());
  }

  @Test
  void aRecommendationGoesByAnExpressionAsByTheMetricOfItsKind() throws Exception {
    Dataset<Row> other = rows.withColumn("wanted", functions.col("label"));
    List<JsonNode> found = new ArrayList<>();
    for (String sql : new String[] {"", TOP1}) {
      Recommend call =
          Tare.on(spark).recommend(model).data(rows).validation(other).label("label").maxDrop(0);
      if (!sql.isEmpty()) {
        call.set("trials.metric-sql", sql);
      }
      found.add(new ObjectMapper().readTree(call.run().toJson()).get("recommendation"));
    }
    assertEquals("top1", found.get(0).get("metric").asText());
    assertEquals("sql", found.get(1).get("metric").asText());
    assertEquals(TOP1, found.get(1).get("metric_sql").asText());
    assertEquals(
        found.get(0).get("float_metric").asDouble(),
        found.get(1).get("float_metric").asDouble(),
        1e-12);
    assertEquals(found.get(0).get("choice"), found.get(1).get("choice"));
    for (int i = 0; i < found.get(0).get("tried").size(); i++) {
      JsonNode known = found.get(0).get("tried").get(i);
      JsonNode own = found.get(1).get("tried").get(i);
      assertEquals(known.get("way"), own.get("way"));
      assertEquals(known.path("metric"), own.path("metric"), own.toString());
    }
    Recommend both = Tare.on(spark).recommend(model).data(rows).set("recommend.metric", "cosine");
    TareException e =
        assertThrows(TareException.class, () -> both.set("trials.metric-sql", TOP1).run());
    assertTrue(e.getMessage().contains("does not go with recommend.metric"), e.getMessage());
    Recommend wrong = Tare.on(spark).recommend(model).data(rows).set("trials.metric-sql", TOP1);
    e = assertThrows(TareException.class, wrong::run);
    assertTrue(e.getMessage().contains("wanted"), e.getMessage());
    assertEquals(TareException.Kind.USAGE, e.kind());
  }

  @Test
  void anExpressionDoesNotGoWithATargetOfTheSqnr() {
    MixTypes both = Tare.on(spark).mix(model).state(state).validation(rows).minSqnr(20);
    TareException e =
        assertThrows(TareException.class, () -> both.set("trials.metric-sql", "label").run());
    assertTrue(e.getMessage().contains("does not go with mix.min-sqnr"), e.getMessage());
    assertEquals(TareException.Kind.USAGE, e.kind());
  }

  @Test
  void aMixByTimeIsTheFastestThatWasMeasuredAndItsOverridesMakeTheSameModel() throws Exception {
    Path output = folder.resolve("by-time");
    Mix mix =
        Tare.on(spark)
            .mix(model)
            .state(state)
            .validation(rows)
            .cost(Cost.TIME)
            .set("mix.metric", "cosine")
            .maxDrop(0.01)
            .output(output.toString())
            .run();
    JsonNode found = new ObjectMapper().readTree(mix.toJson()).get("mix");
    assertEquals("time", found.get("cost").asText());
    double chosen = found.get("microseconds_per_row").asDouble();
    assertEquals(1e6 * mix.chosen().cost(), chosen, 1e-3);
    assertTrue(mix.chosen().isMet(), mix.toJson());
    double before = 0;
    for (MixRun.Point point : mix.front()) {
      assertTrue(point.cost() >= before, "the fastest first");
      assertTrue(!point.isMet() || point.cost() >= mix.chosen().cost(), mix.toJson());
      before = point.cost();
    }
    assertEquals(3, found.get("layers").size());
    for (JsonNode layer : found.get("layers")) {
      JsonNode times = layer.get("microseconds_per_row");
      for (String type : List.of("w4a8", "w8a8", "float")) {
        assertTrue(times.get(type).asDouble() > 0, layer.toString());
      }
    }
    assertTrue(
        mix.summary().stream()
            .anyMatch(
                fact ->
                    fact.name().equals("Time")
                        && fact.value()
                            .matches(
                                "[0-9.]+ microseconds a row on one thread of this machine; all"
                                    + " layers w4a8: [0-9.]+, w8a8: [0-9.]+, float: [0-9.]+")),
        mix.summary().toString());
    String page = Files.readString(output.resolve("report.html"));
    assertTrue(page.contains("\"unit\":\"microseconds a row\""), page);

    // Which types are the fastest depends on the machine.
    boolean isFloat = mix.chosen().assignment().types().stream().allMatch(LayerType::isFloat);
    String warning = "All layers stay float32: nothing that keeps the target costs less";
    assertEquals(isFloat ? List.of(warning) : List.of(), mix.warnings());
    if (isFloat) {
      return;
    }
    for (String name : List.of("once", "twice")) {
      Tare.on(spark)
          .quantize(model)
          .state(state)
          .config(output.resolve("job.yaml"))
          .output(folder.resolve(name).toString())
          .run();
    }
    assertArrayEquals(
        Files.readAllBytes(folder.resolve("once/model.onnx")),
        Files.readAllBytes(folder.resolve("twice/model.onnx")));
  }

  private static MeasureSensitivity ofEightTypes(Tare tare, Path output) {
    return tare.sensitivity(model)
        .state(state)
        .validation(rows)
        .label("label")
        .set("sensitivity.types", EIGHT_TYPES)
        .output(output.toString());
  }

  /** All that was measured. */
  private static List<String> figures(Sensitivity found) {
    List<String> figures = new ArrayList<>();
    List<Trial> all = new ArrayList<>(found.whole());
    all.addAll(found.layers());
    for (Trial trial : all) {
      OutputMetrics one = trial.outputs().get("a/b.c");
      figures.add(
          String.join(
              " ",
              trial.layer().toString() + trial.type().id() + trial.metric(),
              one.mse() + " " + one.cosine() + " " + one.agreement() + " " + one.divergence(),
              one.quantizedTop1() + " " + one.floatTop5() + " " + one.rows() + one.lost()));
    }
    return figures;
  }

  @Test
  void aSearchThatIsKilledGoesOnWithTheRest() throws Exception {
    Path output = folder.resolve("killed");
    Path file = folder.resolve("killed.trials");
    Tare dying =
        Tare.on(spark)
            .withProgress(
                line -> {
                  if (line.equals("Tried 30 of 32 forms")) {
                    throw new IllegalStateException("killed");
                  }
                });
    assertThrows(IllegalStateException.class, () -> ofEightTypes(dying, output).run());
    assertTrue(Files.exists(file) && !Files.exists(output));
    byte[] written = Files.readAllBytes(file);

    List<String> lines = new ArrayList<>();
    Tare living = Tare.on(spark).withProgress(lines::add);
    Sensitivity found = ofEightTypes(living, output).run();
    String taken = "30 forms were measured before: they are taken from " + file;
    assertTrue(lines.contains(taken), lines.toString());
    assertTrue(lines.stream().noneMatch(line -> line.startsWith("Tried")), "the rest is small");
    assertFalse(Files.exists(file), "it is of no use any more");

    // As it is without an interruption, and on other rows.
    Path kept = folder.resolve("kept.trials");
    Files.write(kept, written);
    lines.clear();
    Sensitivity other =
        ofEightTypes(living, folder.resolve("other"))
            .validation(rows.limit(39))
            .set("trials.checkpoint", kept.toString())
            .run();
    String foreign = kept + " is of another model, other rows, ranges or settings:";
    assertTrue(lines.stream().anyMatch(line -> line.startsWith(foreign)), lines.toString());
    assertTrue(lines.contains("Tried 30 of 32 forms"), lines.toString());
    assertNotEquals(figures(found), figures(other));
    assertTrue(Files.exists(kept), "it was asked for");
    Files.delete(kept);
    assertEquals(figures(ofEightTypes(living, folder.resolve("whole")).run()), figures(found));
  }

  @Test
  void aFileThatIsNoCheckpointOrIsDamagedIsRefused() throws Exception {
    Path file = folder.resolve("damaged.trials");
    byte[] good =
        CheckpointBytes.around(
            "TTRI", 1, "neither rows nor forms".getBytes(StandardCharsets.UTF_8));
    byte[] flipped = good.clone();
    flipped[9] ^= 1;
    byte[] later = CheckpointBytes.around("TTRI", 2, new byte[0]);
    byte[] other = CheckpointBytes.around("TTRN", 1, new byte[0]);
    Object[][] cases = {
      {flipped, "its checksum does not fit, it is damaged or cut short"},
      {good, "it ends too early"},
      {new byte[] {'T', 'T', 'R', 'I'}, "it does not begin with the letters TTRI"},
      {later, "it is of version 2, this Tare reads version 1"},
      {other, "it does not begin with the letters TTRI"},
    };
    for (Object[] one : cases) {
      Files.write(file, (byte[]) one[0]);
      TareException e =
          assertThrows(
              TareException.class,
              () -> ofEightTypes(Tare.on(spark), folder.resolve("damaged")).run());
      assertTrue(
          e.getMessage().startsWith("Cannot go on from the checkpoint " + file + ": ")
              && e.getMessage().contains((String) one[1]),
          e.getMessage());
      assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    }
  }
}
