package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.onnx.OnnxChecker;
import org.tare.spark.tasks.DigitsCalibration;
import org.tare.stats.CalibrationState;

/** The commands on observers and states: observe, calibrate by slices, merge, inspect, methods. */
class ObserveCommandTest {
  @TempDir static Path folder;

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  @BeforeAll
  static void makeTables() throws IOException {
    for (String name : List.of("digits-mobilenet.onnx", "digits-train.parquet")) {
      DigitsCalibration.demoFile(folder, name);
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.IntegerType)
            .add("x", DataTypes.createArrayType(DataTypes.FloatType))
            .add("rows", DataTypes.createArrayType(DataTypes.FloatType))
            .add("name", DataTypes.StringType);
    // The two printed tensors of PyTorch's tutorial, and those of axis 0 side by side.
    List<Row> rows = new ArrayList<>();
    rows.add(
        RowFactory.create(
            1,
            new Float[] {-0.6123f, 0.1598f, 0.4631f, -0.1487f, -0.1753f, 1.1975f},
            new Float[] {-0.6123f, 0.4631f, -0.1753f},
            "a"));
    rows.add(
        RowFactory.create(
            2,
            new Float[] {-2.1246f, 1.5558f, -0.8172f, 0.5080f, 0.3117f, -0.8401f},
            new Float[] {-2.1246f, -0.8172f, 0.3117f},
            "b"));
    TestTables.write(
        spark -> {
          spark.createDataFrame(rows, schema).coalesce(1).write().parquet(at("seed"));
          spark.createDataFrame(rows, schema).limit(0).write().parquet(at("none"));
        });
  }

  private static JsonNode qparams(String... more) throws IOException {
    List<String> args = new ArrayList<>(List.of("observe", "--json", at("seed"), "--column", "x"));
    args.addAll(Arrays.asList(more));
    Outcome outcome = Outcome.of(args.toArray(new String[0]));
    assertEquals(0, outcome.status(), outcome.err());
    return new ObjectMapper().readTree(outcome.out()).path("qparams").get(0);
  }

  /** The figures that the tutorial prints; 87 is that of its printed inputs. */
  @ParameterizedTest
  @CsvSource({
    "minmax, quint8, per_tensor_affine, 0.0144, 147",
    "moving-average, quint8, per_tensor_affine, 0.0072, 87",
    "moving-average, quint8, per_tensor_symmetric, 0.0094, 128",
    "torch-1.13, quint8, per_tensor_affine, 0.0089, 79",
    "torch-2.0, quint8, per_tensor_affine, 0.0144, 147",
    "torch-2.5, quint8, per_tensor_affine, 0.0144, 147"
  })
  void seedFigures(String observer, String dtype, String scheme, double scale, int zeroPoint)
      throws IOException {
    JsonNode q =
        qparams("--observer", observer, "--dtype", dtype, "--scheme", scheme, "--batch", "1");
    assertEquals(scale, q.path("scale").asDouble(), 5e-5);
    assertEquals(zeroPoint, q.path("zero_point").asInt());
  }

  @Test
  void printsATableAndJson() throws IOException {
    Outcome outcome =
        Outcome.of(
            "observe",
            "--format",
            "parquet",
            at("seed"),
            "--column",
            "x,id",
            "--observer",
            "histogram",
            "--dtype",
            "quint8",
            "--scheme",
            "per_tensor_affine",
            "--method",
            "percentile(percentile=90)",
            "--by",
            "name",
            "--output",
            at("observed"));
    assertEquals(0, outcome.status(), outcome.err());
    String head = outcome.out().lines().findFirst().orElse("");
    assertTrue(head.startsWith("slice   column  scale"), head);
    JsonNode json = new ObjectMapper().readTree(folder.resolve("observed/result.json").toFile());
    assertEquals("pytorch", json.path("rule").asText());
    assertEquals(4, json.path("qparams").size());
    assertTrue(
        outcome.out().endsWith(json.toPrettyString() + System.lineSeparator()), outcome.out());

    Outcome merged =
        Outcome.of(
            "merge",
            at("observed/slices/name=a.tare"),
            at("observed/slices/name=b.tare"),
            "--output",
            at("both.tare"));
    assertEquals(0, merged.status(), merged.err());
    Outcome again = Outcome.of("merge", at("both.tare"), "--output", at("both.tare"));
    assertEquals(73, again.status());
    assertTrue(again.err().contains("it exists; give another name, or --overwrite"), again.err());
    Outcome inspected = Outcome.of("inspect", at("both.tare"));
    assertEquals(0, inspected.status(), inspected.err());
    assertTrue(inspected.out().startsWith("State of 2 rows, slice name=a + name=b"));
    assertTrue(inspected.out().contains("-2.12460"), inspected.out());
    Outcome twice =
        Outcome.of(
            "merge", at("both.tare"), at("observed/slices/name=a.tare"), "--output", at("never"));
    assertEquals(65, twice.status());
    assertTrue(twice.err().contains("name=a"), twice.err());
    assertTrue(twice.err().contains(at("seed")), twice.err());
  }

