package org.tare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.Recalibration.Outcome;
import org.tare.TareException.Kind;
import org.tare.store.Lease;
import org.tare.store.OutputHistory;
import org.tare.store.states.StateStore;

/** A model that is calibrated every night: states of days, windows, and what is deployed. */
class RecalibrateTest {
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

  private Tare tare() {
    return Tare.on(spark);
  }

  private String at(String name) {
    return folder.resolve(name).toString();
  }

  private Calibration calibrate(String data, String slice) {
    return tare().calibrate(files.model()).data(data).store(at("states"), slice).run();
  }

  private Recalibrate recalibrate(String data, int day) {
    return tare()
        .recalibrate(files.model())
        .data(data)
        .store(at("states"), NightlyFiles.date(day))
        .window("2d", NightlyFiles.date(day))
        .set("store.allow-missing", true)
        .validation(files.moved())
        .output(at("deployed"));
  }

  private byte[] deployed() throws Exception {
    return Files.readAllBytes(folder.resolve("deployed/model.onnx"));
  }

  @Test
  void weekOfDaysIsByteForByteOneRunOverTheWeek() {
    String[] paths = new String[7];
    for (int day = 1; day <= 7; day++) {
      paths[day - 1] = files.day(day);
      assertEquals(
          StateStore.Outcome.ADDED,
          calibrate(files.day(day), NightlyFiles.date(day)).stored().orElseThrow().outcome());
    }
    Calibration week = tare().calibrate(files.model()).data(spark.read().parquet(paths)).run();
    States states = tare().states(at("states"));
    assertArrayEquals(
        week.state().encode(), states.window("7d", NightlyFiles.date(7)).state().encode());
    Quantized fromWindow =
        tare()
            .quantize(files.model())
            .store(at("states"))
            .window("7d", NightlyFiles.date(7))
            .set("quantize.activation.method", "percentile")
            .run();
    Quantized fromRun =
        tare()
            .quantize(files.model())
            .state(week.state())
            .set("quantize.activation.method", "percentile")
            .run();
    assertEquals(fromRun.model().digest(), fromWindow.model().digest());
    assertEquals(7, states.list().size());
    assertEquals(1, states.list().stream().map(one -> one.key()).distinct().count());
    assertEquals(List.of(), states.verify());
  }

  @Test
  void sameSliceOfTheSameDataIsNotComputedAgainAndOtherDataAreRefused() throws Exception {
    Calibration first = calibrate(files.day(1), "2026-11-01");
    Calibration again = calibrate(files.day(1), "2026-11-01");
    assertEquals(StateStore.Outcome.SAME, again.stored().orElseThrow().outcome());
    assertEquals(first.state(), again.state());
    assertEquals(0, again.provenance().seconds().get("calibrate"));
    JsonNode json = new ObjectMapper().readTree(again.toJson());
    assertEquals("same", json.at("/store/outcome").asText());
    TareException other =
        assertThrows(TareException.class, () -> calibrate(files.day(2), "2026-11-01"));
    assertEquals(Kind.BAD_INPUT, other.kind());
    assertTrue(
        other.getMessage().contains("these are other data; --replace counts them in its place"),
        other.getMessage());
    // A DataFrame has no fingerprint: its numbers tell.
    Calibrate frame =
        tare()
            .calibrate(files.model())
            .data(
                spark.createDataFrame(
                    spark.read().parquet(files.day(1)).collectAsList(),
                    spark.read().parquet(files.day(1)).schema()))
            .store(at("states"), "2026-11-01");
    assertEquals(StateStore.Outcome.SAME, frame.run().stored().orElseThrow().outcome());
    Calibration replaced =
        tare()
            .calibrate(files.model())
            .data(files.day(2))
            .store(at("states"), "2026-11-01")
            .set("store.replace", true)
            .run();
    assertEquals(StateStore.Outcome.REPLACED, replaced.stored().orElseThrow().outcome());
    // Other settings that decide the numbers are another key.
    tare()
        .calibrate(files.model())
        .data(files.day(1))
        .store(at("states"), "2026-11-01")
        .set("inputs.x.scale", 2)
        .run();
    TareException mixed =
        assertThrows(
            TareException.class, () -> tare().states(at("states")).window("1d", "2026-11-01"));
    assertTrue(mixed.getMessage().contains("states that do not add up"), mixed.getMessage());
  }

