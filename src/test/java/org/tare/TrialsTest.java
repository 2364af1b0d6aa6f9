package org.tare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.job.trials.LayerType;
import org.tare.job.trials.MixRun;
import org.tare.job.trials.SensitivityRun.Trial;
import org.tare.spark.tasks.OutputMetrics;

/** One layer at a time, and the cheapest types that keep a target, on the digits. */
class TrialsTest {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-";
  private static final String MODEL = DIGITS + "mobilenet.onnx";
  private static final Map<String, Object> SETTINGS =
      Map.of(
          "inputs.image.dtype", "uint8",
          "inputs.image.scale", 1 / 255.0,
          "quantize.smooth-quant", false,
          "quantize.bias-correction", "false",
          "quantize.weight.rounding", "nearest");

  @TempDir static Path folder;

  private static SparkSession spark;
  private static Tare tare;
  private static Dataset<Row> validation;
  private static String state;

  @BeforeAll
  static void calibrate() {
    spark = LocalSpark.start();
    tare = Tare.on(spark);
    validation = spark.read().parquet(DIGITS + "validation.parquet").limit(96).cache();
    String output = folder.resolve("calibrated").toString();
    tare.calibrate(MODEL)
        .data(spark.read().parquet(DIGITS + "train.parquet").limit(128))
        .set(SETTINGS)
        .output(output)
        .run();
    state = output + "/state.tare";
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static Sensitivity sensitivity(Dataset<Row> rows, String types) {
    return tare.sensitivity(MODEL)
        .state(state)
        .validation(rows)
        .label("label")
        .set(SETTINGS)
        .set("sensitivity.types", types)
        .run();
  }

  /** Figures by layer and type. */
  private static Map<String, String> figures(Sensitivity found) {
    Map<String, String> figures = new HashMap<>();
    for (Trial trial : found.layers()) {
      OutputMetrics logits = trial.outputs().get("logits");
      figures.put(
          trial.layer().orElseThrow().output() + " " + trial.type().id(),
          logits.sqnr() + " " + logits.quantizedTop1() + " " + logits.divergence());
    }
    return figures;
  }

  @Test
  void eachLayerGivesWhatAModelWrittenForItGives() {
    Sensitivity found = sensitivity(validation, "w4a8");
    List<Trial> trials = new ArrayList<>(found.layers());
    assertEquals(21, trials.size());
    List<double[]> pairs = new ArrayList<>();
    for (int i = 0; i < trials.size(); i += 5) {
      OutputMetrics simulated = trials.get(i).outputs().get("logits");
      OutputMetrics written = written(trials, trials.get(i));
      pairs.add(new double[] {simulated.sqnr(), written.sqnr()});
      assertEquals(written.sqnr(), simulated.sqnr(), 0.05, trials.get(i).layer().toString());
      assertEquals(written.quantizedTop1(), simulated.quantizedTop1());
    }
    List<double[]> sorted = new ArrayList<>(pairs);
    sorted.sort(Comparator.comparingDouble(pair -> pair[1]));
    assertEquals(sorted, pairs, "the order of the layers");
  }

  /** The figures of a model that is written with the one layer quantized. */
  private static OutputMetrics written(List<Trial> all, Trial one) {
    List<Map<String, Object>> rules = new ArrayList<>();
    for (Trial other : all) {
      String output = other.layer().orElseThrow().output();
      rules.add(
          other == one
              ? Map.of(
                  "name",
                  output,
                  "weight",
                  Map.of("dtype", "int4", "method", "mse", "scheme", "per_channel_symmetric"))
              : Map.of("name", output, "float", true));
    }
    Quantized q = tare.quantize(MODEL).state(state).set(SETTINGS).overrides(rules).run();
    return tare.evaluate(MODEL, q)
        .data(validation)
        .label("label")
        .set(SETTINGS)
        .run()
        .outputs()
        .get("logits");
  }

  @Test
  void figuresDependOnNoPartitioning() {
    Map<String, String> one = figures(sensitivity(validation.coalesce(1), "w8a8,w4a8"));
    assertEquals(42, one.size());
    Map<String, String> five = figures(sensitivity(validation.repartition(5), "w8a8,w4a8"));
    one.forEach((layer, figures) -> assertEquals(figures, five.get(layer), layer));
  }

  @Test
  void theMixKeepsItsTargetInFewerBytesAndAJobFileMakesIt() throws Exception {
    Path output = folder.resolve("mix");
    Mix mix =
        tare.mix(MODEL)
            .state(state)
            .validation(validation)
            .set(SETTINGS)
            .minSqnr(24)
            .output(output.toString())
            .run();
    assertTrue(mix.chosen().isMet() && mix.chosen().metric() >= 24, mix.toJson());
    long narrow = 0;
    long wide = 0;
    for (MixRun.Point point : mix.front()) {
      narrow = narrow == 0 ? point.bytes() : narrow;
      wide = point.bytes();
    }
    assertTrue(narrow < mix.chosen().bytes() && mix.chosen().bytes() < wide / 4, mix.toJson());
    assertTrue(mix.evaluations() < 2 * 21 + 60, mix.evaluations() + " evaluations");

    Quantized byHand = quantized(mix.overrides());
    Evaluation measured = tare.evaluate(MODEL, byHand).data(validation).set(SETTINGS).run();
    // The emitted model computes in integers, with biases of 32 bits.
    assertEquals(mix.chosen().metric(), measured.outputs().get("logits").sqnr(), 0.5);

    Quantized byFile =
        tare.quantize(MODEL)
            .state(state)
            .set(SETTINGS)
            .config(output.resolve("job.yaml"))
            .output(folder.resolve("by-file").toString())
            .run();
    byHand.write(folder.resolve("by-hand").toString());
    assertArrayEquals(
        Files.readAllBytes(folder.resolve("by-hand/model.onnx")),
        Files.readAllBytes(folder.resolve("by-file/model.onnx")));
    assertEquals(byHand.sizeBytes(), byFile.sizeBytes());
    String page = Files.readString(output.resolve("report.html"));
    assertTrue(page.contains("Types of the layers of digits-mobilenet.onnx"), page);
    assertTrue(page.contains("w4a8") && page.contains("Content-Security-Policy"), page);
    JsonNode result = new ObjectMapper().readTree(output.resolve("result.json").toFile());
    assertEquals(21, result.at("/mix/layers").size());
  }

  private static MixTypes mix(Tare tare, Dataset<Row> rows) {
    return tare.mix(MODEL)
        .state(state)
        .validation(rows)
        .set(SETTINGS)
        .set("mix.types", "w4a8,w8a8,w8a16")
        .minSqnr(24);
  }

  @Test
  void aMixDependsOnNoPartitioningAndGoesOnAfterAKill() throws Exception {
    Mix one = mix(tare, validation.coalesce(1)).run();
    String file = folder.resolve("mix.trials").toString();
    Tare dying =
        Tare.on(spark)
            .withProgress(
                line -> {
                  if (line.startsWith("Tried 30 of")) {
                    throw new IllegalStateException("killed");
                  }
                });
    Dataset<Row> dealt = validation.repartition(3);
    MixTypes killed = mix(dying, dealt).set("trials.checkpoint", file);
    assertThrows(IllegalStateException.class, killed::run);
    List<String> lines = new ArrayList<>();
    Mix other =
        mix(Tare.on(spark).withProgress(lines::add), dealt).set("trials.checkpoint", file).run();
    assertTrue(
        lines.stream().anyMatch(line -> line.contains(" forms were measured before: ")),
        lines.toString());
    assertEquals(one.chosen(), other.chosen());
    assertEquals(one.front(), other.front());
    assertEquals(one.evaluations(), other.evaluations());
  }

  private static Quantized quantized(List<Map<String, Object>> overrides) {
    return tare.quantize(MODEL).state(state).set(SETTINGS).overrides(overrides).run();
  }

  @Test
  void wrongWishesAreNamed() {
    assertMessage("\"w3a8\" is no type of layers", () -> sensitivity(validation, "w3a8"));
    assertMessage(
        "Missing the target",
        () -> tare.mix(MODEL).state(state).validation(validation).set(SETTINGS).run());
    assertMessage(
        "mix.metric cannot be sqnr with mix.max-drop",
        () ->
            tare.mix(MODEL)
                .state(state)
                .validation(validation)
                .maxDrop(0.1)
                .set("mix.metric", "sqnr")
                .run());
    assertMessage(
        "The metric cannot be top1 without labels",
        () -> tare.mix(MODEL).state(state).validation(validation).set(SETTINGS).maxDrop(0.1).run());
    assertMessage(
        "quantize.form cannot be qoperator with types of 4 or 16 bits",
        () ->
            tare.quantize(MODEL)
                .state(state)
                .set("quantize.weight.dtype", "int4")
                .set("quantize.form", "qoperator")
                .run());
    assertMessage(
        "Missing what the ranges are chosen from",
        () -> tare.sensitivity(MODEL).validation(validation).set(SETTINGS).run());
  }

  private static void assertMessage(String expected, Runnable call) {
    TareException e = assertThrows(TareException.class, call::run);
    assertTrue(e.getMessage().contains(expected), e.getMessage());
    assertEquals(TareException.Kind.USAGE, e.kind());
  }

  @Test
  void namesOfTypesRoundTrip() {
    for (String id : List.of("w8a8", "w4a8", "w8a16-tensor", "w4a16", "float")) {
      assertEquals(id, LayerType.of(id).id());
    }
  }
}
