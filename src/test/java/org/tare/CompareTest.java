package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.infer.ModelSession;
import org.tare.infer.TemporaryModel;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.beside.SharedTensors;
import org.tare.quant.Fidelity;
import org.tare.spark.tasks.OutputMetrics;

/** A quantized model beside the float one, layer by layer, on the digits. */
class CompareTest {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-";
  private static final String MODEL = DIGITS + "mobilenet.onnx";
  private static final Map<String, Object> SETTINGS =
      Map.of(
          "inputs.image.dtype",
          "uint8",
          "inputs.image.scale",
          1 / 255.0,
          "quantize.smooth-quant",
          false,
          "quantize.bias-correction",
          "false");

  @TempDir static Path folder;

  private static SparkSession spark;
  private static Tare tare;
  private static Dataset<Row> rows;
  private static Calibration calibration;
  private static String quantized;
  private static LayerComparison whole;

  @BeforeAll
  static void quantize() {
    spark = LocalSpark.start();
    tare = Tare.on(spark);
    rows = spark.read().parquet(DIGITS + "validation.parquet").limit(96).cache();
    calibration =
        tare.calibrate(MODEL)
            .data(spark.read().parquet(DIGITS + "train.parquet").limit(128))
            .set(SETTINGS)
            .run();
    quantized = write("whole", List.of());
    whole = compare(quantized);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static String write(String name, List<Map<String, Object>> overrides) {
    String output = folder.resolve(name).toString();
    tare.quantize(MODEL)
        .state(calibration.state())
        .set(SETTINGS)
        .overrides(overrides)
        .output(output)
        .run();
    return output + "/model.onnx";
  }

  private static LayerComparison compare(String other) {
    return tare.compare(MODEL, other).data(rows).set(SETTINGS).run();
  }

  @Test
  void theOutputIsComparedAsInAnEvaluation() {
    OutputMetrics evaluated =
        tare.evaluate(MODEL, quantized).data(rows).set(SETTINGS).run().outputs().get("logits");
    OutputMetrics compared = whole.accumulated().get("logits");
    // Float kernels round otherwise where they are fused: 1e-7 beside an error of 1.5e-2.
    assertEquals(evaluated.sqnr(), compared.sqnr(), 1e-4);
    assertEquals(evaluated.mse(), compared.mse(), 1e-6);
    assertTrue(whole.accumulated().size() > 20, whole.toJson());
  }

  /** The layer that a comparison of the same rows finds worst stands first. */
  @Test
  void aWarningOfAnEvaluationNamesTheLayersThatLoseMost() {
    String output = folder.resolve("coarse").toString();
    tare.quantize(MODEL)
        .state(calibration.state())
        .set(SETTINGS)
        .set("quantize.activation.bits", 3)
        .output(output)
        .run();
    String coarse = output + "/model.onnx";
    Dataset<Row> few = rows.limit(24);
    List<String> warnings = tare.evaluate(MODEL, coarse).data(few).set(SETTINGS).run().warnings();
    LayerComparison compared = tare.compare(MODEL, coarse).data(few).set(SETTINGS).run();
    String worst =
        compared.local().keySet().stream()
            .min(Comparator.comparingDouble(tensor -> compared.local().get(tensor).sqnr()))
            .orElseThrow();
    String named =
        String.format(
            Locale.ROOT, "(%s) (%.1f dB alone), ", worst, compared.local().get(worst).sqnr());
    assertEquals(1, warnings.size(), warnings.toString());
    assertTrue(warnings.get(0).contains("; most comes from "), warnings.get(0));
    assertTrue(warnings.get(0).contains(named), named + warnings.get(0));
  }

  /** Only where sums of products saturate are there two figures. */
  @Test
  void anEvaluationTellsWhatSaturationCosts() {
    String output = folder.resolve("full").toString();
    tare.quantize(MODEL)
        .state(calibration.state())
        .set(SETTINGS)
        .set("quantize.weight.products", "full")
        .output(output)
        .run();
    Evaluation full = tare.evaluate(MODEL, output + "/model.onnx").data(rows).set(SETTINGS).run();
    String all = String.join("\n", full.warnings());
    assertTrue(all.contains("On x86 without VNNI the integers of "), all);
    Matcher figures =
        Pattern.compile("SQNR of ([0-9.]+) dB on this CPU, .* and ([0-9.]+) dB with exact products")
            .matcher(all);
    double measured = full.outputs().get("logits").sqnr();
    assertEquals(measured < 25, figures.find(), measured + " dB: " + all);
    if (measured < 25) {
      assertEquals(measured, Double.parseDouble(figures.group(1)), 0.01);
      assertTrue(Double.parseDouble(figures.group(2)) > 33, all);
    }
    assertEquals(
        List.of(), tare.evaluate(MODEL, quantized).data(rows).set(SETTINGS).run().warnings());
  }

  @Test
  void everyTensorEqualsADirectComputation() throws Exception {
    OnnxModel floats = OnnxModel.read(Path.of(MODEL));
    OnnxModel integers = OnnxModel.read(Path.of(quantized));
    Map<String, String> seen = new LinkedHashMap<>();
    for (String tensor : whole.accumulated().keySet()) {
      SharedTensors.Rounding rounding = SharedTensors.roundings(integers.graph()).get(tensor);
      seen.put(tensor, rounding == null ? tensor : rounding.seen());
    }
    Map<String, Fidelity> direct = new LinkedHashMap<>();
    List<Row> images = rows.select("image").collectAsList();
    for (int from = 0; from < images.size(); from += 32) {
      ModelSession.InputTensor input = pixels(images.subList(from, from + 32));
      Map<String, float[]> expected = run(floats, seen.keySet(), input);
      Map<String, float[]> actual = run(integers, Set.copyOf(seen.values()), input);
      seen.forEach(
          (tensor, name) ->
              direct
                  .computeIfAbsent(tensor, t -> new Fidelity())
                  .add(expected.get(tensor), actual.get(name), 0, expected.get(tensor).length));
    }
    direct.forEach(
        (tensor, fidelity) -> {
          OutputMetrics found = whole.accumulated().get(tensor);
          assertEquals(fidelity.sqnr(), found.sqnr(), 1e-6, tensor);
          assertEquals(fidelity.cosine(), found.cosine(), 1e-9, tensor);
        });
  }

  private static ModelSession.InputTensor pixels(List<Row> images) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(4 * 784 * images.size()).order(ByteOrder.nativeOrder());
    for (Row image : images) {
      for (byte pixel : (byte[]) image.get(0)) {
        bytes.putFloat((float) ((pixel & 255) * (1 / 255.0)));
      }
    }
    bytes.flip();
    return new ModelSession.InputTensor(
        ElementType.FLOAT32, new long[] {images.size(), 1, 28, 28}, bytes);
  }

