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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.stats.Samples;

/** Which corrections {@code run} keeps, by what it measures. */
class CorrectionsCommandTest {
  private static final int ROWS = 96;
  private static final int CHANNELS = 6;
  private static final int SIZE = 8;

  private static final float[][] FLAT = new float[ROWS][];

  @TempDir static Path folder;

  private static Path at(String name) {
    return folder.resolve(name);
  }

  @BeforeAll
  static void makeFiles() {
    Random random = new Random(5);
    TestModel.opset(17)
        .input("x", -1, CHANNELS, SIZE, SIZE)
        .constant("w", new long[] {8, CHANNELS, 3, 3}, Samples.normal(random, 8 * CHANNELS * 9))
        .constant("v", new long[] {8, 1, 3, 3}, Samples.normal(random, 72))
        .constant("u", new long[] {8, 4}, Samples.normal(random, 32))
        .constant("b", new long[] {4}, Samples.normal(random, 4))
        .node("Conv", List.of("x", "w"), List.of("h"), "pads", new long[] {1, 1, 1, 1})
        .node("Relu", List.of("h"), List.of("r"))
        .node("Conv", List.of("r", "v"), List.of("d"), "group", 8L)
        .node("GlobalAveragePool", List.of("d"), List.of("g"))
        .node("Flatten", List.of("g"), List.of("f"))
        .node("MatMul", List.of("f", "u"), List.of("m"))
        .node("Add", List.of("m", "b"), List.of("y"))
        .output("y", -1, 4)
        .write(at("net.onnx"));
    TestModel.opset(17)
        .input("x", -1, CHANNELS, SIZE, SIZE)
        .constant("w", new long[] {8, CHANNELS, 3, 3}, Samples.normal(random, 8 * CHANNELS * 9))
        .node("Conv", List.of("x", "w"), List.of("y"))
        .output("y", -1, 8, SIZE - 2, SIZE - 2)
        .write(at("one.onnx"));
    float[][] noise = new float[ROWS][];
    for (int i = 0; i < ROWS; i++) {
      noise[i] = Samples.normal(random, CHANNELS * SIZE * SIZE);
      FLAT[i] = flat(random);
    }
    TestTables.writeFloats(at("noise"), noise);
    float[][] someBad = noise.clone();
    // Those whose hashes are least are among them, or not: half of the measured rows, say.
    for (int i = 0; i < 6; i++) {
      someBad[16 * i] = new float[3];
    }
    TestTables.writeFloats(at("some-bad"), someBad);
    TestTables.writeFloats(at("flat"), FLAT);
    writeModelsWithoutComparison(random);
  }

  private static void writeModelsWithoutComparison(Random random) {
    TestModel.opset(17)
        .input("x", -1, CHANNELS, SIZE, SIZE)
        .constant("w", new long[] {8, CHANNELS, 3, 3}, Samples.normal(random, 8 * CHANNELS * 9))
        .node("Conv", List.of("x", "w"), List.of("h"))
        .node("ArgMax", List.of("h"), List.of("c"), "axis", 1L)
        .output("c", ElementType.INT64, -1, 1, SIZE - 2, SIZE - 2)
        .write(at("classes.onnx"));
    passing(random, true).write(at("passing.onnx"));
    passing(random, false).write(at("only-passing.onnx"));
  }

