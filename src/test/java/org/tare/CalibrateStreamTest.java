package org.tare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException.Kind;
import org.tare.stats.CalibrationState;
import org.tare.store.states.StateStore;
import org.tare.streams.CalibrateStream;
import org.tare.streams.StreamResult;

/** Files that keep coming into a folder: each batch of them is in the store, once. */
class CalibrateStreamTest {
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

  private String at(String name) {
    return folder.resolve(name).toString();
  }

  /** The files of a day come in. */
  private void arrives(String day) throws IOException {
    Files.createDirectories(folder.resolve("rows"));
    try (Stream<Path> all = Files.list(Path.of(day))) {
      for (Path file : all.filter(one -> one.toString().endsWith(".parquet")).toList()) {
        Files.copy(file, folder.resolve("rows").resolve(file.getFileName()));
      }
    }
  }

  private CalibrateStream stream() {
    return CalibrateStream.on(spark, files.model())
        .rows(at("rows"))
        .set("data.options.maxFilesPerTrigger", "2")
        .store(at("states"))
        .name("clicks");
  }

  private CalibrationState sumOfStore() {
    States states = Tare.on(spark).states(at("states"));
    List<CalibrationState> all = new ArrayList<>();
    states.list().forEach(entry -> all.add(states.read(entry).ofSlice("")));
    return all.stream().reduce(CalibrationState::merge).orElseThrow();
  }

  private CalibrationState ofOneRun() {
    return Tare.on(spark).calibrate(files.model()).data(at("rows")).run().state();
  }

  private static List<StateStore.Outcome> outcomes(StreamResult result) {
    return result.batches().stream()
        .flatMap(batch -> batch.added().stream())
        .map(StateStore.Added::outcome)
        .toList();
  }

  @Test
  void statesOfTheBatchesAddUpToThatOfOneRun() throws Exception {
    for (int day = 1; day <= 5; day++) {
      arrives(files.day(day));
    }
    StreamResult first = stream().run();
    assertEquals(3, first.batches().size());
    assertEquals(5 * 64, first.rows());
    assertArrayEquals(ofOneRun().encode(), sumOfStore().encode());
    assertEquals(0, stream().run().batches().size());
    arrives(files.moved());
    StreamResult next = stream().run();
    assertEquals(List.of(StateStore.Outcome.ADDED), outcomes(next));
    assertEquals(3, next.batches().get(0).id());
    assertArrayEquals(ofOneRun().encode(), sumOfStore().encode());
    // The same rows again, in another file, are other data.
    try (Stream<Path> all = Files.list(Path.of(files.moved()))) {
      Files.copy(
          all.filter(one -> one.toString().endsWith(".parquet")).findFirst().orElseThrow(),
          folder.resolve("rows/again.parquet"));
    }
    assertEquals(List.of(StateStore.Outcome.ADDED), outcomes(stream().run()));
    assertEquals(7 * 64, sumOfStore().rows());
    String name = next.batches().get(0).added().get(0).entry().slice().name();
    assertTrue(name.matches("clicks/\\d{4}-\\d\\d-\\d\\d/batch-000003"), name);
    assertTrue(next.toJson().contains("\"outcome\" : \"added\""), next.toJson());
    assertEquals(
        "clicks: 64 rows in 1 batch(es)", next.summary().get(0).value(), "what people read");
  }

  @Test
  void batchThatComesAgainCountsOnce() throws Exception {
    arrives(files.day(1));
    arrives(files.day(2));
    arrives(files.moved());
    stream().run();
    // What a crash between the store and Spark's checkpoint leaves.
    Path commits = folder.resolve("states.checkpoints/clicks/commits");
    Files.delete(commits.resolve("1"));
    Files.deleteIfExists(commits.resolve(".1.crc"));
    StreamResult again = stream().run();
    assertEquals(List.of(StateStore.Outcome.SAME), outcomes(again));
    assertEquals(1, again.batches().get(0).id());
    assertEquals(2, Tare.on(spark).states(at("states")).list().size());
    assertArrayEquals(ofOneRun().encode(), sumOfStore().encode());
    assertEquals(
        "clicks: 64 rows in 1 batch(es), 1 of which the store had", again.summary().get(0).value());
  }

  @Test
  void lostCheckpointCountsNothingTwice() throws Exception {
    arrives(files.day(1));
    stream().run();
    StreamResult again = stream().checkpoint(at("new")).run();
    assertEquals(List.of(StateStore.Outcome.SAME), outcomes(again));
    arrives(files.day(2));
    TareException other =
        assertThrows(TareException.class, () -> stream().checkpoint(at("newer")).run());
    assertEquals(Kind.BAD_INPUT, other.kind());
    assertTrue(
        other.getMessage().contains("Batch 0 of a stream clicks was counted with other rows"),
        other.getMessage());
    assertEquals(1, Tare.on(spark).states(at("states")).list().size());
  }

