package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.TestModel;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/**
 * What is decided when a process starts: its locale, its temporary folder, and how much it may
 * write to a file, beyond which the system refuses as a full disk does.
 */
class OwnProcessTest {
  private static final int KILOBYTES = 4; // that no file here passes but those meant
  private static final int NO_LIMIT = 0;

  @TempDir Path folder;

  /** How a command ended, and what stands in its temporary folder afterwards. */
  private record Ended(int status, String said, Set<String> left) {}

  private Ended command(int kilobytes, String... args) throws Exception {
    Path temporary = Files.createDirectories(folder.resolve("tmp"));
    List<String> command = new ArrayList<>();
    String limit = kilobytes == NO_LIMIT ? "" : "ulimit -f " + kilobytes + "; ";
    command.addAll(List.of("bash", "-c", limit + "exec \"$@\"", "bash"));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(System.getProperty("tare.test.jvm.flags").strip().split("\\s+")));
    // The JVM's own file of counters would meet the limit too.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"));
    command.add("-Dlog4j2.configurationFile=conf/log4j2.properties");
    command.add("-Djava.io.tmpdir=" + temporary);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Tare.class.getName()));
    command.addAll(List.of(args));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("LC_ALL", "C");
    Process process = builder.start();
    try {
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      return new Ended(process.exitValue(), withoutWarnings(said), names(temporary));
    } finally {
      process.destroyForcibly();
    }
  }

  private static String withoutWarnings(String said) {
    return String.join(
        "\n", said.lines().filter(line -> !line.startsWith("WARNING: Using incubator")).toList());
  }

  private static Set<String> names(Path folder) throws IOException {
    try (var all = Files.list(folder)) {
      Set<String> names = new TreeSet<>();
      all.forEach(path -> names.add(path.getFileName().toString()));
      return names;
    }
  }

  private static void assertRefused(int status, String message, Ended ended) {
    assertEquals(status, ended.status(), ended.said());
    assertTrue(ended.said().contains(message), ended.said());
    assertEquals(1, ended.said().lines().count(), ended.said());
    assertEquals(Set.of(), ended.left());
  }

  private String at(String name) {
    return folder.resolve(name).toString();
  }

  private void writeModel() {
    TestModel.opset(17)
        .input("x", -1, 2)
        .constant("w", new long[] {2, 2048}, new float[4096])
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 2048)
        .write(folder.resolve("m.onnx"));
  }

  @Test
  void aFullTemporaryFolderIsToldInOneLine() throws Exception {
    writeModel();
    assertRefused(73, "model.onnx: File too large", command(KILOBYTES, "inspect", at("m.onnx")));
    // The model has room, ONNX Runtime's library has not: it leaves an empty folder of its own.
    Ended noLibrary = command(1000, "inspect", at("m.onnx"));
    assertEquals(73, noLibrary.status(), noLibrary.said());
    assertEquals(
        "tare: Cannot start ONNX Runtime: its library of 32 MB cannot be unpacked in "
            + at("tmp")
            + ": File too large; -Djava.io.tmpdir names another place",
        noLibrary.said());
  }

  @Test
  void aFullOutputIsToldInOneLineAndLeavesNothing() throws Exception {
    float[] values = new float[100_000];
    Random random = new Random(18);
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(random.nextInt(0x7f000000));
    }
    CalibrationState state =
        new CalibrationState("", 1, new TreeMap<>(Map.of("x", TensorStats.of(values))));
    byte[] bytes = state.encodeFile();
    assertTrue(bytes.length > 2 * (KILOBYTES << 10), "" + bytes.length);
    Files.write(folder.resolve("s.tare"), bytes);
    Set<String> before = names(folder);
    before.add("tmp");
    assertRefused(
        73,
        "File too large",
        command(KILOBYTES, "merge", at("s.tare"), "--output", at("sum.tare")));
    assertEquals(before, names(folder));
  }

  /**
   * Names that the locale cannot express are refused by name; all else works, and leaves nothing.
   */
  @Test
  void theLocaleDecidesWhichNamesThereAre() throws Exception {
    writeModel();
    String[] quantize = {
      "quantize",
      "--model",
      at("m.onnx"),
      "--mode",
      "weight-only",
      "--output",
      at("gr\u00f6\u00dfe")
    };
    assertRefused(64, "start with a locale of UTF-8", command(NO_LIMIT, quantize));
    quantize[quantize.length - 1] = at("out");
    Ended done = command(NO_LIMIT, quantize);
    assertEquals(0, done.status(), done.said());
    assertTrue(Files.exists(folder.resolve("out/_SUCCESS")));
    assertEquals(Set.of(), done.left());
    assertFalse(done.said().contains("Exception"), done.said());
  }
}