  @Test
  void slicesOfADayAreInTheStoreInPlaceOfTheirSum() throws Exception {
    var rows =
        spark
            .read()
            .parquet(files.day(1))
            .selectExpr("*", "CASE WHEN id < 40 THEN 'DE' ELSE 'FR' END AS country");
    Calibrate call =
        tare().calibrate(files.model()).data(rows).by("country").store(at("states"), "2026-11-01");
    Calibration made = call.run();
    assertEquals(
        List.of("country=DE/2026-11-01", "country=FR/2026-11-01"),
        made.storedSlices().stream().map(one -> one.entry().slice().name()).toList());
    assertEquals(2, new ObjectMapper().readTree(made.toJson()).at("/store/slices").size());
    assertArrayEquals(
        calibrate(files.day(1), "other").state().encode(),
        tare().states(at("states")).window("1d", "2026-11-01").state().encode());
    assertTrue(
        call.run().storedSlices().stream()
            .allMatch(one -> one.outcome() == StateStore.Outcome.SAME));
    calibrate(files.day(2), "2026-11-02");
    TareException twice =
        assertThrows(
            TareException.class,
            () ->
                tare()
                    .calibrate(files.model())
                    .data(rows)
                    .by("country")
                    .store(at("states"), "2026-11-02")
                    .run());
    assertTrue(
        twice.getMessage().contains("would count twice, as it holds slice 2026-11-02"),
        twice.getMessage());
    // Values that are days need no other name.
    Calibration days =
        tare()
            .calibrate(files.model())
            .data(rows.selectExpr("*", "'2026-10-07' AS day"))
            .by("day")
            .set("store.path", at("states"))
            .run();
    assertEquals("day=2026-10-07", days.storedSlices().get(0).entry().slice().name());
  }

  @Test
  void storeThatIsYoungerThanTheWindowHasNoGapAndAGapIsRefusedBeforeTheWork() {
    Recalibration first = recalibrate(files.day(1), 3).set("store.allow-missing", false).run();
    assertEquals(Outcome.FIRST, first.outcome(), first.why());
    assertEquals(
        "The window from 2026-11-02 to 2026-11-03 lacks 1 day(s) that the store has no state of:"
            + " 2026-11-02",
        first.warnings().get(0));
    TareException gap =
        assertThrows(
            TareException.class,
            () -> recalibrate(files.day(2), 5).set("store.allow-missing", false).run());
    assertEquals(Kind.MISSING_INPUT, gap.kind());
    assertTrue(
        gap.getMessage().endsWith("no slice of 2026-11-04; --allow-missing goes without"),
        gap.getMessage());
    assertEquals(1, tare().states(at("states")).list().size());
  }

  @Test
  void nightsOfADeployedModel() throws Exception {
    Recalibration first = recalibrate(files.day(1), 1).run();
    assertEquals(Outcome.FIRST, first.outcome(), first.why());
    byte[] original = deployed();
    Recalibration again = recalibrate(files.day(1), 1).run();
    assertEquals(Outcome.DONE_BEFORE, again.outcome());
    assertTrue(again.why().contains(" with: first. "), again.why());
    Recalibration quiet = recalibrate(files.day(2), 2).run();
    assertEquals(Outcome.UNCHANGED, quiet.outcome(), quiet.why());
    assertFalse(quiet.moved());

    Recalibrate moved = recalibrate(files.moved(), 3);
    Recalibration unwanted = moved.metric("sqnr", 500).run();
    assertEquals(Outcome.NOT_BETTER, unwanted.outcome(), unwanted.why());
    assertTrue(unwanted.moved());
    assertTrue(unwanted.why().contains("a margin of 500.000 is asked for"), unwanted.why());
    Recalibration held = moved.metric("sqnr", 0).set("evaluate.min-sqnr", 400).run();
    assertEquals(Outcome.GATE_NOT_MET, held.outcome(), held.why());
    assertEquals(1, held.unmet().size());
    assertEquals(held.unmet(), moved.run().unmet(), "told again by the run that was made before");
    assertArrayEquals(original, deployed());

    Recalibration published = moved.set("evaluate.min-sqnr", 1).run();
    assertEquals(Outcome.PUBLISHED, published.outcome(), published.why());
    byte[] newer = deployed();
    assertFalse(java.util.Arrays.equals(original, newer));
    JsonNode result = new ObjectMapper().readTree(folder.resolve("deployed/result.json").toFile());
    assertEquals("published", result.at("/recalibration/outcome").asText());
    assertTrue(
        result.at("/recalibration/compared/candidate").asDouble()
            > result.at("/recalibration/compared/deployed").asDouble());
    assertEquals(128, result.at("/recalibration/window/rows").asInt(), "two days of 64 rows");
    assertEquals(
        result, new ObjectMapper().readTree(folder.resolve("deployed.history/last.json").toFile()));
    assertEquals(Outcome.DONE_BEFORE, moved.run().outcome());

    Rollback rollback = tare().rollback(at("deployed"));
    assertEquals(1, rollback.versions().size());
    String version = rollback.run();
    assertArrayEquals(original, deployed());
    assertEquals(2, rollback.versions().size(), "the newer one is kept too");
    TareException none = assertThrows(TareException.class, rollback::run);
    assertTrue(none.getMessage().contains("holds no version before it"), none.getMessage());
    rollback.to(rollback.versions().get(1)).run();
    assertArrayEquals(newer, deployed());
    assertEquals(version, rollback.versions().get(0));
    assertEquals(List.of(), tare().states(at("states")).verify());
  }