  @Test
  void channelsRecordingsAndBatches() throws IOException {
    JsonNode channels = qparams("--observer", "per-channel-minmax");
    assertEquals(6, channels.path("scale").size());
    assertEquals(-2.1246f, (float) channels.path("min").get(0).asDouble());
    JsonNode averages = qparams("--observer", "per-channel-moving-average", "--batch", "1");
    assertEquals(
        (float) (-0.6123f + 0.01f * (-2.1246f + 0.6123f)),
        (float) averages.path("min").get(0).asDouble(),
        1e-7f);
    JsonNode recording = qparams("--observer", "recording");
    assertEquals(12, recording.path("recorded").asInt());
    assertEquals(-0.6123f, (float) recording.path("first").get(0).asDouble());
    JsonNode dynamic = qparams("--observer", "placeholder", "--batch", "1");
    assertEquals(0.00709725497f, (float) dynamic.path("scale").asDouble());
    assertEquals(86, dynamic.path("zero_point").asInt());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--column|y|65|Cannot observe column \"y\": it is not in",
        "--column|name|65|it is of type string; it takes numbers, arrays of numbers",
        "--observer|best|64|histogram, minmax, moving-average",
        "--dtype|quint7|64|Unknown quantized type \"quint7\"",
        "--scheme|per_channel_affine|64|it is one per tensor with the observer histogram",
        "--method|best|64|Unknown range method \"best\"",
        "--averaging-constant|2|64|it is a number from 0 to 1",
        "--by|country|65|there is no such column",
        "--rule|mine|64|it is pytorch or onnxruntime",
        "--method|moving-average|64|moving-average is an observer"
      })
  void wrongUseIsSaid(String option, String value, int status, String message) {
    List<String> args = new ArrayList<>(List.of("observe", at("seed")));
    if (!option.equals("--column")) {
      args.addAll(List.of("--column", "x"));
    }
    args.addAll(List.of(option, value));
    Outcome outcome = Outcome.of(args.toArray(new String[0]));
    assertEquals(status, outcome.status(), outcome.err());
    assertTrue(outcome.err().contains(message), outcome.err());
    assertEquals(1, outcome.err().lines().filter(line -> line.startsWith("tare: ")).count());
  }

  @Test
  void torchObserversHavePyTorchsArithmeticAndOrderedOnesNoSlices() {
    Outcome rule =
        Outcome.of(
            "observe",
            at("seed"),
            "--column",
            "x",
            "--observer",
            "torch-2.5",
            "--rule",
            "onnxruntime");
    assertEquals(64, rule.status());
    assertTrue(rule.err().contains("pytorch with the observer torch-2.5"), rule.err());
    Outcome by =
        Outcome.of(
            "observe", at("seed"), "--column", "x", "--observer", "recording", "--by", "name");
    assertEquals(64, by.status());
    assertTrue(by.err().contains("the rows of a slice have no order"), by.err());
    Outcome folder = Outcome.of("inspect", at("seed"));
    assertEquals(65, folder.status());
    assertTrue(folder.err().contains("it is a folder"), folder.err());
  }

  /** A column without a finite value costs the others nothing. */
  @Test
  void columnsWithoutValuesHaveNoQParams() throws IOException {
    Outcome outcome =
        Outcome.of(
            "observe",
            "--json",
            "--query",
            "SELECT CAST(NULL AS FLOAT) AS a, CAST(id AS FLOAT) AS b FROM range(10)",
            "--column",
            "a,b");
    assertEquals(0, outcome.status(), outcome.err());
    JsonNode qparams = new ObjectMapper().readTree(outcome.out()).path("qparams");
    assertTrue(qparams.get(0).path("scale").isNull());
    assertEquals(9 / 255f, (float) qparams.get(1).path("scale").asDouble(), 1e-5f);
  }

  @Test
  void tooManySlicesAreRefused() {
    Outcome outcome =
        Outcome.of(
            "observe",
            "--query",
            "SELECT id AS user, CAST(id AS FLOAT) AS b FROM range(5000)",
            "--column",
            "b",
            "--by",
            "user");
    assertEquals(65, outcome.status());
    assertTrue(outcome.err().contains("more than 1000 slices"), outcome.err());
  }

  @Test
  void anEmptyTableIsSaid() {
    Outcome outcome = Outcome.of("observe", at("none"), "--column", "x");
    assertEquals(65, outcome.status());
    assertTrue(outcome.err().contains("it holds no rows"), outcome.err());
  }

  private static String[] digits(String command, String output, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                command,
                "--model",
                at("digits-mobilenet.onnx"),
                "--data",
                at("digits-train.parquet"),
                "--sample",
                "300",
                "--set",
                "inputs.image.dtype=uint8",
                "--set",
                "inputs.image.scale=0.00392156862745098",
                "--output",
                at(output)));
    args.addAll(Arrays.asList(more));
    return args.toArray(new String[0]);
  }

  @Test
  void slicesOfACalibrationMergeToTheWhole() throws IOException {
    Outcome outcome =
        Outcome.of(digits("calibrate", "by-label", "--by", "label", "--channels", "summary"));
    assertEquals(0, outcome.status(), outcome.err());
    List<String> args = new ArrayList<>(List.of("merge"));
    for (int label = 0; label < 10; label++) {
      args.add(at("by-label/slices/label=" + label + ".tare"));
    }
    args.addAll(List.of("--output", at("merged.tare")));
    Outcome merged = Outcome.of(args.toArray(new String[0]));
    assertEquals(0, merged.status(), merged.err());
    byte[] bytes = Files.readAllBytes(folder.resolve("merged.tare"));
    CalibrationState state = CalibrationState.decode(bytes, "merged");
    byte[] whole = Files.readAllBytes(folder.resolve("by-label/state.tare"));
    assertArrayEquals(
        CalibrationState.decode(whole, "state.tare").encode(), state.ofSlice("").encode());
    JsonNode result = new ObjectMapper().readTree(folder.resolve("by-label/result.json").toFile());
    assertEquals(10, result.path("calibration").path("slices").size());
    assertTrue(state.tensor("image").channels().isPresent());
  }

  /** Every method gives a model that the checker passes and ONNX Runtime opens. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "minmax",
        "percentile",
        "lp|p=3",
        "entropy",
        "sigma|k=4",
        "fixed|min=-4|max=4",
        "moving-average|constant=0.1",
        "onnxruntime-percentile",
        "onnxruntime-entropy|bins=512",
        "auto"
      })
  void everyMethodQuantizes(String method) throws IOException {
    String[] parts = method.split("\\|");
    List<String> sets = new ArrayList<>();
    sets.addAll(List.of("--set", "quantize.activation.method=" + parts[0]));
    // Entropy's ranges cost this net so much that its first layers would stay float.
    sets.addAll(List.of("--set", "quantize.float-below=0"));
    for (String parameter : Arrays.asList(parts).subList(1, parts.length)) {
      sets.addAll(List.of("--set", "quantize.activation." + parameter));
    }
    String output = "method-" + parts[0];
    Outcome outcome = Outcome.of(digits("run", output, sets.toArray(new String[0])));
    assertEquals(0, outcome.status(), outcome.err());
    OnnxChecker.check(Files.readAllBytes(folder.resolve(output + "/model.onnx")));
    JsonNode image =
        new ObjectMapper()
            .readTree(folder.resolve(output + "/qparams.json").toFile())
            .path("activations")
            .path("image");
    if (!parts[0].equals("auto")) {
      assertEquals(parts[0], image.path("method").asText());
    }
    if (!parts[0].equals("fixed")) {
      assertTrue(image.path("expected_mse").asDouble() >= 0);
    }
  }

  @Test
  void whatAStateLacksIsSaid() {
    assertEquals(0, Outcome.of(digits("calibrate", "plain")).status());
    Outcome outcome =
        Outcome.of(
            "quantize",
            "--model",
            at("digits-mobilenet.onnx"),
            "--state",
            at("plain/state.tare"),
            "--output",
            at("never"),
            "--set",
            "quantize.activation.method=moving-average");
    assertEquals(65, outcome.status());
    assertTrue(
        outcome.err().contains("the state holds no moving average; calibrate with the method"),
        outcome.err());
    Outcome both =
        Outcome.of(
            digits(
                "calibrate",
                "never",
                "--by",
                "label",
                "--set",
                "quantize.activation.method=moving-average"));
    assertEquals(64, both.status());
    assertTrue(both.err().contains("averages of slices have no order"), both.err());
  }
}
