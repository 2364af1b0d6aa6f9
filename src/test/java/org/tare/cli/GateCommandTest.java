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
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.stats.CalibrationState;

/** The quality gate: what does not meet it is not published, and says why. */
class GateCommandTest {
  @TempDir static Path folder;
  private static CommandFiles files;

  @BeforeAll
  static void makeFiles() throws IOException {
    files = CommandFiles.make(folder);
  }

  private static Outcome run(String output, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "run",
                "--model",
                files.at("tiny.onnx"),
                "--data",
                files.at("floats"),
                "--output",
                files.at(output)));
    args.addAll(Arrays.asList(more));
    return Outcome.of(args.toArray(String[]::new));
  }

  private static Outcome withValidation(String output, String... more) {
    List<String> args = new ArrayList<>(List.of("--validation", files.at("floats")));
    args.addAll(Arrays.asList(more));
    return run(output, args.toArray(String[]::new));
  }

  @Test
  void whatDoesNotMeetTheGateIsNotPublishedAndTheFormerOutputStays() throws IOException {
    assertEquals(0, withValidation("gated", "--set", "evaluate.min-sqnr=20").status());
    byte[] former = Files.readAllBytes(folder.resolve("gated/result.json"));
    assertTrue(new ObjectMapper().readTree(former).at("/gate/met").asBoolean());
    Outcome outcome =
        withValidation(
            "gated",
            "--overwrite",
            "--set",
            "evaluate.min-sqnr=99",
            "--set",
            "evaluate.min-cosine=1");
    assertEquals(20, outcome.status(), outcome.err());
    assertTrue(outcome.err().contains("Not published: Output \"y\": SQNR is "), outcome.err());
    assertTrue(
        outcome.err().contains("evaluate.min-sqnr asks for 99; Output \"y\": cosine is "),
        outcome.err());
    assertTrue(outcome.out().contains("Not met"), outcome.out());
    assertFalse(outcome.out().contains("\nOutput "), outcome.out());
    assertEquals(
        new String(former, java.nio.charset.StandardCharsets.UTF_8),
        Files.readString(folder.resolve("gated/result.json")));
    JsonNode rejected = new ObjectMapper().readTree(folder.resolve("gated.rejected.json").toFile());
    assertFalse(rejected.at("/gate/met").asBoolean());
    assertEquals(2, rejected.at("/gate/unmet").size());
    assertEquals(
        2,
        CalibrationState.decode(Files.readAllBytes(folder.resolve("gated.state.tare")), "kept")
            .rows());
  }

  @Test
  void gateWithNothingToHoldAgainstItIsRefusedBeforeAnyWork() {
    Outcome noRows = run("none", "--set", "evaluate.min-sqnr=20");
    assertEquals(64, noRows.status());
    assertEquals(
        "tare: evaluate.min-sqnr is set, but there are no rows to evaluate on: set validation.path",
        noRows.err().strip());
    Outcome noLabel = withValidation("none", "--set", "evaluate.max-top5-drop=0.1");
    assertEquals(64, noLabel.status());
    assertEquals(
        "tare: evaluate.max-top5-drop is set, but there are no labels: set validation.label",
        noLabel.err().strip());
    Outcome nan = withValidation("none", "--set", "evaluate.min-sqnr=NaN");
    assertEquals(64, nan.status(), nan.err());
    assertFalse(Files.exists(folder.resolve("none")));
  }

  @Test
  void evaluationPrintsItsFiguresAndEndsWithTheStatus() {
    assertEquals(0, withValidation("plain").status());
    Outcome outcome =
        Outcome.of(
            "evaluate",
            "--model",
            files.at("tiny.onnx"),
            "--quantized",
            files.at("plain/model.onnx"),
            "--validation",
            files.at("floats"),
            "--label",
            "id",
            "--json",
            "--set",
            "evaluate.max-top1-drop=-0.5");
    assertEquals(20, outcome.status(), outcome.err());
    assertTrue(outcome.out().contains("evaluate.max-top1-drop allows -0.5"), outcome.out());
    assertTrue(outcome.out().contains("\"sqnr_db\""), outcome.out());
  }
}