  @Test
  void aDamagedCheckpointIsNamedAndTheStreamCanBeReadAnew() throws Exception {
    arrives(files.day(1));
    stream().run();
    Path checkpoint = folder.resolve("states.checkpoints/clicks");
    for (String file : List.of("metadata", "offsets/0", "commits/0", "sources/0/0")) {
      Path damaged = checkpoint.resolve(file);
      byte[] whole = Files.readAllBytes(damaged);
      Files.deleteIfExists(damaged.resolveSibling("." + damaged.getFileName() + ".crc"));
      for (byte[] content : List.of(new byte[0], Arrays.copyOf(whole, whole.length / 2))) {
        Files.write(damaged, content);
        assertNamesTheCheckpoint(checkpoint, Kind.BAD_INPUT, "is damaged (");
      }
      if (file.equals("sources/0/0")) {
        Files.delete(damaged);
        assertNamesTheCheckpoint(checkpoint, Kind.BAD_INPUT, "is damaged (");
      }
      Files.write(damaged, whole);
    }
    Path commit = checkpoint.resolve("commits/0");
    byte[] committed = Files.readAllBytes(commit);
    Files.delete(commit);
    Files.createDirectory(commit);
    assertNamesTheCheckpoint(checkpoint, Kind.TRY_AGAIN, "is written by another stream too; ");
    Files.delete(commit);
    Files.write(commit, committed);
    Files.move(checkpoint, folder.resolve("moved away"));
    Files.writeString(checkpoint, "a file");
    assertNamesTheCheckpoint(checkpoint, Kind.CANNOT_WRITE, "cannot be read or written: ");
    Files.delete(checkpoint);
    assertEquals(List.of(StateStore.Outcome.SAME), outcomes(stream().run()));
  }

  private void assertNamesTheCheckpoint(Path checkpoint, Kind kind, String trouble) {
    TareException e = assertThrows(TareException.class, () -> stream().run());
    String begin = "Cannot (start|calibrate on) the stream clicks: its checkpoint ";
    assertTrue(
        e.getMessage().matches("(?s)" + begin + Pattern.quote(checkpoint + " " + trouble) + ".*"),
        e.getMessage());
    assertEquals(kind, e.kind(), e.getMessage());
  }

  @Test
  void batchesThatWereCompactedCountOnceToo() throws Exception {
    for (int day = 1; day <= 3; day++) {
      arrives(files.day(day));
    }
    stream().run();
    States states = Tare.on(spark).states(at("states"));
    String today = java.time.LocalDate.now(java.time.ZoneOffset.UTC).toString();
    states.compact(states.key(""), org.tare.store.states.Window.Days.of("2d", today));
    states.expire("2020-01-01");
    assertEquals(1, states.list().size());
    Path commits = folder.resolve("states.checkpoints/clicks/commits");
    Files.delete(commits.resolve("1"));
    Files.deleteIfExists(commits.resolve(".1.crc"));
    assertEquals(List.of(StateStore.Outcome.SAME), outcomes(stream().run()));
    assertArrayEquals(ofOneRun().encode(), sumOfStore().encode());
  }

  @Test
  void slicesOfBatchesAreOfTheDaysThatTheirValuesName() throws Exception {
    arrives(files.day(1));
    var days =
        spark
            .readStream()
            .schema(spark.read().parquet(files.day(1)).schema())
            .parquet(at("rows"))
            .withColumn(
                "day",
                functions.when(functions.col("id").lt(20), "2026-11-24").otherwise("2026-11-25"));
    StreamResult made = stream().rows(days).by("day").run();
    assertEquals(
        List.of("clicks/batch-000000/day=2026-11-24", "clicks/batch-000000/day=2026-11-25"),
        made.batches().get(0).added().stream().map(one -> one.entry().slice().name()).toList());
    assertEquals(44, Tare.on(spark).states(at("states")).window("1d", "2026-11-25").state().rows());
    assertArrayEquals(ofOneRun().encode(), sumOfStore().encode());
  }

  @Test
  void streamThatGoesOnTakesWhatComes() throws Exception {
    arrives(files.day(1));
    StreamingQuery query = stream().every("100 milliseconds").start();
    try {
      query.processAllAvailable();
      arrives(files.day(2));
      query.processAllAvailable();
    } finally {
      query.stop();
    }
    assertArrayEquals(ofOneRun().encode(), sumOfStore().encode());
    assertEquals(2, Tare.on(spark).states(at("states")).list().size());
  }

  @Test
  void queryChoosesFromTheStream() throws Exception {
    arrives(files.day(1));
    StreamResult made = stream().set("data.query", "SELECT x FROM stream WHERE id < 10").run();
    assertEquals(10, made.rows());
  }

  @Test
  void whatAStreamCannotBeIsSaid() throws Exception {
    arrives(files.day(1));
    assertMessage(
        "output is out, but a stream writes no output: its states go into the store",
        stream().set("output", "out"));
    assertMessage("of a stream nobody knows how many rows", stream().set("data.sample", 100));
    assertMessage("its rows are no stream", stream().rows(spark.read().parquet(at("rows"))));
    assertMessage("stream.name (set by the caller) cannot be \"..\"", stream().name(".."));
    assertMessage(
        "spark.jars.packages, as org.apache.spark:spark-sql-kafka-0-10_2.13:" + spark.version(),
        stream()
            .set("data.format", "kafka")
            .set("data.path", "")
            .set("data.options.subscribe", "clicks")
            .set("data.options.kafka.bootstrap.servers", "127.0.0.1:9092"));
    assertMessage("Cannot read the stream clicks", stream().rows(at("nothing")));
    for (String interval : List.of("soon", "-1 minute", "1 fortnight")) {
      String said = "stream.every (--every) cannot be \"" + interval + "\": it is an interval of 0";
      assertMessage(said, stream().every(interval));
      assertEquals(
          Kind.USAGE, assertThrows(TareException.class, stream().every(interval)::run).kind());
    }
    assertMessage("is to come from column", stream().set("inputs.x.column", "other"));
  }

  private static void assertMessage(String part, CalibrateStream stream) {
    TareException failure = assertThrows(TareException.class, stream::run);
    assertTrue(failure.getMessage().contains(part), failure.getMessage());
    assertTrue(failure.kind() != Kind.INTERNAL, failure.kind() + ": " + failure.getMessage());
  }
}
