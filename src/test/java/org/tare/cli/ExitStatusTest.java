package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.onnx.TestModel;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/**
 * The table of exit statuses in the documentation: every status of it is seen here, and every kind
 * of failure has its row.
 */
class ExitStatusTest {
  private static final Pattern ROW = Pattern.compile("(?m)^\\| ([0-9]+(?:, [0-9]+)*) \\|");

  @TempDir static Path folder;

  /** What is done, and what it ends with. A status that the documentation gains needs one here. */
  private static final Map<Integer, Ending> ENDINGS =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry(0, () -> command("", quantizeInto("done"))),
              Map.entry(10, ExitStatusTest::drifted),
              Map.entry(20, ExitStatusTest::heldBack),
              Map.entry(30, () -> command("Nothing to quantize", weightOnly("relu.onnx", "none"))),
              Map.entry(64, () -> command("Unknown option: '--modle'", "quantize", "--modle")),
              Map.entry(65, () -> command("it is not an ONNX model", "inspect", at("text.onnx"))),
              Map.entry(66, () -> command("there is no such file", "inspect", at("no.onnx"))),
              Map.entry(70, ExitStatusTest::defect),
              Map.entry(73, () -> command("it exists", quantizeInto("taken"))),
              Map.entry(
                  75, () -> command("does not answer", "inspect", "ftp://127.0.0.1:1/m.onnx")),
              Map.entry(130, () -> killed("INT")),
              Map.entry(143, () -> killed("TERM"))));

  @FunctionalInterface
  private interface Ending {
    int status() throws Exception;
  }

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  @BeforeAll
  static void makeFiles() throws IOException {
    TestModel.opset(17)
        .input("x", -1, 2)
        .constant("w", new long[] {2, 3}, 1, 2, 3, 4, 5, 6)
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 3)
        .write(folder.resolve("tiny.onnx"));
    TestModel.opset(17)
        .input("x", -1, 2)
        .node("Relu", List.of("x"), List.of("y"))
        .output("y", -1, 2)
        .write(folder.resolve("relu.onnx"));
    Files.writeString(folder.resolve("text.onnx"), "not a model at all");
    Files.createDirectory(folder.resolve("taken"));
    Files.writeString(folder.resolve("taken/thesis.txt"), "dear");
  }

  private static String[] quantizeInto(String output) {
    return weightOnly("tiny.onnx", output);
  }

  private static String[] weightOnly(String model, String output) {
    return new String[] {
      "quantize", "--model", at(model), "--mode", "weight-only", "--output", at(output)
    };
  }

  private static int command(String said, String... args) {
    Outcome outcome = Outcome.of(args);
    assertTrue(outcome.err().contains(said), outcome.err());
    assertTrue(outcome.err().lines().count() <= 1, outcome.err());
    return outcome.status();
  }

  private static int drifted() throws IOException {
    for (float value : new float[] {1, 1000}) {
      float[] values = new float[10_000];
      for (int i = 0; i < values.length; i++) {
        values[i] = value * (1 + i % 7);
      }
      TreeMap<String, TensorStats> tensors = new TreeMap<>(Map.of("x", TensorStats.of(values)));
      Files.write(
          folder.resolve(value + ".tare"),
          new CalibrationState("", values.length, tensors).encodeFile());
    }
    return command(
        "",
        "drift",
        "--reference",
        at("1.0.tare"),
        "--current",
        at("1000.0.tare"),
        "--fail-on-drift");
  }

  private static int heldBack() {
    String rows = "SELECT id, array(float(id), float(1)) AS x FROM range(64)";
    Outcome outcome =
        Outcome.of(
            "run",
            "--model",
            at("tiny.onnx"),
            "--query",
            rows,
            "--output",
            at("held"),
            "--set",
            "validation.query=" + rows,
            "--set",
            "evaluate.min-sqnr=200");
    assertEquals(20, outcome.status(), outcome.err());
    assertFalse(Files.exists(folder.resolve("held")), outcome.err());
    return outcome.status();
  }

  /** What nobody foresaw. */
  private static int defect() {
    return reported(new IllegalStateException("a defect"), ": internal error: ");
  }

  private static int reported(Throwable failure, String said) {
    StringWriter line = new StringWriter();
    int status = Failures.report(failure, new PrintWriter(line), false);
    assertTrue(line.toString().contains(said), line.toString());
    assertEquals(1, line.toString().lines().count(), line.toString());
    return status;
  }

  /** The command waits for an answer when the signal comes. */
  private static int killed(String signal) throws Exception {
    try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      silent.setSoTimeout(120_000);
      Process process =
          process("inspect", "ftp://127.0.0.1:" + silent.getLocalPort() + "/model.onnx");
      try (Socket reached = silent.accept()) {
        assertTrue(reached.isConnected());
        assertEquals(
            0,
            new ProcessBuilder("kill", "-" + signal, "" + process.pid())
                .inheritIO()
                .start()
                .waitFor());
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(said.contains("tare: stopped"), said);
        return process.exitValue();
      } finally {
        process.destroyForcibly();
      }
    }
  }

  /**
   * Whether the tests were started in the background by a shell, which lets them ignore SIGINT: so
   * would each process that they start.
   */
  private static boolean ignoresInterrupts() throws IOException {
    Path status = Path.of("/proc/self/status");
    return Files.exists(status)
        && Files.readAllLines(status).stream()
            .filter(line -> line.startsWith("SigIgn:"))
            .anyMatch(line -> (Long.parseUnsignedLong(line.substring(7).strip(), 16) & 2) != 0);
  }

  static Process process(String... args) throws IOException {
    List<String> command = new ArrayList<>();
    if (ignoresInterrupts()) {
      command.addAll(List.of("env", "--default-signal=INT"));
    }
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(System.getProperty("tare.test.jvm.flags").strip().split("\\s+")));
    command.add("-XX:TieredStopAtLevel=1");
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(Tare.class.getName());
    command.addAll(List.of(args));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  @Test
  void everyStatusOfTheDocumentationIsSeen() throws Exception {
    Set<Integer> documented = new TreeSet<>();
    Matcher rows = ROW.matcher(Files.readString(Path.of("src/site/markdown/operations.md")));
    while (rows.find()) {
      for (String status : rows.group(1).split(", ")) {
        documented.add(Integer.parseInt(status));
      }
    }
    assertEquals(ENDINGS.keySet(), documented);
    for (Map.Entry<Integer, Ending> ending : ENDINGS.entrySet()) {
      assertEquals(ending.getKey(), ending.getValue().status());
    }
    for (TareException.Kind kind : TareException.Kind.values()) {
      assertTrue(documented.contains(kind.exitStatus()), kind.toString());
    }
  }

  /** Errors, which Java does not count among exceptions. */
  @Test
  void everyThrowableIsOneLine() {
    assertEquals(70, reported(new StackOverflowError(), "internal error: StackOverflowError"));
    assertEquals(75, reported(new OutOfMemoryError("Java heap space"), "spark.driver.memory"));
    assertEquals(70, reported(new NoSuchMethodError("x"), "internal error: NoSuchMethodError: x"));
    assertEquals(
        64,
        reported(
            new NoClassDefFoundError("org/apache/hadoop/fs/s3a/S3AFileSystem"),
            "the class org.apache.hadoop.fs.s3a.S3AFileSystem is missing"));
    assertEquals(70, reported(new AssertionError(), "internal error: AssertionError"));
    assertEquals(70, reported(new Throwable("two\nlines"), "internal error: Throwable: two"));
  }

  /** Of two commands at once into one new folder, one publishes and the other keeps its result. */
  @Test
  void ofTwoProcessesIntoOneFolderOneWins() throws Exception {
    List<Process> both =
        List.of(process(quantizeInto("contended")), process(quantizeInto("contended")));
    List<Integer> statuses = new ArrayList<>();
    StringBuilder said = new StringBuilder();
    for (Process process : both) {
      said.append(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      statuses.add(process.exitValue());
    }
    assertEquals(List.of(0, 73), statuses.stream().sorted().toList(), said.toString());
    assertTrue(Files.exists(folder.resolve("contended/_SUCCESS")));
    // The loser saw the folder when it began, or when it was about to publish.
    Matcher kept = Pattern.compile("is kept in (\\S+)").matcher(said);
    if (kept.find()) {
      assertTrue(Files.exists(Path.of(kept.group(1), "model.onnx")), said.toString());
    } else {
      assertTrue(said.toString().contains("it exists; give another folder"), said.toString());
    }
    try (var beside = Files.list(folder)) {
      assertFalse(
          beside.anyMatch(path -> path.getFileName().toString().contains(".staging-")),
          said.toString());
    }
  }
}
