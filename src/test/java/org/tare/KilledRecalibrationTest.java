package org.tare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.Recalibration.Outcome;
import org.tare.store.PublishedFolder;

/** A recalibration whose driver dies: what is deployed is whole, and the next run succeeds. */
class KilledRecalibrationTest {
  private static final String KILLABLE = "killable://";

  @TempDir Path folder;
  private static SparkSession spark;

  @BeforeAll
  static void start() {
    spark = LocalSpark.start();
    spark
        .sparkContext()
        .hadoopConfiguration()
        .set("fs.killable.impl", KillableFileSystem.class.getName());
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  /** By SIGKILL, in a process of its own; {@code deploy/kills} does it a hundred times. */
  @Test
  void killedDriverLeavesTheFormerOrTheNewModel() throws Exception {
    assertEquals(
        2, new Kills(spark, folder).run(2, 14).values().stream().mapToInt(Integer::intValue).sum());
  }

  /** Before a step of its file system, which has no atomic moves: all that it does then fails. */
  @Test
  void killedWhereNoMoveIsAtomicTheNextRunFinishes() throws Exception {
    NightlyFiles files = NightlyFiles.make(spark, Files.createDirectories(folder.resolve("in")));
    KillableFileSystem.liveFor(Integer.MAX_VALUE);
    assertEquals(Outcome.FIRST, night(files, files.day(1), 1).run().outcome());
    copy(folder.resolve("at"), folder.resolve("before"));
    byte[] former = Files.readAllBytes(folder.resolve("at/deployed/model.onnx"));
    int begun = KillableFileSystem.steps();
    assertEquals(Outcome.PUBLISHED, night(files, files.moved(), 2).run().outcome());
    int steps = KillableFileSystem.steps() - begun;
    byte[] newer = Files.readAllBytes(folder.resolve("at/deployed/model.onnx"));
    assertTrue(steps > 40, "only " + steps + " steps");
    Random random = new Random(14);
    for (int moment = 0; moment < 5; moment++) {
      delete(folder.resolve("at"));
      copy(folder.resolve("before"), folder.resolve("at"));
      // The last ones are those of publication.
      int step = moment < 2 ? random.nextInt(steps) : steps - 1 - random.nextInt(30);
      KillableFileSystem.liveFor(step);
      assertThrows(Throwable.class, () -> night(files, files.moved(), 2).run());
      KillableFileSystem.liveFor(Integer.MAX_VALUE);
      String named = "killed before step " + step + " of " + steps;
      if (Files.exists(folder.resolve("at/deployed/_SUCCESS"))) {
        PublishedFolder.find(Tare.on(spark).files(), place("deployed")).orElseThrow().check();
        byte[] model = Files.readAllBytes(folder.resolve("at/deployed/model.onnx"));
        assertTrue(
            java.util.Arrays.equals(model, former) || java.util.Arrays.equals(model, newer), named);
      }
      assertEquals(List.of(), Tare.on(spark).states(place("states")).verify(), named);
      endOwners(folder.resolve("at"));
      Outcome next = night(files, files.moved(), 2).run().outcome();
      assertTrue(
          List.of(Outcome.PUBLISHED, Outcome.DONE_BEFORE).contains(next), named + ": " + next);
      assertArrayEquals(newer, Files.readAllBytes(folder.resolve("at/deployed/model.onnx")), named);
    }
  }

  private String place(String name) {
    return KILLABLE + folder.resolve("at").resolve(name);
  }

  private Recalibrate night(NightlyFiles files, String data, int day) {
    return Tare.on(spark)
        .recalibrate(files.model())
        .data(data)
        .store(place("states"), NightlyFiles.date(day))
        .window("1d", NightlyFiles.date(day))
        .validation(files.moved())
        .output(place("deployed"));
  }

  /** The process that was killed here lives on: its files shall be those of one that does not. */
  private static void endOwners(Path root) throws IOException {
    try (Stream<Path> all = Files.walk(root)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        byte[] content = Files.readAllBytes(file);
        String text = new String(content, StandardCharsets.ISO_8859_1);
        if (text.startsWith("tare-owner 1\n")) {
          Files.writeString(
              file,
              text.replaceFirst("\nstarted=[^\n]*\n", "\nstarted=before\n"),
              StandardCharsets.ISO_8859_1);
        }
      }
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> all = Files.walk(from)) {
      for (Path one : all.toList()) {
        Files.copy(one, to.resolve(from.relativize(one).toString()));
      }
    }
  }

  private static void delete(Path root) throws IOException {
    try (Stream<Path> all = Files.walk(root)) {
      for (Path one : all.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(one);
      }
    }
  }
}