  private static Map<String, float[]> run(
      OnnxModel model, Set<String> wanted, ModelSession.InputTensor input) {
    Map<String, float[]> values = new LinkedHashMap<>();
    try (TemporaryModel file = TemporaryModel.of(model.withOutputs(List.copyOf(wanted)));
        ModelSession session = ModelSession.open(file.file(), "test", 1)) {
      session.run(
          Map.of("image", input),
          wanted,
          (name, tensor) -> {
            float[] floats = new float[(int) tensor.size()];
            tensor.floats().get(floats);
            values.put(name, floats);
          });
    }
    return values;
  }

  /** What a layer gives alone is what it gives in a model in which nothing else is quantized. */
  @Test
  void aLayerAloneIsTheLayerOfAModelWithNothingElseQuantized() {
    List<String> layers = whole.weights().stream().map(weight -> weight.layer()).toList();
    for (int i : new int[] {0, 7, 20}) {
      String layer = layers.get(i);
      String result = whole.weights().get(i).result();
      List<Map<String, Object>> others = new ArrayList<>();
      for (String other : layers) {
        if (!other.equals(layer)) {
          others.add(Map.of("name", other, "float", true));
        }
      }
      String alone = folder.resolve("alone" + i).toString();
      tare.quantize(MODEL)
          .state(calibration.state())
          .set(SETTINGS)
          .overrides(others)
          .output(alone)
          .run();
      assertEquals(
          compare(alone + "/model.onnx").accumulated().get(result).sqnr(),
          whole.local().get(result).sqnr(),
          1e-3,
          layer);
    }
  }

