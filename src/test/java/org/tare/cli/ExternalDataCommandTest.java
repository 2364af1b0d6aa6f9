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
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.OneFileLimit;
import org.tare.onnx.OnnxModel;
import org.tare.spark.tasks.DigitsCalibration;

/** The command with models in two files, as they are from 2 GB on; here, from a few KB on. */
class ExternalDataCommandTest {
  private static final int LIMIT = 10_000;

  @TempDir static Path folder;

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  @BeforeAll
  static void makeFiles() throws IOException {
    for (String name :
        List.of("digits-mobilenet.onnx", "digits-train.parquet", "digits-validation.parquet")) {
      DigitsCalibration.demoFile(folder, name);
    }
    try (OneFileLimit limit = OneFileLimit.of(LIMIT)) {
      OnnxModel.read(folder.resolve("digits-mobilenet.onnx")).write(folder.resolve("two.onnx"));
    }
    assertTrue(Files.exists(folder.resolve("two.onnx.data")));
  }

  private static Outcome run(String model, String output) {
    List<String> args = new ArrayList<>(List.of("run", "--model", at(model), "--output"));
    args.addAll(List.of(at(output), "--data", at("digits-train.parquet"), "--sample", "64"));
    args.addAll(List.of("--validation", at("digits-validation.parquet"), "--label", "label"));
    args.addAll(List.of("--set", "inputs.image.scale=0.00392156862745098"));
    return Outcome.of(args.toArray(String[]::new));
  }

  private static String withoutDigests(Path qparams) throws IOException {
    return Files.readString(qparams).replaceAll("[0-9a-f]{64}", "");
  }

  /** Executors load both files; what comes out is what one file gives. */
  @Test
  void runReadsShipsAndWritesBothFiles() throws IOException {
    Outcome one = run("digits-mobilenet.onnx", "one");
    assertEquals(0, one.status(), one.err());
    assertFalse(Files.exists(folder.resolve("one/model.onnx.data")));
    Outcome two;
    try (OneFileLimit limit = OneFileLimit.of(LIMIT)) {
      two = run("two.onnx", "two");
    }
    assertEquals(0, two.status(), two.err());
    assertTrue(Files.exists(folder.resolve("two/_SUCCESS")));
    OnnxModel expected = OnnxModel.read(folder.resolve("one/model.onnx"));
    OnnxModel actual = OnnxModel.read(folder.resolve("two/model.onnx"));
    actual.metadata().putAll(expected.metadata());
    expected.write(folder.resolve("a.onnx"));
    actual.write(folder.resolve("b.onnx"));
    assertArrayEquals(
        Files.readAllBytes(folder.resolve("a.onnx")), Files.readAllBytes(folder.resolve("b.onnx")));
    assertEquals(
        withoutDigests(folder.resolve("one/qparams.json")),
        withoutDigests(folder.resolve("two/qparams.json")));
    JsonNode result = new ObjectMapper().readTree(folder.resolve("two/result.json").toFile());
    assertEquals(
        Files.size(folder.resolve("two/model.onnx"))
            + Files.size(folder.resolve("two/model.onnx.data")),
        result.path("quantized").path("bytes").asLong());
    JsonNode oneResult = new ObjectMapper().readTree(folder.resolve("one/result.json").toFile());
    assertEquals(oneResult.path("evaluation"), result.path("evaluation"));
  }

  @Test
  void missingDataIsNamed() throws IOException {
    Path other = Files.createDirectories(folder.resolve("elsewhere"));
    Files.copy(folder.resolve("two.onnx"), other.resolve("two.onnx"));
    Outcome missing = run("elsewhere/two.onnx", "missing");
    assertEquals(66, missing.status(), missing.err());
    assertTrue(missing.err().contains("two.onnx.data, and there is no such file"), missing.err());
  }
}
