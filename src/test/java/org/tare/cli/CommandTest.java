package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.OnnxChecker;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.rewrite.WrittenProducts;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/** The command as a user runs it: what it reads, writes and says. */
class CommandTest {
  @TempDir static Path folder;
  private static CommandFiles files;

  private static Outcome tare(String... args) {
    return Outcome.of(args);
  }

  private static String at(String name) {
    return files.at(name);
  }

  @BeforeAll
  static void makeFiles() throws IOException {
    files = CommandFiles.make(folder);
  }

  @Test
  void demoReachesItsFigures() throws IOException {
    Outcome demo = tare("demo", "--output", at("demo"));
    assertEquals(0, demo.status(), demo.err());
    Map<String, byte[]> files = CommandFiles.contents(folder.resolve("demo"));
    assertEquals(
        List.of(
            "_SUCCESS",
            "_TARE.json",
            "model.onnx",
            "qparams.json",
            "report.html",
            "result.json",
            "state.tare"),
        List.copyOf(files.keySet()));
    OnnxChecker.check(files.get("model.onnx"));
    assertTrue(files.get("model.onnx").length < 110_000, files.get("model.onnx").length + " B");
    JsonNode result = new ObjectMapper().readTree(files.get("result.json"));
    JsonNode logits = result.path("evaluation").path("outputs").path("logits");
    assertEquals(0.9910, logits.path("float_top1").asDouble(), 1e-9);
    assertTrue(logits.path("quantized_top1").asDouble() >= 0.9910, logits.toString());
    assertTrue(logits.path("sqnr_db").asDouble() >= 35.5, logits.toString());
    WrittenProducts.assertPortable(OnnxModel.read(folder.resolve("demo/model.onnx")));
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

  @Test
  void badRowsAreCountedWhenTheyMayBeSkipped() throws IOException {
    Outcome outcome = tare(files.digits("calibrate", "one-short", "skipped", "--bad-rows", "skip"));
    assertEquals(0, outcome.status(), outcome.err());
    JsonNode result =
        new ObjectMapper().readTree(Files.readAllBytes(folder.resolve("skipped/result.json")));
    assertEquals(299, result.path("calibration").path("rows").asLong());
    assertEquals(1, result.path("calibration").path("skipped_rows").asLong());
    assertTrue(result.path("calibration").path("skipped_reason").asText().endsWith("row id=77"));
  }

  /** The state says which values were read, from whatever column. */
  @Test
  void everyFormOfColumnIsRead() throws IOException {
    Map<String, double[]> ranges =
        Map.of(
            "floats", new double[] {2, -3, 2},
            "doubles", new double[] {2, -3, 2},
            "ints", new double[] {2, -3, 4},
            "longs", new double[] {2, -3, 4},
            "raw", new double[] {1, -2.5, 1.5});
    for (String table : ranges.keySet()) {
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
      CalibrationState state = state("out-" + table);
      TensorStats x = state.tensor("x");
      assertEquals(2 * state.rows(), x.count(), table);
      assertArrayEquals(ranges.get(table), new double[] {state.rows(), x.min(), x.max()}, 0, table);
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

  /** Spark starts while they are read; what is wrong is told as ever, and Spark ends. */
  @Test
  void largeModelsRunAndFailAsSmallOnesDo() throws IOException {
    TestModel.opset(17)
        .input("x", -1, 2)
        .constant("w", new long[] {2, 3}, 1, 2, 3, 4, 5, 6)
        .constant("unused", new long[] {5_100_000}, new float[5_100_000])
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 3)
        .write(folder.resolve("large.onnx"));
    List<String> command =
        List.of("calibrate", "--model", at("large.onnx"), "--output", at("large"), "--data");
    Outcome outcome = tare(with(command, at("floats")));
    assertEquals(0, outcome.status(), outcome.err());
    assertEquals(2, state("large").rows());
    Outcome missing = tare(with(command, at("nowhere"), "--overwrite"));
    assertEquals(66, missing.status(), missing.err());
    assertTrue(missing.err().contains("nowhere"), missing.err());
    Outcome master = tare(with(command, at("floats"), "--overwrite", "--set", "spark.master=foo"));
    assertEquals(64, master.status(), master.err());
    assertTrue(master.err().contains("'foo'; spark.master is"), master.err());
    // A mistake that is found before Spark is asked for.
    Outcome batch = tare(with(command, at("floats"), "--overwrite", "--batch", "0"));
    assertEquals(64, batch.status(), batch.err());
    assertTrue(SparkSession.getDefaultSession().isEmpty(), "Spark goes on");
  }

  private static String[] with(List<String> command, String... more) {
    return Stream.concat(command.stream(), Stream.of(more)).toArray(String[]::new);
  }

  private static CalibrationState state(String output) throws IOException {
    Path file = folder.resolve(output).resolve("state.tare");
    return CalibrationState.decode(Files.readAllBytes(file), file.toString());
  }

  /**
   * Of pixel i, red, green and blue are 1, 2 and 3 times i modulo 80: whatever gray is made of them
   * and however they are resized, it is within 0 and 237, and neither all dark nor all light.
   */
  @Test
  void imagesAreDecodedResizedAndCropped() throws IOException {
    Outcome without =
        tare(files.digits("calibrate", "png", "png-out", "--set", "inputs.image.image=true"));
    assertEquals(65, without.status());
    assertTrue(without.err().contains("holds an image of 30x40 pixels"), without.err());
    Outcome with =
        tare(
            files.digits(
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
    CalibrationState state = state("png-out");
    TensorStats image = state.tensor("image");
    assertEquals(2, state.rows());
    assertEquals(2 * 28 * 28, image.count());
    double mean = 39.5 / 255;
    assertTrue(image.min() >= 0 && image.min() < mean, "least " + image.min());
    assertTrue(image.max() > mean && image.max() <= 237.0 / 255, "greatest " + image.max());
  }

  @Test
  void dryRunTellsAndWritesNothing() {
    Outcome outcome =
        tare(files.digits("run", "digits-train.parquet", "dry", "--dry-run", "--sample", "0.5"));
    assertEquals(0, outcome.status(), outcome.err());
    assertTrue(outcome.out().contains("Tensors to observe: 26"), outcome.out());
    assertTrue(outcome.out().contains("quantize.activation.method"), outcome.out());
    assertTrue(
        outcome
            .out()
            .matches("(?s).*Memory of an executor, about, that runs \\d+ task.s. at once.*"),
        outcome.out());
    assertTrue(outcome.out().contains("counters of 26 tensors"), outcome.out());
    assertFalse(Files.exists(folder.resolve("dry")));
  }
}