  /** Gives what a convolution's results above zero are, and, if that is wanted, all of them. */
  private static TestModel passing(Random random, boolean withAll) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, CHANNELS, SIZE, SIZE)
            .constant("w", new long[] {8, CHANNELS, 3, 3}, Samples.normal(random, 8 * CHANNELS * 9))
            .constant("zero", new long[0], 0)
            .node("Conv", List.of("x", "w"), List.of("y"))
            .node("Greater", List.of("y", "zero"), List.of("g"))
            .node("Compress", List.of("y", "flat"), List.of("passing"))
            .node("Reshape", List.of("g", "all"), List.of("flat"))
            .longs("all", -1)
            .output("passing", -1);
    return withAll ? model.output("y", -1, 8, SIZE - 2, SIZE - 2) : model;
  }

  /** A picture whose channels are nearly of one value each, another one in each picture. */
  private static float[] flat(Random random) {
    float[] x = new float[CHANNELS * SIZE * SIZE];
    for (int c = 0; c < CHANNELS; c++) {
      float level = 1 + c + (float) random.nextGaussian();
      for (int k = 0; k < SIZE * SIZE; k++) {
        x[c * SIZE * SIZE + k] = level + 0.1f * (float) random.nextGaussian();
      }
    }
    return x;
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

  private static Map<String, JsonNode> corrections(JsonNode result) {
    Map<String, JsonNode> corrections = new LinkedHashMap<>();
    result
        .path("quantized")
        .path("corrections")
        .forEach(each -> corrections.put(each.path("correction").asText(), each));
    return corrections;
  }

  /**
   * Of values that are independent, the error is the sum of the weights' squared errors, and
   * rounding to the nearest has the least; of flat regions it is the sum of the errors, squared.
   */
  @Test
  void kernelSumsStayWhereTheyLowerTheError() throws IOException {
    JsonNode noise = corrections(run("one.onnx", "noise", "out-noise")).get("kernel-sums");
    assertFalse(noise.path("kept").asBoolean(), noise.toString());
    JsonNode flat =
        corrections(run("one.onnx", "flat", "out-flat", "quantize.bias-correction=false"))
            .get("kernel-sums");
    assertTrue(flat.path("kept").asBoolean(), flat.toString());
    // What is left out leaves the model that was asked for without it.
    run("one.onnx", "noise", "out-nearest", "quantize.weight.rounding=nearest");
    assertEquals(
        -1,
        Files.mismatch(
            at("out-noise").resolve("model.onnx"), at("out-nearest").resolve("model.onnx")));
  }

  @Test
  void nothingIsMeasuredWithoutRows() throws IOException {
    JsonNode result = run("one.onnx", "noise", "out-expected", "quantize.measure-rows=0");
    assertTrue(corrections(result).isEmpty());
    run(
        "one.onnx",
        "noise",
        "out-sums",
        "quantize.weight.rounding=sums",
        "quantize.bias-correction=fast");
    assertEquals(
        -1,
        Files.mismatch(
            at("out-expected").resolve("model.onnx"), at("out-sums").resolve("model.onnx")));
  }

  /** Means of the outputs, since nothing is rounded after the last layer, are the float model's. */
  @Test
  void biasesAreCorrectedInSequence() throws IOException {
    JsonNode result =
        run(
            "net.onnx",
            "flat",
            "out-sequence",
            "quantize.bias-correction=sequential",
            "quantize.weight.scheme=per_tensor_symmetric");
    JsonNode trial = corrections(result).get("bias-sequential");
    assertTrue(trial.path("kept").asBoolean(), trial.toString());
    assertTrue(
        trial.path("sqnr_db").asDouble() > trial.path("sqnr_db_without").asDouble() + 0.5,
        trial.toString());
    run(
        "net.onnx",
        "flat",
        "out-none",
        "quantize.bias-correction=false",
        "quantize.weight.scheme=per_tensor_symmetric");
    double corrected = meanShift(at("out-sequence").resolve("model.onnx"));
    double before = meanShift(at("out-none").resolve("model.onnx"));
    assertTrue(corrected < 0.05 * before, corrected + " of " + before);
  }

  @Test
  void sequenceWorksInDynamicModeToo() throws IOException {
    JsonNode result =
        run(
            "net.onnx",
            "flat",
            "out-dynamic",
            "quantize.mode=dynamic",
            "quantize.bias-correction=sequential",
            "quantize.weight.scheme=per_tensor_symmetric");
    assertTrue(
        corrections(result).get("bias-sequential").path("kept").asBoolean(), result.toString());
  }

  /** Also where there is nothing to calibrate. */
  @Test
  void sequenceWorksByWeightAlone() throws IOException {
    JsonNode result =
        run(
            "one.onnx",
            "flat",
            "out-weights",
            "quantize.mode=weight-only",
            "quantize.bias-correction=sequential",
            "quantize.weight.rounding=nearest");
    assertTrue(
        corrections(result).get("bias-sequential").path("kept").asBoolean(), result.toString());
    assertTrue(result.path("calibration").isMissingNode());
  }

  @Test
  void whatCannotBeMeasuredIsSaid() throws IOException {
    JsonNode none =
        run(
            "one.onnx",
            "noise",
            "out-unmeasured",
            "quantize.bias-correction=sequential",
            "quantize.measure-rows=0");
    assertEquals(
        "Biases are not corrected in sequence: quantize.measure-rows is 0",
        none.path("warnings").path(0).asText());
  }

  /** What ends in class numbers has no error to measure, and is quantized all the same. */
  @Test
  void modelsWithoutFloatOutputsAreNotMeasured() throws IOException {
    JsonNode result = run("classes.onnx", "noise", "out-classes");
    assertTrue(corrections(result).isEmpty());
    Outcome evaluated =
        Outcome.of(
            "evaluate",
            "--model",
            at("classes.onnx").toString(),
            "--quantized",
            at("out-classes").resolve("model.onnx").toString(),
            "--validation",
            at("noise").toString());
    assertEquals(0, evaluated.status(), evaluated.err());
    assertTrue(evaluated.out().contains("the same integer in "), evaluated.out());
  }

  /** How many values pass a threshold is not the same in both models. */
  @Test
  void outputsOfAnotherShapeAreLeftOutOfTheComparison() throws IOException {
    JsonNode result =
        run("passing.onnx", "noise", "out-passing", "validation.path=" + at("noise").toString());
    assertFalse(result.at("/evaluation/outputs").has("passing"), result.toString());
    assertTrue(result.at("/evaluation/outputs").has("y"), result.toString());
    assertTrue(
        result.path("warnings").toString().contains("\\\"passing\\\" is not compared"),
        result.toString());
  }

  /** Where nothing can be compared nothing is left out, and it is said. */
  @Test
  void correctionsStayWhereNoOutputCanBeCompared() throws IOException {
    JsonNode result = run("only-passing.onnx", "noise", "out-only");
    assertTrue(corrections(result).isEmpty(), result.toString());
    assertTrue(
        result
            .path("warnings")
            .path(0)
            .asText()
            .startsWith("Corrections are not measured, and stay"),
        result.toString());
    run(
        "only-passing.onnx",
        "noise",
        "out-all",
        "quantize.weight.rounding=sums",
        "quantize.bias-correction=fast");
    assertEquals(
        -1,
        Files.mismatch(at("out-only").resolve("model.onnx"), at("out-all").resolve("model.onnx")));
  }

  /** Whatever share of the few rows is bad: that was checked on all of them. */
  @Test
  void badRowsAmongTheMeasuredOnes() throws IOException {
    JsonNode result =
        run(
            "one.onnx",
            "some-bad",
            "out-bad",
            "bad-rows=skip",
            "bad-rows-limit=0.1",
            "quantize.measure-rows=4");
    assertEquals(6, result.at("/calibration/skipped_rows").asInt());
    assertTrue(corrections(result).containsKey("kernel-sums"));
  }

  /** The greatest difference between the mean of an output and the float model's. */
  private static double meanShift(Path quantized) {
    int size = CHANNELS * SIZE * SIZE;
    float[] x = new float[ROWS * size];
    for (int i = 0; i < ROWS; i++) {
      System.arraycopy(FLAT[i], 0, x, i * size, size);
    }
    Map<String, Values> given = Map.of("x", new Values(new long[] {ROWS, CHANNELS, SIZE, SIZE}, x));
    float[] exact = TestModel.run(OnnxModel.read(at("net.onnx")), given).get("y").floats();
    float[] found = TestModel.run(OnnxModel.read(quantized), given).get("y").floats();
    double[] shift = new double[4];
    for (int i = 0; i < exact.length; i++) {
      shift[i % 4] += (found[i] - exact[i]) / ROWS;
    }
    double greatest = 0;
    for (double each : shift) {
      greatest = Math.max(greatest, Math.abs(each));
    }
    return greatest;
  }
}
