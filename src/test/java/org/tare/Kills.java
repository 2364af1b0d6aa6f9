package org.tare;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.tare.store.HadoopFiles;
import org.tare.store.PublishedFolder;

/**
 * Kills the driver of {@code recalibrate} (SIGKILL) at seeded random moments. Each time the
 * deployed output must be whole, the former or the new one, the store must verify, and the next run
 * must succeed. {@code deploy/kills} runs it.
 */
final class Kills {
  private final SparkSession spark;
  private final NightlyFiles files;
  private final Path folder;

  Kills(SparkSession spark, Path folder) throws Exception {
    this.spark = spark;
    this.folder = folder;
    this.files = NightlyFiles.make(spark, Files.createDirectories(folder.resolve("in")));
  }

  /** Arguments: how many moments, the seed, and a new folder to work in. */
  public static void main(String[] args) throws Exception {
    SparkSession spark = LocalSpark.start();
    try {
      TreeMap<String, Integer> found =
          new Kills(spark, Path.of(args[2]))
              .run(Integer.parseInt(args[0]), Long.parseLong(args[1]));
      System.out.println(args[0] + " moments, seed " + args[1] + ": " + found);
    } finally {
      spark.stop();
    }
  }

  /** The driver that is killed. */
  static final class Driver {
    private Driver() {}

    public static void main(String[] args) {
      SparkSession spark = LocalSpark.start();
      System.out.println("begun");
      System.out.flush();
      Recalibration result =
          night(
                  spark,
                  new NightlyFiles(Path.of(args[0])),
                  Path.of(args[1]),
                  Integer.parseInt(args[2]))
              .run();
      System.out.println("ended " + result.outcome().id());
      System.out.flush();
      // Not to wait for the end of Spark.
      Runtime.getRuntime().halt(0);
    }
  }

  /** Each night the data move to the other side of what is deployed, so a model is published. */
  private static Recalibrate night(SparkSession spark, NightlyFiles files, Path folder, int night) {
    String data = night % 2 == 1 ? files.day(1) : files.moved();
    String date = java.time.LocalDate.of(2026, 1, 1).plusDays(night).toString();
    return Tare.on(spark)
        .recalibrate(files.model())
        .data(data)
        .store(folder.resolve("states").toString(), date)
        .window("1d", date)
        .validation(data)
        .output(folder.resolve("deployed").toString());
  }

  /** How often each thing was found after a kill. */
  TreeMap<String, Integer> run(int moments, long seed) throws Exception {
    check(night(spark, files, folder, 1).run().outcome() == Recalibration.Outcome.FIRST, "first");
    long full = killed(2, Long.MAX_VALUE);
    Random random = new Random(seed);
    TreeMap<String, Integer> found = new TreeMap<>();
    for (int moment = 0; moment < moments; moment++) {
      int night = 3 + moment;
      String before = model();
      // A fifth more than the first took, so that some are killed at their end though all get
      // slower.
      long at = (long) (random.nextDouble() * 1.2 * full);
      killed(night, at);
      String state = deployed(before);
      found.merge(state, 1, Integer::sum);
      String named = "moment " + moment + ", " + at + " ms";
      check(
          Tare.on(spark).states(folder.resolve("states").toString()).verify().isEmpty(),
          named + ": the store has faults");
      Recalibration next = night(spark, files, folder, night).run();
      check(
          next.outcome() == Recalibration.Outcome.PUBLISHED
              || next.outcome() == Recalibration.Outcome.DONE_BEFORE,
          named + ": " + next.outcome() + ", " + next.why());
      check(!model().equals(before), named + ": the next run has deployed nothing new");
      System.out.println(named + ": " + state + ", then " + next.outcome().id());
    }
    return found;
  }

  private String deployed(String before) throws Exception {
    Path place = folder.resolve("deployed");
    if (!Files.exists(place)) {
      // Between the two renames of a replacement: the next start puts the former one back.
      return "none, until the next start";
    }
    PublishedFolder.find(new HadoopFiles(new Configuration()), place.toString())
        .orElseThrow(() -> new AssertionError("no _SUCCESS"))
        .check();
    return model().equals(before) ? "the former" : "the new";
  }

  private String model() throws IOException {
    return Arrays.hashCode(Files.readAllBytes(folder.resolve("deployed/model.onnx")))
        + " "
        + new com.fasterxml.jackson.databind.ObjectMapper()
            .readTree(folder.resolve("deployed/result.json").toFile())
            .path("recalibration")
            .path("run_key")
            .asText();
  }

  private static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  /** Starts a driver and kills it after so many milliseconds of work; returns what it worked. */
  private long killed(int night, long after) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(System.getProperty("tare.test.jvm.flags", "").strip().split("\\s+")));
    command.removeIf(String::isEmpty);
    command.addAll(
        List.of(
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            Driver.class.getName(),
            files.folder().toString(),
            folder.toString(),
            Integer.toString(night)));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.redirectError(folder.resolve("driver.log").toFile());
    Process process = builder.start();
    try (BufferedReader lines =
        new BufferedReader(
            new java.io.InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      String line = lines.readLine();
      while (line != null && !line.equals("begun")) {
        line = lines.readLine();
      }
      check(line != null, "the driver did not begin: " + folder.resolve("driver.log"));
      long begun = System.nanoTime();
      boolean ended = process.waitFor(Math.min(after, 600_000), TimeUnit.MILLISECONDS);
      process.destroyForcibly().waitFor();
      check(ended || after < 600_000, "the driver did not end");
      return (System.nanoTime() - begun) / 1_000_000;
    }
  }
}
