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
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxChecker;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.stats.Samples;

/** {@code quantize} without a state, and what it says of settings that it cannot use. */
class ModesCommandTest {
  private static final Map<String, Values> ROWS =
      Map.of("x", new Values(new long[] {8, 64}, Samples.normal(new Random(3), 512)));

  @TempDir static Path folder;

  private static Path model() {
    return folder.resolve("model.onnx");
  }

  @BeforeAll
  static void writeModel() {
    TestModel.opset(17)
        .input("x", -1, 64)
        .constant("w", new long[] {64, 64}, Samples.normal(new Random(1), 4096))
        .constant("v", new long[] {64, 32}, Samples.normal(new Random(2), 2048))
        .node("MatMul", List.of("x", "w"), List.of("h"))
        .node("Relu", List.of("h"), List.of("r"))
        .node("MatMul", List.of("r", "v"), List.of("y"))
        .output("y", -1, 32)
        .write(model());
  }

  private static Outcome quantize(String output, String... sets) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "quantize",
                "--model",
                model().toString(),
                "--output",
                folder.resolve(output).toString()));
    for (String set : sets) {
      args.addAll(List.of("--set", set));
    }
    return Outcome.of(args.toArray(String[]::new));
  }

  private static double decibel(OnnxModel model) {
    float[] expected = TestModel.run(OnnxModel.read(model()), ROWS).get("y").floats();
    float[] found = TestModel.run(model, ROWS).get("y").floats();
    double signal = 0;
    double noise = 0;
    for (int i = 0; i < expected.length; i++) {
      signal += (double) expected[i] * expected[i];
      noise += Math.pow((double) expected[i] - found[i], 2);
    }
    return 10 * Math.log10(signal / noise);
  }

  @ParameterizedTest
  @CsvSource({
    "quantize.mode=dynamic, quantize.form=qdq, MatMulInteger, 35",
    "quantize.mode=dynamic, quantize.form=qoperator, MatMulInteger, 35",
    "quantize.mode=weight-only, quantize.form=qdq, DequantizeLinear, 38",
    "quantize.mode=weight-only, quantize.float16=true, DequantizeLinear, 38",
    "quantize.mode=weight-only, quantize.weight.dtype=uint4, MatMulNBits, 15",
    "quantize.mode=weight-only, quantize.weight.dtype=int4, MatMulNBits, 15",
  })
  void withoutAState(String mode, String other, String operator, double least) throws IOException {
    String name = "out-" + mode.substring(14) + "-" + other.replace('=', '-');
    Outcome outcome = quantize(name, mode, other);
    assertEquals(0, outcome.status(), outcome.err());
    Path output = folder.resolve(name);
    OnnxModel quantized = OnnxModel.read(output.resolve("model.onnx"));
    Set<String> operators =
        quantized.graph().nodes().stream().map(Node::opType).collect(Collectors.toSet());
    assertTrue(operators.contains(operator), operators.toString());
    if (!operators.contains("MatMulNBits")) {
      OnnxChecker.check(Files.readAllBytes(output.resolve("model.onnx")));
    }
    double found = decibel(quantized);
    assertTrue(found > least, found + " dB");
    assertTrue(Files.size(output.resolve("model.onnx")) < 0.5 * Files.size(model()), "is smaller");
    JsonNode result = new ObjectMapper().readTree(output.resolve("result.json").toFile());
    assertEquals(
        Files.size(output.resolve("model.onnx")), result.path("quantized").path("bytes").asLong());
    assertTrue(Files.exists(output.resolve("report.html")));
    assertTrue(Files.exists(output.resolve("qparams.json")));
  }

  @Test
  void sameModelEachTime() throws IOException {
    for (String output : List.of("first", "second")) {
      assertEquals(0, quantize(output, "quantize.mode=dynamic").status());
    }
    assertArrayEquals(
        Files.readAllBytes(folder.resolve("first/model.onnx")),
        Files.readAllBytes(folder.resolve("second/model.onnx")));
  }

  @Test
  void onlyWhatIsListed() throws IOException {
    Outcome outcome =
        quantize(
            "explicit",
            "quantize.mode=dynamic",
            "quantize.automatic=false",
            "quantize.overrides=[{name: y}]");
    assertEquals(0, outcome.status(), outcome.err());
    List<String> operators =
        OnnxModel.read(folder.resolve("explicit/model.onnx")).graph().nodes().stream()
            .map(Node::opType)
            .toList();
    assertEquals(1, operators.stream().filter("MatMul"::equals).count());
    assertEquals(1, operators.stream().filter("MatMulInteger"::equals).count());
  }

  private static void refused(Outcome outcome, String... words) {
    assertEquals(64, outcome.status(), outcome.err());
    for (String word : words) {
      assertTrue(outcome.err().contains(word), () -> word + ": " + outcome.err());
    }
    assertFalse(outcome.err().contains("\tat "), outcome.err());
    assertFalse(Files.exists(folder.resolve("refused")));
  }

  @Test
  void staticModeNeedsAState() {
    refused(quantize("refused", "quantize.mode=static"), "state");
    List<String> args =
        List.of(
            "quantize",
            "--model",
            model().toString(),
            "--state",
            folder.resolve("none.tare").toString(),
            "--output",
            folder.resolve("refused").toString());
    Outcome missing = Outcome.of(args.toArray(String[]::new));
    assertEquals(66, missing.status(), missing.err());
    assertTrue(missing.err().contains("none.tare"), missing.err());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "quantize.mode=half            | static, dynamic or weight-only",
        "quantize.backend=cuda         | onnxruntime-cpu, fbgemm, x86, onednn, qnnpack or tensorrt",
        "quantize.form=tflite          | qdq or qoperator",
        "quantize.weight.rounding=up   | auto, sums, nearest or learned",
        "quantize.weight.block=48      | a power of two from 16 on",
        "quantize.weight.method=sigma  | minmax or mse",
        "quantize.float16=maybe        | true or false",
        "quantize.automatic=maybe      | true or false",
        "quantize.bias-correction=yes! | auto, fast, sequential or false",
        "quantize.measure-rows=-1      | a whole number from 0",
        "quantize.measure-rows=1.5     | a whole number from 0",
      })
  void valuesThatAreNone(String set, String allowed) {
    String[] parts = set.split("=");
    refused(quantize("refused", "quantize.mode=dynamic", set), parts[0], parts[1], allowed);
  }

  /** Also in the modes that take no state. */
  @ParameterizedTest
  @CsvSource({"dynamic", "weight-only"})
  void smoothQuantThatIsNone(String mode) {
    refused(
        quantize("refused", "quantize.mode=" + mode, "quantize.smooth-quant=often"),
        "quantize.smooth-quant",
        "often",
        "auto, true or false");
  }

  @Test
  void typeThatIsNone() {
    refused(
        quantize("refused", "quantize.mode=dynamic", "quantize.weight.dtype=int3"),
        "int3",
        "uint8, int8");
  }

  @Test
  void nothingListed() {
    refused(
        quantize("refused", "quantize.mode=dynamic", "quantize.automatic=false"),
        "quantize.automatic",
        "quantize.overrides");
    refused(
        quantize(
            "refused",
            "quantize.mode=dynamic",
            "quantize.automatic=false",
            "quantize.overrides=[]"),
        "nothing would be quantized");
  }

  @Test
  void overridesThatAreWrong() {
    refused(
        quantize("refused", "quantize.mode=dynamic", "quantize.overrides={op: Conv}"), "a list");
    refused(
        quantize("refused", "quantize.mode=dynamic", "quantize.overrides=[{op: Conv, name: a}]"),
        "either op or name");
    refused(
        quantize(
            "refused", "quantize.mode=dynamic", "quantize.overrides=[{op: Conv, flaot: true}]"),
        "flaot",
        "float");
  }

  @Test
  void calibratingForAModeWithoutDataIsAnError() {
    Outcome outcome =
        Outcome.of(
            "calibrate",
            "--model",
            model().toString(),
            "--data",
            folder.resolve("rows.parquet").toString(),
            "--output",
            folder.resolve("states").toString(),
            "--set",
            "quantize.mode=weight-only");
    assertEquals(64, outcome.status());
    assertEquals(
        "tare: Nothing to calibrate: the mode weight-only needs no data", outcome.err().strip());
  }

  /** A table of 8 bits beside products of 4. */
  @Test
  void weightsThatTake8BitsInsteadOf4AreSaid() {
    Path file = folder.resolve("embedding.onnx");
    TestModel.opset(17)
        .input("ids", ElementType.INT64, -1)
        .constant("table", new long[] {32, 64}, Samples.normal(new Random(4), 2048))
        .constant("w", new long[] {64, 16}, Samples.normal(new Random(5), 1024))
        .node("Gather", List.of("table", "ids"), List.of("h"))
        .node("MatMul", List.of("h", "w"), List.of("y"))
        .output("y", -1, 16)
        .write(file);
    Outcome outcome =
        Outcome.of(
            "quantize",
            "--model",
            file.toString(),
            "--output",
            folder.resolve("embedding").toString(),
            "--set",
            "quantize.mode=weight-only",
            "--set",
            "quantize.weight.dtype=uint4");
    assertEquals(0, outcome.status(), outcome.err());
    assertTrue(
        outcome.err().contains("warning: 1 of 2 weights took 8 bits, not uint4: blocks are for"),
        outcome.err());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "dynamic     | []                          | it has no layer with constant weights",
        "weight-only | [{op: MatMul, float: true}] | it has no layer with constant weights of"
            + " float32: MatMul(MatMul_0) and 1 other: left float by",
      })
  void aCopyIsNoResult(String mode, String overrides, String reason) {
    Path file = overrides.equals("[]") ? folder.resolve("no-weights.onnx") : model();
    TestModel.opset(17)
        .input("x", -1, 64)
        .node("Relu", List.of("x"), List.of("y"))
        .output("y", -1, 64)
        .write(folder.resolve("no-weights.onnx"));
    Outcome outcome =
        Outcome.of(
            "quantize",
            "--model",
            file.toString(),
            "--output",
            folder.resolve("copy").toString(),
            "--set",
            "quantize.mode=" + mode,
            "--set",
            "quantize.overrides=" + overrides);
    assertEquals(30, outcome.status(), outcome.err());
    String expected =
        "tare: Nothing to quantize in " + file.getFileName() + " in the mode " + mode + ": ";
    assertTrue(outcome.err().startsWith(expected + reason), outcome.err());
    assertFalse(Files.exists(folder.resolve("copy")));
  }

  /** Of a few numbers, integers with their scales and nodes take more bytes than floats. */
  @Test
  void aFileThatGrewIsSaid() {
    Path file = folder.resolve("few.onnx");
    TestModel.opset(17)
        .input("x", -1, 2)
        .constant("w", new long[] {2, 2}, 1, 2, 3, 4)
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 2)
        .write(file);
    for (String mode : List.of("dynamic", "weight-only")) {
      Outcome outcome =
          Outcome.of(
              "quantize",
              "--model",
              file.toString(),
              "--output",
              folder.resolve("few-" + mode).toString(),
              "--set",
              "quantize.mode=" + mode);
      assertEquals(0, outcome.status(), outcome.err());
      assertTrue(
          outcome.err().contains("warning: The quantized model is larger than the float one, "),
          outcome.err());
      assertEquals(
          mode.equals("dynamic"),
          outcome.err().contains("quantize.mode=weight-only adds the least"),
          outcome.err());
    }
  }

  /** Recurrent layers have no ranges from data: the mode static needs no state for them. */
  @Test
  void aModelOfRecurrentLayersNeedsNoState() throws IOException {
    Path file = folder.resolve("lstm.onnx");
    TestModel.opset(17)
        .input("x", 5, -1, 16)
        .constant("w", new long[] {1, 128, 16}, Samples.normal(new Random(6), 2048))
        .constant("r", new long[] {1, 128, 32}, Samples.normal(new Random(7), 4096))
        .node("LSTM", List.of("x", "w", "r"), List.of("", "y"), "hidden_size", 32L)
        .output("y", 1, -1, 32)
        .write(file);
    Outcome outcome =
        Outcome.of(
            "quantize",
            "--model",
            file.toString(),
            "--output",
            folder.resolve("lstm").toString(),
            "--set",
            "quantize.mode=static");
    assertEquals(0, outcome.status(), outcome.err());
    Path written = folder.resolve("lstm/model.onnx");
    assertTrue(Files.size(written) < 0.5 * Files.size(file));
    Outcome nothing =
        Outcome.of(
            "calibrate",
            "--model",
            file.toString(),
            "--data",
            folder.resolve("rows.parquet").toString(),
            "--output",
            folder.resolve("states").toString());
    assertEquals(64, nothing.status());
    assertTrue(nothing.err().contains("the mode static needs no data for this"), nothing.err());
  }
}
