package org.tare.cli;

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
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.TestModel;
import org.tare.stats.Samples;

/** Layers that 8 bits ruin stay float32, where {@code run} measures it, and no others. */
class FloatLayersCommandTest {
  private static final int ROWS = 32;
  private static final int SAMPLES = 256;
  private static final int BINS = 8;
  private static final int SIZE = 8;

  @TempDir static Path folder;

  private static Path at(String name) {
    return folder.resolve(name);
  }

  @BeforeAll
  static void makeFiles() {
    Random random = new Random(11);
    writeSpectrum(random);
    writeDetector(random);
    float[][] sounds = new float[ROWS][SAMPLES];
    float[][] pictures = new float[ROWS][];
    for (int i = 0; i < ROWS; i++) {
      double loudness = Math.pow(10, -3 * random.nextDouble());
      double pitch = 0.1 + 1.2 * random.nextDouble();
      for (int t = 0; t < SAMPLES; t++) {
        double noise = 0.01 * random.nextGaussian();
        sounds[i][t] = (float) (loudness * (Math.sin(pitch * t) + noise));
      }
      pictures[i] = Samples.normal(random, 3 * SIZE * SIZE);
    }
    TestTables.writeFloats(at("sounds"), sounds);
    TestTables.writeFloats(at("pictures"), pictures);
  }

  /** A short-time Fourier transform as a convolution, logarithms of its power, and a small net. */
  private static void writeSpectrum(Random random) {
    float[] waves = new float[2 * BINS * 32];
    for (int bin = 0; bin < BINS; bin++) {
      for (int t = 0; t < 32; t++) {
        double window = 0.5 - 0.5 * Math.cos(2 * Math.PI * t / 32);
        waves[bin * 32 + t] = (float) (window * Math.cos(2 * Math.PI * bin * t / 32));
        waves[(BINS + bin) * 32 + t] = (float) (window * Math.sin(2 * Math.PI * bin * t / 32));
      }
    }
    TestModel.opset(17)
        .input("x", -1, 1, SAMPLES)
        .constant("waves", new long[] {2 * BINS, 1, 32}, waves)
        .constant("floor", new long[0], 1e-9f)
        .constant("w", new long[] {16, BINS, 3}, Samples.normal(random, 16 * BINS * 3))
        .constant("v", new long[] {16, 16, 3}, Samples.normal(random, 16 * 16 * 3))
        .constant("u", new long[] {16, 4}, Samples.normal(random, 64))
        .node("Conv", List.of("x", "waves"), List.of("stft"), "strides", new long[] {16})
        .node("Split", List.of("stft"), List.of("real", "imaginary"), "axis", 1L)
        .node("Mul", List.of("real", "real"), List.of("real2"))
        .node("Mul", List.of("imaginary", "imaginary"), List.of("imaginary2"))
        .node("Add", List.of("real2", "imaginary2"), List.of("power"))
        .node("Add", List.of("power", "floor"), List.of("raised"))
        .node("Log", List.of("raised"), List.of("log"))
        .node("Conv", List.of("log", "w"), List.of("h1"))
        .node("Relu", List.of("h1"), List.of("r1"))
        .node("Conv", List.of("r1", "v"), List.of("h2"))
        .node("Relu", List.of("h2"), List.of("r2"))
        .node("GlobalAveragePool", List.of("r2"), List.of("mean"))
        .node("Flatten", List.of("mean"), List.of("flat"))
        .node("Gemm", List.of("flat", "u"), List.of("y"))
        .output("y", -1, 4)
        .write(at("spectrum.onnx"));
  }

  /** Boxes of some hundred pixels and scores from 0 to 1, brought together, as detectors do. */
  private static void writeDetector(Random random) {
    TestModel.opset(17)
        .input("x", -1, 3, SIZE, SIZE)
        .constant("w", new long[] {16, 3, 3, 3}, Samples.normal(random, 16 * 27))
        .constant("v", new long[] {16, 16, 3, 3}, Samples.normal(random, 16 * 16 * 9))
        .constant("boxes.w", new long[] {4, 16, 1, 1}, Samples.normal(random, 64))
        .constant("scores.w", new long[] {6, 16, 1, 1}, Samples.normal(random, 96))
        .constant("stride", new long[0], 8)
        .constant("rest", new long[0], 1)
        .node("Conv", List.of("x", "w"), List.of("h1"), "pads", new long[] {1, 1, 1, 1})
        .node("Relu", List.of("h1"), List.of("r1"))
        .node("Conv", List.of("r1", "v"), List.of("h2"), "pads", new long[] {1, 1, 1, 1})
        .node("Relu", List.of("h2"), List.of("r2"))
        .node("Conv", List.of("r2", "boxes.w"), List.of("boxes"))
        .node("Conv", List.of("r2", "scores.w"), List.of("logits"))
        .node("Sigmoid", List.of("logits"), List.of("scores"))
        .node("Concat", List.of("boxes", "scores"), List.of("both"), "axis", 1L)
        .node("Transpose", List.of("both"), List.of("moved"), "perm", new long[] {0, 2, 3, 1})
        .longs("parts", 4, 6)
        .node("Split", List.of("moved", "parts"), List.of("xywh", "classes"), "axis", 3L)
        .node("Mul", List.of("xywh", "stride"), List.of("pixels"))
        .node("Sub", List.of("rest", "classes"), List.of("missed"))
        .output("pixels", -1, SIZE, SIZE, 4)
        .output("missed", -1, SIZE, SIZE, 6)
        .write(at("detector.onnx"));
  }

