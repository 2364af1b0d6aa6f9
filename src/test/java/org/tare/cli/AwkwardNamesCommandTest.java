package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.TestModel;
import org.tare.stats.CalibrationState;

/** Names that Spark, Hadoop, a shell or a terminal would read something into. */
class AwkwardNamesCommandTest {
  private static final String NAME = "a ?[b]{c,d}*%41#'";

  /** What the name would match if it were a pattern. */
  private static final String OTHER = "a Xbc1%41#'";

  @TempDir Path folder;

  private String at(String name) {
    return folder.resolve(name).toString();
  }

  private static String ok(String... args) {
    Outcome outcome = Outcome.of(args);
    assertEquals(0, outcome.status(), outcome.err());
    return outcome.out();
  }

  @Test
  void modelDataOutputAndStateAreWhatTheirNamesSay() throws IOException {
    for (String name : List.of(NAME, OTHER)) {
      boolean isMeant = name.equals(NAME);
      TestModel.opset(17)
          .input("x", -1, 2)
          .constant("w", new long[] {2, 3}, 1, 2, 3, 4, 5, isMeant ? 6 : 7)
          .node("MatMul", List.of("x", "w"), List.of("y"))
          .output("y", -1, 3)
          .write(folder.resolve(name + ".onnx"));
    }
    Files.writeString(folder.resolve(NAME + ".json"), "{\"x\": [0.5, -1]}\n".repeat(5));
    Files.writeString(folder.resolve(OTHER + ".json"), "{\"x\": [7.5, -9]}\n".repeat(70));
    Files.createDirectories(folder.resolve(OTHER));
    ok(
        "run",
        "--model",
        at(NAME + ".onnx"),
        "--data",
        at(NAME + ".json"),
        "--validation",
        at(NAME + ".json"),
        "--set",
        "data.format=json",
        "--set",
        "validation.format=json",
        "--output",
        at(NAME));
    JsonNode result =
        new ObjectMapper().readTree(Files.readAllBytes(folder.resolve(NAME + "/result.json")));
    assertEquals(5, result.path("calibration").path("rows").asLong());
    assertEquals(5, result.path("evaluation").path("rows").asLong());
    assertFalse(Files.exists(folder.resolve(OTHER + "/result.json")));

    String state = at(NAME + "/state.tare");
    ok("merge", state, state, "--allow-duplicates", "--output", at(NAME + "/../" + NAME + ".tare"));
    CalibrationState twice =
        CalibrationState.decode(Files.readAllBytes(folder.resolve(NAME + ".tare")), "state");
    assertEquals(10, twice.rows());
    ok(
        "quantize",
        "--model",
        at(NAME + ".onnx"),
        "--state",
        at(NAME + ".tare"),
        "--output",
        at(NAME + " again"));
    assertTrue(ok("inspect", at(NAME + " again/model.onnx")).contains("MatMul"));
  }
}
