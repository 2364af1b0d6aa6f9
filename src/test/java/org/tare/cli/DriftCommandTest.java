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
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.TestModel;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/** The command drift: states, tables and columns, what it writes and how it ends. */
class DriftCommandTest {
  private static final int ROWS = 4000;

  @TempDir static Path folder;

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  private static float[] normal(int seed, double shift) {
    Random random = new Random(seed);
    float[] values = new float[ROWS];
    for (int i = 0; i < ROWS; i++) {
      values[i] = (float) (random.nextGaussian() + shift);
    }
    return values;
  }

  private static void state(String name, String digest, double x, double y) throws IOException {
    TreeMap<String, TensorStats> tensors = new TreeMap<>();
    tensors.put("x", TensorStats.of(normal(1, x)));
    tensors.put("y<b>", TensorStats.of(normal(2, y)));
    Files.write(folder.resolve(name), new CalibrationState(digest, ROWS, tensors).encodeFile());
  }

  @BeforeAll
  static void makeFiles() throws IOException {
    state("then.tare", "ab", 0, 0);
    state("same.tare", "ab", 0, 0.02);
    state("little.tare", "ab", 0, 0.3);
    state("moved.tare", "ab", 0.3, 1);
    state("other.tare", "cd", 0, 0);
    Files.writeString(
        folder.resolve("qparams.json"),
        "{\"activations\": {\"x\": {\"dtype\": \"uint8\", \"scale\": 0.02, \"zero_point\": 128,"
            + " \"shared_by\": [\"z\"]}}}");
    Files.writeString(folder.resolve("wrong.json"), "{\"activations\": {\"x\": {\"scale\": 0}}}");
    Files.writeString(folder.resolve("empty.json"), "{}");
    TestModel.opset(17)
        .input("x", -1, 2)
        .constant("w", new long[] {2, 3}, 1, 2, 3, 4, 5, 6)
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 3)
        .write(folder.resolve("tiny.onnx"));
    StructType schema =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("x", DataTypes.createArrayType(DataTypes.FloatType));
    TestTables.write(
        spark -> {
          spark.createDataFrame(rows(3, 0), schema).coalesce(1).write().parquet(at("today"));
          spark.createDataFrame(rows(4, 0), schema).coalesce(1).write().parquet(at("next"));
          spark.createDataFrame(rows(5, 1), schema).coalesce(1).write().parquet(at("bright"));
        });
  }

  private static List<Row> rows(int seed, double shift) {
    float[] values = normal(seed, shift);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i += 2) {
      rows.add(RowFactory.create((long) i, List.of(values[i], values[i + 1])));
    }
    return rows;
  }

  private static Outcome drift(String reference, String current, String... more) {
    List<String> args =
        new ArrayList<>(List.of("drift", "--reference", at(reference), "--current", at(current)));
    args.addAll(Arrays.asList(more));
    return Outcome.of(args.toArray(new String[0]));
  }

  @Test
  void statesAreComparedWithoutSpark() {
    Outcome moved = drift("then.tare", "moved.tare");
    assertEquals(0, moved.status(), moved.err());
    assertTrue(moved.out().contains("y<b>    moved           1.0"), moved.out());
    assertTrue(moved.out().contains("x       moved a little  0.3"), moved.out());
    assertTrue(
        moved
            .out()
            .contains("Verdict                    moved: 1 moved, 1 moved a little, 0 stable"),
        moved.out());
    assertFalse(moved.err().contains("Spark"), moved.err());
    Outcome same = drift("then.tare", "same.tare");
    assertTrue(same.out().contains("stable: 0 moved, 0 moved a little, 2 stable"), same.out());
  }

  /** Only what moved is a reason to fail, and only where it was asked. */
  @Test
  void theExitStatusIsTenWhereSomethingMoved() {
    assertEquals(10, drift("then.tare", "moved.tare", "--fail-on-drift").status());
    assertEquals(10, drift("then.tare", "moved.tare", "--fail-on-drift", "--json").status());
    assertEquals(0, drift("then.tare", "little.tare", "--fail-on-drift").status());
    assertEquals(0, drift("then.tare", "same.tare", "--fail-on-drift").status());
    assertEquals(
        10,
        drift("then.tare", "little.tare", "--fail-on-drift", "--set", "drift.fail.effect=0.25")
            .status());
  }

  @Test
  void theFolderHoldsStatePageAndFigures() throws IOException {
    Outcome outcome =
        drift(
            "then.tare",
            "moved.tare",
            "--quantized",
            at("qparams.json"),
            "--output",
            at("out"),
            "--fail-on-drift");
    assertEquals(10, outcome.status(), outcome.err());
    assertArrayEquals(
        Files.readAllBytes(folder.resolve("moved.tare")),
        Files.readAllBytes(folder.resolve("out/state.tare")));
    assertTrue(Files.exists(folder.resolve("out/_SUCCESS")));
    JsonNode drift =
        new ObjectMapper().readTree(folder.resolve("out/result.json").toFile()).get("drift");
    assertEquals("moved", drift.get("verdict").asText());
    assertEquals(ROWS, drift.get("reference").get("rows").asInt());
    JsonNode first = drift.get("tensors").get(0);
    assertEquals("y<b>", first.get("tensor").asText());
    assertEquals(1, first.get("effect").asDouble(), 0.1);
    assertEquals(1, first.get("wasserstein").asDouble(), 0.01);
    assertFalse(first.has("deployed"));
    JsonNode second = drift.get("tensors").get(1);
    assertEquals("moved-a-little", second.get("verdict").asText());
    assertEquals(0.02, second.get("deployed").get("scale").asDouble(), 1e-9);
    double before = second.get("deployed").get("reference").get("clipped_share").asDouble();
    double now = second.get("deployed").get("current").get("clipped_share").asDouble();
    assertTrue(before < now && now < 0.05, before + " " + now);
    assertTrue(second.get("reasons").size() >= 1);
    String page = Files.readString(folder.resolve("out/report.html"));
    assertFalse(page.contains("y<b>"), "names are escaped");
    assertEquals(3, page.split("<svg", -1).length);
    assertEquals(2, page.split("class=\"kept\"", -1).length, "one range is deployed");
    assertTrue(page.indexOf("y&lt;b&gt;") < page.indexOf("<code>x</code>"), "gravest first");
  }

  @Test
  void whatCannotBeComparedIsSaid() {
    refused(65, "of different models: ab and cd", drift("then.tare", "other.tare"));
    refused(66, "no-such", drift("no-such", "then.tare"));
    refused(66, "no-such", drift("then.tare", "no-such"));
    refused(64, "Missing what to compare", Outcome.of("drift", "--reference", at("then.tare")));
    refused(64, "Missing drift.reference", Outcome.of("drift", "--current", at("then.tare")));
    refused(
        64,
        "drift.fail.effect (default) cannot be \"0.5\": it is at least drift.warn.effect, which is"
            + " 0.6",
        drift("then.tare", "same.tare", "--set", "drift.warn.effect=0.6"));
    refused(
        64,
        "drift.warn.clipped (--set drift.warn.clipped=0) cannot be \"0.0\": it is a number above 0",
        drift("then.tare", "same.tare", "--set", "drift.warn.clipped=0"));
    refused(
        65,
        "no activation in it has a scale",
        drift("then.tare", "same.tare", "--quantized", at("empty.json")));
    refused(65, "no activation", drift("then.tare", "same.tare", "--quantized", at("tiny.onnx")));
    refused(
        65,
        "Cannot read qparams",
        drift("then.tare", "same.tare", "--quantized", at("wrong.json")));
  }

  private static void refused(int status, String message, Outcome outcome) {
    assertEquals(status, outcome.status(), outcome.err());
    assertTrue(outcome.err().contains(message), outcome.err());
    assertFalse(outcome.err().contains("at org."), outcome.err());
  }

  @Test
  void columnsOfATableAreComparedWithAStateOfColumns() {
    Outcome observed =
        Outcome.of("observe", at("today"), "--column", "x", "--output", at("columns"));
    assertEquals(0, observed.status(), observed.err());
    Outcome same = drift("columns/state.tare", "next", "--fail-on-drift");
    assertEquals(0, same.status(), same.err() + same.out());
    assertTrue(same.out().contains("Compared                   2,000 rows with 2,000"), same.out());
    Outcome moved = drift("columns/state.tare", "bright", "--fail-on-drift");
    assertEquals(10, moved.status(), moved.err());
    assertTrue(moved.out().contains("x       moved    1."), moved.out());
  }

  @Test
  void rowsAreObservedByTheModelOrItsInputsAlone() {
    String model = at("tiny.onnx");
    Outcome calibrated =
        Outcome.of(
            "calibrate", "--model", model, "--data", at("today"), "--output", at("calibrated"));
    assertEquals(0, calibrated.status(), calibrated.err());
    Outcome all = drift("calibrated/state.tare", "bright", "--model", model, "--fail-on-drift");
    assertEquals(10, all.status(), all.err());
    Outcome inputs =
        drift(
            "calibrated/state.tare",
            "bright",
            "--model",
            model,
            "--inputs-only",
            "--fail-on-drift");
    assertEquals(10, inputs.status(), inputs.err());
    assertTrue(inputs.out().contains("2,000 of the reference, 1 tensors"), inputs.out());
    assertFalse(inputs.err().contains("alone and were not compared"), inputs.err());
    refused(64, "Missing model", drift("calibrated/state.tare", "bright"));
    refused(
        65,
        "Cannot compare: the reference was made with another model (SHA-256 ab, tiny.onnx has ",
        drift("then.tare", "bright", "--model", model));
  }
}
