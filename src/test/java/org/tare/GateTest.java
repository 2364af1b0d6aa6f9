package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException.Kind;
import org.tare.stats.CalibrationState;

/** The quality gate: what does not meet it is not published, and says why. */
class GateTest {
  private static SparkSession spark;
  private static NightlyFiles files;

  @TempDir static Path shared;
  @TempDir Path folder;

  @BeforeAll
  static void start() throws Exception {
    spark = LocalSpark.start();
    files = NightlyFiles.make(spark, shared);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private String output() {
    return folder.resolve("out").toString();
  }

  private Run run(List<String> said) {
    return Tare.on(spark)
        .withProgress(said::add)
        .run(files.model())
        .data(files.day(1))
        .set("quantize.measure-rows", 0)
        .output(output());
  }

  @Test
  void whatDoesNotMeetTheGateIsNotPublishedAndTheFormerOutputStays() throws Exception {
    List<String> said = new ArrayList<>();
    Run run = run(said).validation(files.day(1)).set("evaluate.min-sqnr", 20);
    assertEquals(List.of(), run.run().unmet());
    String former = Files.readString(folder.resolve("out/result.json"));
    assertTrue(new ObjectMapper().readTree(former).at("/gate/met").asBoolean());

    RunResult held =
        run.overwrite().set("evaluate.min-sqnr", 99).set("evaluate.min-cosine", 1).run();
    assertEquals(2, held.unmet().size());
    assertTrue(held.unmet().get(0).startsWith("Output \"y\": SQNR is "), held.unmet().get(0));
    assertTrue(held.unmet().get(0).endsWith(" dB, evaluate.min-sqnr asks for 99"));
    assertTrue(held.summary().toString().contains("Not met"), held.summary().toString());
    String last = said.get(said.size() - 1);
    assertTrue(last.startsWith("Not published: Output \"y\": SQNR is "), last);
    assertTrue(last.endsWith("out.state.tare and " + output() + ".rejected.json"), last);
    assertEquals(former, Files.readString(folder.resolve("out/result.json")));
    JsonNode rejected = new ObjectMapper().readTree(folder.resolve("out.rejected.json").toFile());
    assertFalse(rejected.at("/gate/met").asBoolean());
    assertEquals(2, rejected.at("/gate/unmet").size());
    byte[] state = Files.readAllBytes(folder.resolve("out.state.tare"));
    assertEquals(held.calibration().orElseThrow().state(), CalibrationState.decode(state, "kept"));

    Evaluation evaluation =
        Tare.on(spark)
            .evaluate(files.model(), folder.resolve("out/model.onnx").toString())
            .data(spark.read().parquet(files.day(1)).selectExpr("*", "int(id % 4) AS label"))
            .label("label")
            .set("evaluate.max-top1-drop", -0.9)
            .output(folder.resolve("evaluation").toString())
            .run();
    assertEquals(1, evaluation.unmet().size());
    assertTrue(evaluation.unmet().get(0).endsWith("evaluate.max-top1-drop allows -0.9"));
    assertEquals(64, evaluation.rows());
    assertFalse(Files.exists(folder.resolve("evaluation")));
  }

  @Test
  void gateWithNothingToHoldAgainstItIsRefusedBeforeAnyWork() {
    Run noRows = run(new ArrayList<>()).set("evaluate.min-sqnr", 20);
    for (Run call : List.of(noRows, run(new ArrayList<>()).set("evaluate.min-cosine", 0))) {
      TareException e = assertThrows(TareException.class, call::run);
      assertEquals(Kind.USAGE, e.kind());
      assertTrue(
          e.getMessage()
              .endsWith("is set, but there are no rows to evaluate on: set validation.path"));
      assertThrows(TareException.class, call::dryRun);
    }
    Run noLabel =
        run(new ArrayList<>()).validation(files.day(1)).set("evaluate.max-top5-drop", 0.1);
    assertEquals(
        "evaluate.max-top5-drop is set, but there are no labels: set validation.label",
        assertThrows(TareException.class, noLabel::run).getMessage());
    assertThrows(
        TareException.class, () -> run(new ArrayList<>()).set("evaluate.min-sqnr", Double.NaN));
    assertFalse(Files.exists(folder.resolve("out")));
  }
}
