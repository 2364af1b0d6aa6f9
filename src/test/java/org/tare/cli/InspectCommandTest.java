package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.plan.FloatNode;
import org.tare.rewrite.FloatNodeNotes;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;
import org.tare.stats.TensorStats;

/** The commands on files alone: inspect, and quantize with exports. */
class InspectCommandTest {
  /** A name that a terminal would take for a colour. */
  private static final Lineage.Origin ORIGIN =
      new Lineage.Origin("table of \u001b[31m rows", "", "label=1", "", List.of("image"));

  private static final Lineage.Run RUN =
      new Lineage.Run(
          "1".repeat(64),
          Instant.parse("2026-01-02T03:04:05Z"),
          new TreeMap<>(Map.of("tare", "0.1.0")));

  @TempDir static Path folder;

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  @BeforeAll
  static void makeFiles() throws IOException {
    TestModel.opset(17)
        .input("x", -1, 2)
        .constant("w", new long[] {2, 2}, 1, 2, 3, 4)
        .node("MatMul", List.of("x", "w"), List.of("m"))
        .node("Erf", List.of("m"), List.of("y"))
        .output("y", -1, 2)
        .write(folder.resolve("float.onnx"));
    TreeMap<String, TensorStats> stats = new TreeMap<>();
    stats.put("x", TensorStats.of(new float[] {-5, 0, 1.5f}));
    stats.put("m", TensorStats.of(new float[] {0, 254}));
    OnnxModel model = OnnxModel.read(folder.resolve("float.onnx"));
    Files.write(
        folder.resolve("state.tare"),
        new CalibrationState(model.digest(), 3, stats)
            .withLineage(Lineage.of(new Lineage.Source(ORIGIN, 3, "0".repeat(64), RUN)))
            .encodeFile());
    Files.writeString(folder.resolve("text"), "not a model at all");
    Outcome quantized = quantize("out", "quantize.export=tensorrt,onnxruntime");
    assertEquals(0, quantized.status(), quantized.err());
  }

  private static Outcome quantize(String output, String... sets) {
    List<String> args = new ArrayList<>(List.of("quantize", "--model", at("float.onnx")));
    args.addAll(List.of("--state", at("state.tare"), "--output", at(output)));
    args.addAll(List.of("--set", "quantize.activation.method=minmax"));
    // Whose products give integers.
    args.addAll(List.of("--set", "quantize.backend=onednn"));
    for (String set : sets) {
      args.addAll(List.of("--set", set));
    }
    return Outcome.of(args.toArray(String[]::new));
  }

  /**
   * The columns of the weight are 1, 3 and 2, 4, neighbours of one sign. Their least scales are
   * their sums over 128; of those up to 15/512 above, 4/128 and 6/128 * (1 + 8/512) have the least
   * error.
   */
  @Test
  void modelAsTables() {
    Outcome outcome = Outcome.of("inspect", at("out/model.onnx"));
    assertEquals(0, outcome.status(), outcome.err());
    assertEquals(
        """
        Model in QDQ form: 2 activations, 1 weights, 0 biases

        tensor  kind        form  type   values  scale                     zero_point  scales per
        x       activation  QDQ   uint8          0.0254902                 196         tensor
        w_q     weight      QDQ   int8   4       2: 0.0312500 to 0.0476074  0           axis 1
        m       activation  QDQ   uint8          0.996078                  0           tensor
        """
            .replaceAll(" +", " "),
        outcome.out().lines().limit(6).reduce("", (a, b) -> a + b + "\n").replaceAll(" +", " "));
    for (String line :
        List.of(
            "int8 4 4",
            "scales, zero points 20",
            "6.000 bytes a value",
            "Erf 0 1",
            "MatMul 1 0",
            "5 nodes convert between the two")) {
      String plain = outcome.out().replaceAll(" +", " ");
      assertTrue(plain.contains("\n" + line + "\n"), line + " in " + plain);
    }
  }

  @Test
  void floatModelAsTables() {
    Outcome outcome = Outcome.of("inspect", at("float.onnx"));
    assertEquals(0, outcome.status(), outcome.err());
    String plain = outcome.out().replaceAll(" +", " ");
    assertTrue(plain.startsWith("Float model of operator set 17: "), plain);
    for (String line :
        List.of(
            "x input float32 [N,2]",
            "y output float32 [N,2]",
            "MatMul 1",
            "static 1 1 1",
            "dynamic 1 0",
            "weight-only 1 0",
            "static Erf Erf_1 the backend has no integer kernel for it")) {
      assertTrue(plain.contains("\n" + line + "\n"), line + " in " + plain);
    }
  }