  @Test
  void rollbackOfWhatWasNeverDeployedLeavesNothingBehind() {
    TareException e =
        assertThrows(TareException.class, () -> tare().rollback(at("mistyped")).run());
    assertEquals(Kind.MISSING_INPUT, e.kind());
    assertTrue(e.getMessage().contains("holds no version before it"), e.getMessage());
    assertTrue(Files.notExists(folder.resolve("mistyped.history")));
  }

  @Test
  void whatWasPublishedByAKilledRunIsNotMadeAgain() throws Exception {
    recalibrate(files.day(1), 1).run();
    byte[] before = Files.readAllBytes(folder.resolve("deployed/result.json"));
    // Killed before it could write down what came of it.
    try (var records = Files.list(folder.resolve("deployed.history/runs"))) {
      for (Path record : records.toList()) {
        Files.delete(record);
      }
    }
    assertEquals(Outcome.DONE_BEFORE, recalibrate(files.day(1), 1).run().outcome());
    assertArrayEquals(before, Files.readAllBytes(folder.resolve("deployed/result.json")));
    assertEquals(Outcome.DONE_BEFORE, recalibrate(files.day(1), 1).run().outcome());
  }

  @Test
  void ofTwoAtOnceOneDoesIt() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      Callable<Recalibration> run = () -> recalibrate(files.day(1), 1).run();
      List<Outcome> outcomes = new ArrayList<>();
      for (Future<Recalibration> one : threads.invokeAll(List.of(run, run))) {
        outcomes.add(one.get().outcome());
      }
      assertTrue(outcomes.remove(Outcome.FIRST), outcomes.toString());
      // A second one that starts when the first is through finds it done.
      assertTrue(
          List.of(Outcome.BUSY, Outcome.DONE_BEFORE).contains(outcomes.get(0)),
          outcomes.toString());
    } finally {
      threads.shutdown();
    }
    try (Lease lease =
        OutputHistory.of(tare().files(), at("deployed"))
            .lease(Duration.ofMinutes(1))
            .orElseThrow()) {
      Recalibration busy = recalibrate(files.moved(), 2).run();
      assertEquals(Outcome.BUSY, busy.outcome());
      assertTrue(busy.why().contains("holds the lease in "), busy.why());
      TareException e =
          assertThrows(TareException.class, () -> tare().rollback(at("deployed")).run());
      assertEquals(Kind.TRY_AGAIN, e.kind());
      assertTrue(lease.isHeld());
    }
  }

  @Test
  void othersAreToldAndAWebhookThatFailsFailsNothing() throws Exception {
    List<String> bodies = new ArrayList<>();
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext(
        "/",
        exchange -> {
          bodies.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
          exchange.sendResponseHeaders(500, -1);
          exchange.close();
        });
    server.start();
    try {
      String url = "http://127.0.0.1:" + server.getAddress().getPort() + "/hook";
      List<String> said = new ArrayList<>();
      Recalibrate call =
          tare()
              .withProgress(said::add)
              .recalibrate(files.model())
              .settings(recalibrate(files.day(1), 1).settings())
              .set("notify.url", url)
              .set("notify.openlineage", at("event.json"));
      assertEquals(Outcome.FIRST, call.run().outcome());
      assertEquals(
          "first",
          new ObjectMapper().readTree(bodies.get(0)).at("/recalibration/outcome").asText());
      assertTrue(
          said.contains("Nobody was told: notify.url: it answered with status 500"),
          said.toString());
      JsonNode event = new ObjectMapper().readTree(folder.resolve("event.json").toFile());
      assertEquals("COMPLETE", event.path("eventType").asText());
      assertEquals(2, event.path("inputs").size());
      assertFalse(
          Files.readString(folder.resolve("deployed/result.json")).contains("/hook"),
          "a webhook may be a secret");
      TareException e =
          assertThrows(TareException.class, () -> call.set("data.path", at("nowhere")).run());
      assertEquals(Kind.MISSING_INPUT, e.kind(), e.getMessage());
      assertTrue(bodies.get(1).contains("\"failed\""), bodies.get(1));
      event = new ObjectMapper().readTree(folder.resolve("event.json").toFile());
      assertEquals("FAIL", event.path("eventType").asText());
    } finally {
      server.stop(0);
    }
  }

  @Test
  void whatIsMissingIsToldBeforeAnyWork() {
    Recalibrate call = recalibrate(files.day(1), 1);
    for (String key : List.of("store.as-of", "store.window", "store.path", "output")) {
      TareException e =
          assertThrows(
              TareException.class,
              () -> tare().recalibrate("").settings(call.settings()).set(key, "").run());
      assertEquals(Kind.USAGE, e.kind(), e.getMessage());
      assertTrue(e.getMessage().contains(key), e.getMessage());
    }
    TareException e = assertThrows(TareException.class, () -> call.metric("top1", 0).run());
    assertTrue(e.getMessage().contains("recalibrate.metric is top1, but there are no labels"));
    assertFalse(Files.exists(folder.resolve("states")));
    assertFalse(Files.exists(folder.resolve("deployed")));
    assertEquals(Optional.empty(), tare().states(at("states")).list().stream().findFirst());
  }
}
