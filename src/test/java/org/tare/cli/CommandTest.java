package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.graph.OnnxChecker;
import org.tare.graph.TestModel;
import org.tare.spark.DigitsCalibration;

/** The command as a user runs it: what it writes, and what it says of bad input. */
class CommandTest {
  @TempDir static Path folder;

  private static Outcome tare(String... args) {
    return Outcome.of(args);
  }

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  @BeforeAll
  static void makeFiles() throws IOException {
    for (String name :
        List.of("digits-mobilenet.onnx", "digits-train.parquet", "digits-validation.parquet")) {
      DigitsCalibration.demoFile(folder, name);
    }
    byte[] model = Files.readAllBytes(folder.resolve("digits-mobilenet.onnx"));
    Files.write(folder.resolve("cut.onnx"), Arrays.copyOf(model, model.length / 2));
    Files.writeString(folder.resolve("text.onnx"), "not a model at all");
    Files.writeString(folder.resolve("a-file"), "in the way");
    Files.createDirectories(folder.resolve("foreign"));
    Files.writeString(folder.resolve("foreign/thesis.txt"), "dear");
    TestModel.opset(17)
        .input("x", -1, 2)
        .constant("w", new long[] {2, 3}, 1, 2, 3, 4, 5, 6)
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 3)
        .write(folder.resolve("tiny.onnx"));
    byte[] wide = png(40, 30);
    byte[] square = png(28, 28);
    TestTables.write(spark -> tables(spark, wide, square));
  }

  private static void tables(SparkSession spark, byte[] wide, byte[] square) {
    StructType images =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("image", DataTypes.BinaryType)
            .add("label", DataTypes.IntegerType);
    table(spark, "empty", images);
    table(
        spark,
        "short",
        images,
        RowFactory.create(1L, new byte[784], 1),
        RowFactory.create(4711L, new byte[783], 1));
    table(spark, "all-short", images, RowFactory.create(1L, new byte[3], 1));
    table(spark, "null", images, RowFactory.create(9L, null, 1));
    table(spark, "label", images, RowFactory.create(1L, new byte[784], 10));
    Row[] many = new Row[300];
    for (int i = 0; i < many.length; i++) {
      many[i] = RowFactory.create((long) i, new byte[i == 77 ? 5 : 784], 1);
    }
    table(spark, "one-short", images, many);
    table(
        spark,
        "text",
        new StructType().add("image", DataTypes.StringType),
        RowFactory.create("seven"));
    StructType floats = vectors(DataTypes.FloatType);
    table(
        spark,
        "nan",
        floats,
        RowFactory.create(1L, List.of(1f, 2f)),
        RowFactory.create(2L, List.of(1f, Float.NaN)));
    table(spark, "floats", floats, rows(1f, 2f, -3f, 0.5f));
    table(spark, "doubles", vectors(DataTypes.DoubleType), rows(1.0, 2.0, -3.0, 0.5));
    table(spark, "ints", vectors(DataTypes.IntegerType), rows(1, 2, -3, 4));
    table(spark, "longs", vectors(DataTypes.LongType), rows(1L, 2L, -3L, 4L));
    ByteBuffer raw = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    raw.putFloat(1.5f).putFloat(-2.5f);
    table(
        spark,
        "raw",
        new StructType().add("id", DataTypes.LongType).add("x", DataTypes.BinaryType),
        RowFactory.create(1L, raw.array()));
    table(
        spark,
        "png",
        new StructType().add("id", DataTypes.LongType).add("image", DataTypes.BinaryType),
        RowFactory.create(1L, wide),
        RowFactory.create(2L, square));
  }

  private static byte[] png(int width, int height) throws IOException {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < width * height; i++) {
      image.setRGB(i % width, i / width, 0x010203 * (i % 80));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    return out.toByteArray();
  }

  private static StructType vectors(DataType element) {
    return new StructType().add("id", DataTypes.LongType).add("x", new ArrayType(element, false));
  }

  private static Row[] rows(Object... values) {
    return new Row[] {
      RowFactory.create(1L, List.of(values[0], values[1])),
      RowFactory.create(2L, List.of(values[2], values[3]))
    };
  }

  private static void table(SparkSession spark, String name, StructType schema, Row... rows) {
    spark.createDataFrame(List.of(rows), schema).coalesce(1).write().parquet(at(name));
  }

  private static String[] tiny(String setting) {
    return new String[] {
      "run",
      "--model",
      at("tiny.onnx"),
      "--data",
      at("floats"),
      "--output",
      at("o"),
      "--set",
      setting
    };
  }

  private static String[] digits(String command, String data, String output, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                command,
                "--model",
                at("digits-mobilenet.onnx"),
                "--data",
                at(data),
                "--output",
                at(output),
                "--set",
                "inputs.image.scale=0.00392156862745098"));
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  private static Map<String, byte[]> contents(Path output) throws IOException {
    Map<String, byte[]> contents = new TreeMap<>();
    try (Stream<Path> files = Files.list(output)) {
      for (Path file : files.toList()) {
        contents.put(file.getFileName().toString(), Files.readAllBytes(file));
      }
    }
    return contents;
  }

  @Test
  void demoReachesItsFigures() throws IOException {
    Outcome demo = tare("demo", "--output", at("demo"));
    assertEquals(0, demo.status(), demo.err());
    Map<String, byte[]> files = contents(folder.resolve("demo"));
    assertEquals(
        List.of(
            "_SUCCESS", "model.onnx", "qparams.json", "report.html", "result.json", "state.tare"),
        List.copyOf(files.keySet()));
    OnnxChecker.check(files.get("model.onnx"));
    assertTrue(files.get("model.onnx").length < 110_000, files.get("model.onnx").length + " B");
    JsonNode result = new ObjectMapper().readTree(files.get("result.json"));
    JsonNode logits = result.path("evaluation").path("outputs").path("logits");
    assertEquals(0.9910, logits.path("float_top1").asDouble(), 1e-9);
    assertTrue(logits.path("quantized_top1").asDouble() >= 0.9910, logits.toString());
    assertTrue(logits.path("sqnr_db").asDouble() >= 33, logits.toString());
    assertEquals(7000, result.path("calibration").path("rows").asLong());
    assertEquals(3000, result.path("evaluation").path("rows").asLong());

    // The state alone gives the same model again.
    Outcome quantize =
        tare(
            "quantize",
            "--model",
            at("digits-mobilenet.onnx"),
            "--state",
            at("demo/state.tare"),
            "--output",
            at("again"));
    assertEquals(0, quantize.status(), quantize.err());
    assertArrayEquals(
        files.get("model.onnx"), Files.readAllBytes(folder.resolve("again/model.onnx")));

    Outcome evaluate =
        tare(
            "evaluate",
            "--model",
            at("digits-mobilenet.onnx"),
            "--quantized",
            at("again/model.onnx"),
            "--validation",
            at("digits-validation.parquet"),
            "--label",
            "label",
            "--set",
            "inputs.image.scale=0.00392156862745098");
    assertEquals(0, evaluate.status(), evaluate.err());
    assertTrue(evaluate.out().contains("float32 0.9910"), evaluate.out());
  }

  static Stream<Arguments> badInput() {
    String set = "--set";
    return Stream.of(
        Arguments.of(
            66,
            "Cannot read model " + at("no.onnx") + ": there is no such file",
            new String[] {
              "run", "--model", at("no.onnx"), "--data", at("short"), "--output", at("o")
            }),
        Arguments.of(
            65,
            "it is not an ONNX model",
            new String[] {
              "run", "--model", at("text.onnx"), "--data", at("short"), "--output", at("o")
            }),
        Arguments.of(
            65,
            "Cannot read model " + at("cut.onnx"),
            new String[] {
              "run", "--model", at("cut.onnx"), "--data", at("short"), "--output", at("o")
            }),
        Arguments.of(
            66,
            "Cannot read data " + at("nowhere") + ": there is no such path or table",
            digits("run", "nowhere", "o")),
        Arguments.of(
            65,
            "no operator of it can be quantized with ranges from data",
            tiny("quantize.overrides=[{op: MatMul, float: true}]")),
        Arguments.of(
            64, "did you mean \"float\"?", tiny("quantize.overrides=[{op: MatMul, flaot: true}]")),
        Arguments.of(65, "is not a Parquet file", digits("run", "text.onnx", "o")),
        Arguments.of(
            65,
            "[PARSE_SYNTAX_ERROR]",
            new String[] {
              "run", "--model", at("tiny.onnx"), "--query", "SELEC", "--output", at("o")
            }),
        Arguments.of(
            65,
            "Cannot read model hdfs://nowhere.invalid:9000/m.onnx: ",
            new String[] {
              "run",
              "--model",
              "hdfs://nowhere.invalid:9000/m.onnx",
              "--data",
              "d",
              "--output",
              at("o")
            }),
        Arguments.of(
            65,
            "it has no input \"imag\"; its inputs are image",
            digits("run", "short", "o", set, "inputs.imag.column=image")),
        Arguments.of(
            65,
            "input \"image\" is to come from column \"pixels\", which is not there; the columns are"
                + " id, image, label",
            digits("run", "short", "o", set, "inputs.image.column=pixels")),
        Arguments.of(
            65,
            "Cannot calibrate digits-mobilenet.onnx: input \"image\" expects float32 [N,1,28,28],"
                + " column \"image\" holds 783 bytes in row id=4711",
            digits("run", "short", "o")),
        Arguments.of(
            65, "cannot be read from column \"image\" of type string", digits("run", "text", "o")),
        Arguments.of(
            65,
            "Cannot calibrate digits-mobilenet.onnx: " + at("empty") + " holds no rows",
            digits("run", "empty", "o")),
        Arguments.of(
            65,
            "all 1 rows of " + at("all-short") + " had to be skipped",
            digits("run", "all-short", "o", "--bad-rows", "skip")),
        Arguments.of(
            65,
            "1 of 2 rows of " + at("short") + " had to be skipped, more than bad-rows-limit 0.01",
            digits("run", "short", "o", "--bad-rows", "skip")),
        Arguments.of(65, "column \"image\" is null in row id=9", digits("run", "null", "o")),
        Arguments.of(
            65,
            "input \"x\" expects float32 [N,2], column \"x\" holds NaN at position 1 in row id=2",
            new String[] {
              "run", "--model", at("tiny.onnx"), "--data", at("nan"), "--output", at("o")
            }),
        Arguments.of(
            65,
            "a row has label 10, output \"logits\" has the classes 0 to 9",
            digits(
                "run",
                "digits-train.parquet",
                "o",
                "--sample",
                "64",
                "--validation",
                at("label"),
                "--label",
                "label")),
        Arguments.of(
            65,
            "the label column \"digit\" is not there",
            digits(
                "run",
                "digits-train.parquet",
                "o",
                "--sample",
                "64",
                "--validation",
                at("label"),
                "--label",
                "digit")),
        Arguments.of(73, "it exists and is a file, not a folder", digits("run", "short", "a-file")),
        Arguments.of(73, "it exists; give another folder", digits("run", "short", "foreign")),
        Arguments.of(
            73, "so Tare did not write it", digits("run", "short", "foreign", "--overwrite")),
        Arguments.of(73, "Cannot write output", digits("run", "short", "a-file/below")),
        Arguments.of(
            64,
            "Unknown key \"quantize.activation.metod\"",
            digits("run", "short", "o", set, "quantize.activation.metod=mse")),
        Arguments.of(
            64,
            "did you mean \"inputs.image.column\"?",
            digits("run", "short", "o", set, "inputs.image.colum=x")),
        Arguments.of(
            64,
            "Unknown range method \"mes\"",
            digits("run", "short", "o", set, "quantize.activation.method=mes")),
        Arguments.of(
            64, "batch (option) cannot be \"0\"", digits("run", "short", "o", "--batch", "0")),
        Arguments.of(
            64, "Unknown option: '--modle'; see tare run --help", new String[] {"run", "--modle"}),
        Arguments.of(64, "Missing model: give --model", new String[] {"run"}),
        Arguments.of(
            65,
            "it does not begin with the letters TARE",
            new String[] {
              "quantize",
              "--model",
              at("tiny.onnx"),
              "--state",
              at("text.onnx"),
              "--output",
              at("o")
            }));
  }

  /** The status, one line that says why, no stack trace, and nothing left behind. */
  @ParameterizedTest(name = "{1}")
  @MethodSource("badInput")
  void badInputIsToldInOneLine(int status, String message, String[] args) throws IOException {
    Outcome outcome = tare(args);
    assertTrue(outcome.err().contains(message), outcome.err());
    assertEquals(status, outcome.status(), outcome.err());
    List<String> told =
        outcome
            .err()
            .lines()
            .filter(line -> !line.startsWith("Calibrating:") && !line.startsWith("Evaluating:"))
            .toList();
    assertEquals(1, told.size(), outcome.err());
    assertTrue(told.get(0).startsWith("tare: "), outcome.err());
    assertFalse(Files.exists(folder.resolve("o")));
    assertEquals("in the way", Files.readString(folder.resolve("a-file")));
    assertEquals("dear", Files.readString(folder.resolve("foreign/thesis.txt")));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(
          List.of(), files.filter(f -> f.getFileName().toString().startsWith(".")).toList());
    }
  }

  @Test
  void jobFileWithAnUnknownKey() throws IOException {
    Path job = folder.resolve("job.yaml");
    Files.writeString(job, "model: tiny.onnx\nquantise:\n  mode: static\n");
    Outcome outcome = tare("run", "--config", job.toString());
    assertEquals(64, outcome.status());
    assertTrue(
        outcome
            .err()
            .contains(
                "Unknown key \"quantise.mode\" (" + job + "): did you mean \"quantize.mode\"?"),
        outcome.err());
    Files.writeString(job, "model: [tiny\n");
    assertEquals(64, tare("run", "--config", job.toString()).status());
    assertEquals(66, tare("run", "--config", at("no.yaml")).status());
  }

  @Test
  void badRowsAreCountedWhenTheyMayBeSkipped() throws IOException {
    Outcome outcome = tare(digits("calibrate", "one-short", "skipped", "--bad-rows", "skip"));
    assertEquals(0, outcome.status(), outcome.err());
    JsonNode result =
        new ObjectMapper().readTree(Files.readAllBytes(folder.resolve("skipped/result.json")));
    assertEquals(299, result.path("calibration").path("rows").asLong());
    assertEquals(1, result.path("calibration").path("skipped_rows").asLong());
    assertTrue(result.path("calibration").path("skipped_reason").asText().endsWith("row id=77"));
  }

  @Test
  void everyFormOfColumnIsRead() {
    for (String table : List.of("floats", "doubles", "ints", "longs", "raw")) {
      Outcome outcome =
          tare(
              "run",
              "--model",
              at("tiny.onnx"),
              "--data",
              at(table),
              "--validation",
              at(table),
              "--output",
              at("out-" + table));
      assertEquals(0, outcome.status(), table + ": " + outcome.err());
    }
  }

  /** Exporters often fix the batch: the model is run with as many rows as it takes. */
  @Test
  void modelsThatFixTheirBatchRun() throws IOException {
    for (int batch : new int[] {1, 3}) {
      TestModel.opset(17)
          .input("x", batch, 2)
          .constant("w", new long[] {2, 3}, 1, 2, 3, 4, 5, 6)
          .node("MatMul", List.of("x", "w"), List.of("y"))
          .output("y", batch, 3)
          .write(folder.resolve("fixed.onnx"));
      String output = at("fixed-" + batch);
      Outcome outcome =
          tare(
              "run",
              "--model",
              at("fixed.onnx"),
              "--data",
              at("floats"),
              "--validation",
              at("floats"),
              "--output",
              output);
      assertEquals(0, outcome.status(), outcome.err());
      JsonNode result =
          new ObjectMapper().readTree(Files.readAllBytes(Path.of(output, "result.json")));
      assertEquals(2, result.path("calibration").path("rows").asLong());
      assertEquals(2, result.path("evaluation").path("rows").asLong());
    }
  }

  @Test
  void imagesAreDecodedResizedAndCropped() {
    Outcome without =
        tare(digits("calibrate", "png", "png-out", "--set", "inputs.image.image=true"));
    assertEquals(65, without.status());
    assertTrue(without.err().contains("holds an image of 30x40 pixels"), without.err());
    Outcome with =
        tare(
            digits(
                "calibrate",
                "png",
                "png-out",
                "--set",
                "inputs.image.image=true",
                "--set",
                "inputs.image.resize=28",
                "--set",
                "inputs.image.crop=28,28"));
    assertEquals(0, with.status(), with.err());
  }

  @Test
  void dryRunTellsAndWritesNothing() {
    Outcome outcome =
        tare(digits("run", "digits-train.parquet", "dry", "--dry-run", "--sample", "0.5"));
    assertEquals(0, outcome.status(), outcome.err());
    assertTrue(outcome.out().contains("Tensors to observe: 26"), outcome.out());
    assertTrue(outcome.out().contains("quantize.activation.method"), outcome.out());
    assertFalse(Files.exists(folder.resolve("dry")));
  }

  @Test
  void formerOutputSurvivesFailureAndIsReplacedBySuccess() throws IOException {
    assertEquals(
        0, tare(digits("calibrate", "digits-train.parquet", "kept", "--sample", "64")).status());
    Map<String, byte[]> before = contents(folder.resolve("kept"));
    assertEquals(65, tare(digits("calibrate", "short", "kept", "--overwrite")).status());
    assertSame(before, contents(folder.resolve("kept")));
    assertEquals(
        0,
        tare(digits("calibrate", "digits-train.parquet", "kept", "--sample", "96", "--overwrite"))
            .status());
    assertFalse(
        Arrays.equals(
            before.get("state.tare"), contents(folder.resolve("kept")).get("state.tare")));
  }

  private static void assertSame(Map<String, byte[]> before, Map<String, byte[]> after) {
    assertEquals(before.keySet(), after.keySet());
    before.forEach((name, bytes) -> assertArrayEquals(bytes, after.get(name), name));
  }

  /** SIGTERM, as Ctrl-C and schedulers send it, and SIGKILL, in the midst of the job. */
  @Test
  void formerOutputSurvivesAKilledProcess() throws Exception {
    assertEquals(
        0, tare(digits("calibrate", "digits-train.parquet", "killed", "--sample", "64")).status());
    Map<String, byte[]> before = contents(folder.resolve("killed"));
    for (boolean forcibly : new boolean[] {false, true}) {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of(System.getProperty("tare.test.jvm.flags").strip().split("\\s+")));
      command.addAll(List.of("-cp", System.getProperty("java.class.path")));
      command.add(Tare.class.getName());
      command.addAll(
          List.of(
              "calibrate",
              "--model",
              at("digits-mobilenet.onnx"),
              "--query",
              "SELECT * FROM parquet.`"
                  + at("digits-train.parquet")
                  + "` WHERE length(java_method('org.tare.cli.Slow', 'pause', id)) > 0",
              "--output",
              at("killed"),
              "--overwrite"));
      ProcessBuilder builder = new ProcessBuilder(command);
      builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
      builder.redirectErrorStream(true).redirectOutput(folder.resolve("killed.log").toFile());
      Process process = builder.start();
      for (int i = 0; i < 600; i++) {
        Thread.sleep(100);
        if (Files.readString(folder.resolve("killed.log")).contains("Calibrating: ")) {
          break;
        }
      }
      assertTrue(process.isAlive(), Files.readString(folder.resolve("killed.log")));
      assertTrue(
          Files.readString(folder.resolve("killed.log")).contains("Calibrating: "),
          "no progress was told");
      if (forcibly) {
        process.destroyForcibly();
      } else {
        process.destroy();
      }
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertSame(before, contents(folder.resolve("killed")));
    }
  }
}