  @Test
  void floatModelAsJson() throws IOException {
    Outcome outcome = Outcome.of("inspect", "--json", at("float.onnx"));
    assertEquals(0, outcome.status(), outcome.err());
    JsonNode json = new ObjectMapper().readTree(outcome.out());
    assertEquals("float model", json.path("what").asText());
    assertEquals(17, json.path("opset").asInt());
    assertEquals("[\"N\",2]", json.path("inputs").path("x").path("shape").toString());
    assertEquals(4, json.path("parameters").path("float32").asInt());
    assertEquals("{\"Erf\":1,\"MatMul\":1}", json.path("operators").toString());
    JsonNode dynamic = json.path("modes").path("dynamic");
    assertEquals(1, dynamic.path("weights").asInt());
    assertEquals("Erf", json.at("/modes/static/float_nodes/0/op").asText());
    assertFalse(json.at("/modes/static/float_nodes/0/reason").asText().isEmpty());
  }

  /** Whoever quantized it, and in whatever form. */
  @Test
  void quantizedModelsAreNamedSoBeforeAnyWork() {
    for (String command : List.of("run", "calibrate", "quantize")) {
      Outcome outcome =
          Outcome.of(
              command,
              "--model",
              at("out/model.onnx"),
              "--output",
              at("again"),
              "--set",
              command.equals("quantize") ? "state=" + at("state.tare") : "data.path=" + at("none"));
      assertEquals(30, outcome.status(), outcome.err());
      assertTrue(
          outcome
              .err()
              .contains("it is quantized already, 2 activations and 1 weights in QDQ form"),
          outcome.err());
    }
  }

  @Test
  void modelAsJson() throws IOException {
    Outcome outcome = Outcome.of("inspect", "--json", at("out/model.onnx"));
    assertEquals(0, outcome.status(), outcome.err());
    JsonNode json = new ObjectMapper().readTree(outcome.out());
    assertEquals("model", json.path("what").asText());
    JsonNode weight = json.path("tensors").path(1);
    assertEquals(
        "{\"name\":\"w_q\",\"kind\":\"weight\",\"form\":\"QDQ\",\"dtype\":\"int8\",\"values\":4,"
            + "\"bytes\":4,\"scale\":{\"count\":2,\"min\":0.03125,\"max\":0.047607422},"
            + "\"zero_point\":{\"count\":2,\"min\":0,\"max\":0},\"axis\":1}",
        weight.toString());
    assertEquals(1, json.path("operators").path("MatMul").path("integer").asInt());
    assertEquals("Erf", json.path("float_nodes").path(0).path("op").asText());
  }

  /** The model's own account wins over what its structure shows. */
  @Test
  void reasonsComeFromTheModel() {
    OnnxModel model = OnnxModel.read(folder.resolve("out/model.onnx"));
    FloatNode node = new FloatNode("Erf", "Erf_1", "an override");
    model.metadata().put(FloatNodeNotes.KEY, FloatNodeNotes.encode(List.of(node)));
    model.write(folder.resolve("told.onnx"));
    Outcome outcome = Outcome.of("inspect", at("told.onnx"));
    assertTrue(
        outcome.out().replaceAll(" +", " ").contains("\nErf Erf_1 an override\n"), outcome.out());
    for (String other : List.of("{", "", "AAAA", "eJw=")) {
      model.metadata().put(FloatNodeNotes.KEY, other);
      model.write(folder.resolve("told.onnx"));
      Outcome broken = Outcome.of("inspect", at("told.onnx"));
      assertEquals(65, broken.status(), other);
      assertTrue(
          broken.err().contains("\"tare.float_nodes\" is not what Tare wrote"), broken.err());
    }
  }

  @Test
  void statesAreStillStates() throws IOException {
    Outcome text = Outcome.of("inspect", at("state.tare"));
    assertTrue(text.out().startsWith("State of 3 rows, model "), text.out() + text.err());
    JsonNode json =
        new ObjectMapper().readTree(Outcome.of("inspect", "--json", at("state.tare")).out());
    assertEquals("state", json.path("what").asText());
    assertEquals(3, json.path("rows").asInt());
    assertEquals(-5, json.path("tensors").path("x").path("min").asDouble());
  }

  @Test
  void statesTellWhereTheyComeFrom() throws IOException {
    String text = Outcome.of("inspect", at("state.tare")).out();
    assertTrue(text.contains("made from"), text);
    assertTrue(text.contains("table of "), text);
    assertFalse(text.contains("\u001b"), text);
    JsonNode source =
        new ObjectMapper()
            .readTree(Outcome.of("inspect", "--json", at("state.tare")).out())
            .path("lineage")
            .path(0);
    assertEquals("table of \u001b[31m rows", source.path("data").asText());
    assertEquals("label=1", source.path("slice").asText());
    assertEquals("[\"image\"]", source.path("columns").toString());
    assertEquals("2026-01-02T03:04:05Z", source.path("when").asText());
    assertEquals("0.1.0", source.path("versions").path("tare").asText());
  }