  private static JsonNode run(String model, String data, String output, String... sets)
      throws IOException {
    List<String> args = new ArrayList<>(List.of("run", "--model", at(model).toString()));
    args.addAll(List.of("--data", at(data).toString(), "--output", at(output).toString()));
    for (String set : sets) {
      args.addAll(List.of("--set", set));
    }
    Outcome outcome = Outcome.of(args.toArray(String[]::new));
    assertEquals(0, outcome.status(), outcome.err());
    return new ObjectMapper().readTree(at(output).resolve("result.json").toFile());
  }

  private static JsonNode trial(JsonNode result) {
    JsonNode first = result.path("quantized").path("corrections").path(0);
    assertEquals("float-layers", first.path("correction").asText(), result.toString());
    assertTrue(first.path("kept").asBoolean());
    return first;
  }

  private static List<String> measuredFloat(JsonNode result) {
    List<String> names = new ArrayList<>();
    for (JsonNode node : result.path("quantized").path("float_nodes")) {
      if (node.path("reason").asText().equals("measured: quantized, it costs most of the SQNR")) {
        names.add(node.path("op").asText() + "(" + node.path("name").asText() + ")");
      }
    }
    return names;
  }

  @Test
  void aSpectrumBeforeALogarithmStaysFloatAndTheNetBehindItDoesNot() throws IOException {
    JsonNode result = run("spectrum.onnx", "sounds", "out");
    JsonNode trial = trial(result);
    assertTrue(trial.path("sqnr_db_without").asDouble() < 10, trial.toString());
    assertTrue(trial.path("sqnr_db").asDouble() > 35, trial.toString());
    List<String> left = measuredFloat(result);
    assertTrue(left.contains("Conv(Conv_0)"), left.toString());
    assertFalse(left.contains("Gemm(Gemm_13)") || left.contains("Conv(Conv_9)"), left.toString());
    assertEquals(
        3, result.path("quantized").path("weights").asInt(), "the net behind the spectrum");
    JsonNode worst = result.path("quantized").path("costly_layers").path(0);
    assertEquals("Conv(Conv_0)", worst.path("nodes").path(0).asText(), worst.toString());
    assertEquals("Conv(Conv_0)", worst.path("float_nodes").path(0).asText(), worst.toString());
    String warning = result.path("warnings").path(0).asText();
    assertTrue(
        warning.matches(
            "5 nodes stay float32, since the SQNR is \\d+.\\d dB with them quantized and 4\\d.\\d"
                + " dB without: Conv\\(Conv_0\\), .*; quantize.float-below=0 quantizes them"),
        warning);
    String report = Files.readString(at("out").resolve("report.html"));
    assertTrue(report.contains("measured: quantized, it costs most"), "the report says it too");
  }

  @Test
  void boxesBesideScoresStayFloatAndTheirConvolutionsDoNot() throws IOException {
    JsonNode result = run("detector.onnx", "pictures", "out-detector");
    JsonNode trial = trial(result);
    assertTrue(trial.path("sqnr_db_without").asDouble() < 10, trial.toString());
    assertTrue(trial.path("sqnr_db").asDouble() > 25, trial.toString());
    assertTrue(measuredFloat(result).contains("Concat(Concat_7)"), result.toString());
    assertEquals(4, result.path("quantized").path("weights").asInt(), "all convolutions");
  }

  @Test
  void nothingIsSearchedForWhereItIsSwitchedOff() throws IOException {
    JsonNode result = run("spectrum.onnx", "sounds", "out-off", "quantize.float-below=0");
    assertEquals(List.of(), measuredFloat(result));
    assertTrue(result.path("quantized").path("costly_layers").isEmpty(), result.toString());
  }
}