  @Test
  void weightsAreComparedWithTheFoldedOnes() throws Exception {
    LayerComparison without = tare.compare(MODEL, quantized).set(SETTINGS).run();
    assertEquals(21, without.weights().size());
    assertTrue(without.accumulated().isEmpty());
    without
        .weights()
        .forEach(
            weight -> {
              assertTrue(weight.all().sqnr() > 35, weight.name() + " " + weight.all().sqnr());
              Fidelity sum = new Fidelity();
              weight.channels().forEach(sum::merge);
              assertEquals(weight.all().sqnr(), sum.sqnr(), 1e-9, weight.name());
            });
    JsonNode json = new ObjectMapper().readTree(without.toJson());
    assertEquals(21, json.at("/comparison/weights").size());
  }

  @Test
  void slicesAddUpToTheWhole() {
    LayerComparison sliced =
        tare.compare(MODEL, quantized)
            .data(rows.filter("label < 2"))
            .by("label")
            .set(SETTINGS)
            .run();
    assertEquals(Set.of("label=0", "label=1"), sliced.slices().keySet());
    long sum = sliced.slices().values().stream().mapToLong(figures -> figures.rows()).sum();
    assertEquals(rows.filter("label < 2").count(), sum);
  }

  /** Sums are exact: the figures are the same to the last bit in one task and in two. */
  @Test
  void rowsOfOnePartitionGoToAllSlots() {
    Dataset<Row> one = spark.read().parquet(DIGITS + "validation.parquet").limit(800).coalesce(1);
    Queue<Integer> tasks = new ConcurrentLinkedQueue<>();
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onStageSubmitted(SparkListenerStageSubmitted stage) {
            tasks.add(stage.stageInfo().numTasks());
          }
        };
    spark.sparkContext().addSparkListener(listener);
    LayerComparison all;
    try {
      all = tare.compare(MODEL, quantized).data(one).set(SETTINGS).run();
    } finally {
      spark.sparkContext().removeSparkListener(listener);
    }
    assertTrue(tasks.contains(2), tasks.toString());
    // The same batches, cut by hand.
    JavaRDD<Row> halves = one.limit(416).javaRDD().union(one.offset(416).javaRDD());
    Dataset<Row> two = spark.createDataFrame(halves, one.schema());
    assertEquals(2, two.javaRDD().getNumPartitions());
    LayerComparison other = tare.compare(MODEL, quantized).data(two).set(SETTINGS).run();
    assertEquals(other.local().keySet(), all.local().keySet());
    other
        .local()
        .forEach(
            (tensor, figures) -> {
              OutputMetrics found = all.local().get(tensor);
              assertEquals(figures.sqnr(), found.sqnr(), tensor);
              assertEquals(figures.mse(), found.mse(), tensor);
            });
    other
        .accumulated()
        .forEach(
            (tensor, figures) ->
                assertEquals(figures.sqnr(), all.accumulated().get(tensor).sqnr(), tensor));
  }

  @Test
  void aModelOfAnotherKindIsRefused() {
    Path other = folder.resolve("other.onnx");
    TestModel.opset(17)
        .input("x", -1, 2)
        .node("Relu", List.of("x"), List.of("y"))
        .output("y", -1, 2)
        .write(other);
    TareException e = assertThrows(TareException.class, () -> compare(other.toString()));
    assertTrue(e.getMessage().contains("Nothing to compare"), e.getMessage());
  }

  /** The rows are those of the comparison, and so the message says. */
  @Test
  void aColumnThatIsNotThereIsToldAsOfAComparison() {
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                tare.compare(MODEL, quantized)
                    .data(rows)
                    .set(SETTINGS)
                    .set("inputs.image.column", "picture")
                    .run());
    assertTrue(e.getMessage().startsWith("Cannot compare "), e.getMessage());
    assertTrue(e.getMessage().contains("picture"), e.getMessage());
  }
}