  /** 4 and 2 on one column make a pair of 127 + 64, at most 255 each: more than 16 bits hold. */
  @Test
  void layersOfOtherIntegersAreNamed() throws IOException {
    Outcome full = quantize("full", "quantize.weight.products=full");
    assertEquals(0, full.status(), full.err());
    assertTrue(
        full.err().contains("On x86 without VNNI the integers of 1 layer differ, first MatMul("),
        full.err());
    String text = Outcome.of("inspect", at("full/model.onnx")).out();
    assertTrue(text.contains("x86 without VNNI"), text);
    JsonNode json =
        new ObjectMapper().readTree(Outcome.of("inspect", "--json", at("full/model.onnx")).out());
    JsonNode layer = json.path("saturation").path(0);
    assertEquals("w_q", layer.path("weight").asText());
    assertEquals("x86_without_vnni", layer.path("where").asText());
    assertTrue(layer.path("largest_pair").asInt() > Short.MAX_VALUE, layer.toString());
    JsonNode portable =
        new ObjectMapper().readTree(Outcome.of("inspect", "--json", at("out/model.onnx")).out());
    assertEquals(0, portable.path("saturation").size());
    assertTrue(portable.has("saturation"));
  }

  @Test
  void whatCannotBeInspectedIsToldInOneLine() {
    for (List<Object> expected :
        List.<List<Object>>of(
            List.of(
                66, at("no.onnx"), "Cannot read file " + at("no.onnx") + ": there is no such file"),
            List.of(
                65,
                at("text"),
                "Cannot inspect "
                    + at("text")
                    + ": it is no calibration state, which begins with the letters TARE, and no"
                    + " ONNX model that can be read (it is not an ONNX model"))) {
      Outcome outcome = Outcome.of("inspect", (String) expected.get(1));
      assertEquals(expected.get(0), outcome.status());
      assertTrue(outcome.err().startsWith("tare: " + expected.get(2)), outcome.err());
      assertEquals(1, outcome.err().lines().count(), outcome.err());
    }
  }

  /** The keys that the table of qparams.json in formats.md has, in that order. */
  @Test
  void qparamsFileHasTheKeysOfItsTable() throws IOException {
    JsonNode qparams =
        new ObjectMapper().readTree(Files.readString(folder.resolve("out/qparams.json")));
    assertEquals(List.of("activations", "weights"), keys(qparams));
    assertEquals(List.of("m", "x"), keys(qparams.path("activations")));
    assertEquals(
        List.of(
            "dtype",
            "scale",
            "zero_point",
            "min",
            "max",
            "method",
            "expected_mse",
            "minmax_mse",
            "shared_by"),
        keys(qparams.path("activations").path("x")));
    assertEquals(List.of("w"), keys(qparams.path("weights")));
    assertEquals(
        "{\"dtype\":\"int8\",\"values\":4,\"bytes\":14,\"axis\":1,\"scale\":[0.03125,0.047607422],\"zero_point\":[0,0]}",
        qparams.path("weights").path("w").toString());
    assertEquals("[\"x\"]", qparams.path("activations").path("x").path("shared_by").toString());
  }

  private static List<String> keys(JsonNode node) {
    List<String> keys = new ArrayList<>();
    node.fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  @Test
  void exportsAreWrittenWhereAsked() throws IOException {
    assertEquals(
        """
        TRT-8601-EntropyCalibration2
        m: 40000000
        x: 3d214285
        """,
        Files.readString(folder.resolve("out/tensorrt/calibration.cache")));
    JsonNode table =
        new ObjectMapper()
            .readTree(Files.readString(folder.resolve("out/onnxruntime/calibration.json")));
    assertEquals(-5, table.path("data").path("x").path("lowest").path("data").asDouble());
    assertTrue(Files.exists(folder.resolve("out/onnxruntime/calibration.flatbuffers")));
    assertEquals(0, quantize("plain").status());
    assertFalse(Files.exists(folder.resolve("plain/tensorrt")));
    Outcome other =
        quantize("trt", "quantize.export=[tensorrt]", "quantize.tensorrt-version=10300");
    assertEquals(0, other.status(), other.err());
    assertTrue(
        Files.readString(folder.resolve("trt/tensorrt/calibration.cache"))
            .startsWith("TRT-10300-EntropyCalibration2\n"));
    assertFalse(Files.exists(folder.resolve("trt/onnxruntime")));
  }

  @Test
  void unknownExportsAreAnError() {
    Outcome format = quantize("o", "quantize.export=tensorflow");
    assertEquals(64, format.status());
    assertTrue(
        format.err().contains("cannot be \"tensorflow\": it is a list of tensorrt and onnxruntime"),
        format.err());
    Outcome version = quantize("o", "quantize.tensorrt-version=8.6");
    assertEquals(64, version.status());
    assertTrue(version.err().contains("A TensorRT version cannot be \"8.6\""), version.err());
    assertFalse(Files.exists(folder.resolve("o")));
  }
}
