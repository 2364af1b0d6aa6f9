package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.stats.bytes.ByteWriter;
import org.tare.stats.bytes.Checksum;

/** What the command says of bad input, and that what was there before survives it. */
class BadInputCommandTest {
  @TempDir static Path folder;
  private static CommandFiles files;

  private static Outcome tare(String... args) {
    return Outcome.of(args);
  }

  private static String at(String name) {
    return files.at(name);
  }

  @BeforeAll
  static void makeFiles() throws IOException {
    Files.write(folder.resolve("channels.tare"), stateOfManyChannels());
    files = CommandFiles.make(folder);
  }

  /** A state of a hundred bytes that says it has 3,000,000 channels. */
  private static byte[] stateOfManyChannels() {
    ByteWriter tensor = new ByteWriter();
    tensor.u8(2);
    tensor.u8(1);
    for (int i = 0; i < 4; i++) {
      tensor.varint(0);
    }
    tensor.f32(Float.POSITIVE_INFINITY);
    tensor.f32(Float.NEGATIVE_INFINITY);
    tensor.varint(0);
    tensor.varint(3_000_000);
    tensor.bytes(new byte[16]);
    byte[] body = tensor.toByteArray();
    tensor.i32(Checksum.of(body, body.length));
    ByteWriter state = new ByteWriter();
    state.bytes("TARE".getBytes(StandardCharsets.US_ASCII));
    state.u8(2);
    state.u8(0);
    state.string("");
    state.string("");
    state.varint(1);
    state.varint(1);
    state.string("x");
    state.block(tensor.toByteArray());
    byte[] all = state.toByteArray();
    state.i32(Checksum.of(all, all.length));
    return state.toByteArray();
  }

  static Stream<Arguments> badInput() {
    String set = "--set";
    return Stream.of(
        Arguments.of(
            66,
            "Cannot read model " + at("no.onnx") + ": there is no such file",
            new String[] {
              "run", "--model", at("no.onnx"), "--data", at("short"), "--output", at("o")
            }),
        Arguments.of(
            65,
            "it is not an ONNX model",
            new String[] {
              "run", "--model", at("text.onnx"), "--data", at("short"), "--output", at("o")
            }),
        Arguments.of(
            65,
            "Cannot read model " + at("cut.onnx"),
            new String[] {
              "run", "--model", at("cut.onnx"), "--data", at("short"), "--output", at("o")
            }),
        Arguments.of(
            66,
            "Cannot read data " + at("nowhere") + ": there is no such path or table",
            files.digits("run", "nowhere", "o")),
        Arguments.of(
            30,
            "no operator of it can be quantized with ranges from data",
            files.tiny("quantize.overrides=[{op: MatMul, float: true}]")),
        Arguments.of(
            64,
            "did you mean \"float\"?",
            files.tiny("quantize.overrides=[{op: MatMul, flaot: true}]")),
        Arguments.of(65, "is not a Parquet file", files.digits("run", "text.onnx", "o")),
        Arguments.of(
            65,
            "[PARSE_SYNTAX_ERROR]",
            new String[] {
              "run", "--model", at("tiny.onnx"), "--query", "SELEC", "--output", at("o")
            }),
        Arguments.of(
            66,
            "Cannot read model hdfs://nowhere.invalid:9000/m.onnx: the host nowhere.invalid is not",
            new String[] {
              "run",
              "--model",
              "hdfs://nowhere.invalid:9000/m.onnx",
              "--data",
              "d",
              "--output",
              at("o")
            }),
        Arguments.of(
            65,
            "it has no input \"imag\"; its inputs are image",
            files.digits("run", "short", "o", set, "inputs.imag.column=image")),
        Arguments.of(
            65,
            "input \"image\" is to come from column \"pixels\", which is not there; the columns are"
                + " id, image, label",
            files.digits("run", "short", "o", set, "inputs.image.column=pixels")),
        Arguments.of(
            65,
            "Cannot calibrate digits-mobilenet.onnx: input \"image\" expects float32 [N,1,28,28],"
                + " column \"image\" holds 783 bytes in row id=4711",
            files.digits("run", "short", "o")),
        Arguments.of(
            65,
            "cannot be read from column \"image\" of type string",
            files.digits("run", "text", "o")),
        Arguments.of(
            65,
            "Cannot calibrate digits-mobilenet.onnx: " + at("empty") + " holds no rows",
            files.digits("run", "empty", "o")),
        Arguments.of(
            65,
            "all 1 rows of " + at("all-short") + " had to be skipped",
            files.digits("run", "all-short", "o", "--bad-rows", "skip")),
        Arguments.of(
            65,
            "1 of 2 rows of " + at("short") + " had to be skipped, more than bad-rows-limit 0.01",
            files.digits("run", "short", "o", "--bad-rows", "skip")),
        Arguments.of(65, "column \"image\" is null in row id=9", files.digits("run", "null", "o")),
        Arguments.of(
            65,
            "input \"x\" expects float32 [N,2], column \"x\" holds NaN at position 1 in row id=2",
            new String[] {
              "run", "--model", at("tiny.onnx"), "--data", at("nan"), "--output", at("o")
            }),
        Arguments.of(
            65,
            "label 10 is none of the classes 0 to 9 of output \"logits\" in row id=1; fix the row",
            files.digits(
                "run",
                "digits-train.parquet",
                "o",
                "--sample",
                "64",
                "--validation",
                at("label"),
                "--label",
                "label")),
        Arguments.of(
            65,
            "the label column \"digit\" is not there",
            files.digits(
                "run",
                "digits-train.parquet",
                "o",
                "--sample",
                "64",
                "--validation",
                at("label"),
                "--label",
                "digit")),
        Arguments.of(
            73, "it exists and is a file, not a folder", files.digits("run", "short", "a-file")),
        Arguments.of(73, "it exists; give another folder", files.digits("run", "short", "foreign")),
        Arguments.of(
            73, "so Tare did not write it", files.digits("run", "short", "foreign", "--overwrite")),
        Arguments.of(73, "Cannot write output", files.digits("run", "short", "a-file/below")),
        Arguments.of(
            64,
            "Unknown key \"quantize.activation.metod\"",
            files.digits("run", "short", "o", set, "quantize.activation.metod=mse")),
        Arguments.of(
            64,
            "did you mean \"inputs.image.column\"?",
            files.digits("run", "short", "o", set, "inputs.image.colum=x")),
        Arguments.of(
            64,
            "Unknown range method \"mes\"",
            files.digits("run", "short", "o", set, "quantize.activation.method=mes")),
        Arguments.of(
            64,
            "batch (--batch) cannot be \"0\"",
            files.digits("run", "short", "o", "--batch", "0")),
        Arguments.of(
            64, "Unknown option: '--modle'; see tare run --help", new String[] {"run", "--modle"}),
        Arguments.of(64, "Missing model: give --model", new String[] {"run"}),
        Arguments.of(
            65,
            "Cannot read calibration state "
                + at("channels.tare")
                + ": 3000000 channels do not fit into the 16 bytes left",
            new String[] {"inspect", at("channels.tare")}),
        Arguments.of(
            65,
            "it does not begin with the letters TARE",
            new String[] {
              "quantize",
              "--model",
              at("tiny.onnx"),
              "--state",
              at("text.onnx"),
              "--output",
              at("o")
            }));
  }

  /** The status, one line that says why, no stack trace, and nothing left behind. */
  @ParameterizedTest(name = "{1}")
  @MethodSource("badInput")
  void badInputIsToldInOneLine(int status, String message, String[] args) throws IOException {
    Outcome outcome = tare(args);
    assertTrue(outcome.err().contains(message), outcome.err());
    assertEquals(status, outcome.status(), outcome.err());
    List<String> told =
        outcome
            .err()
            .lines()
            .filter(line -> !line.startsWith("Calibrating:") && !line.startsWith("Evaluating:"))
            .toList();
    assertEquals(1, told.size(), outcome.err());
    assertTrue(told.get(0).startsWith("tare: "), outcome.err());
    assertFalse(Files.exists(folder.resolve("o")));
    assertEquals("in the way", Files.readString(folder.resolve("a-file")));
    assertEquals("dear", Files.readString(folder.resolve("foreign/thesis.txt")));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(
          List.of(), files.filter(f -> f.getFileName().toString().startsWith(".")).toList());
    }
  }

  @Test
  void jobFileWithAnUnknownKey() throws IOException {
    Path job = folder.resolve("job.yaml");
    Files.writeString(job, "model: tiny.onnx\nquantise:\n  mode: static\n");
    Outcome outcome = tare("run", "--config", job.toString());
    assertEquals(64, outcome.status());
    assertTrue(
        outcome
            .err()
            .contains(
                "Unknown key \"quantise.mode\" (" + job + "): did you mean \"quantize.mode\"?"),
        outcome.err());
    Files.writeString(job, "model: [tiny\n");
    assertEquals(64, tare("run", "--config", job.toString()).status());
    assertEquals(66, tare("run", "--config", at("no.yaml")).status());
  }

  @Test
  void formerOutputSurvivesFailureAndIsReplacedBySuccess() throws IOException {
    assertEquals(
        0,
        tare(files.digits("calibrate", "digits-train.parquet", "kept", "--sample", "64")).status());
    Map<String, byte[]> before = CommandFiles.contents(folder.resolve("kept"));
    assertEquals(65, tare(files.digits("calibrate", "short", "kept", "--overwrite")).status());
    assertSame(before, CommandFiles.contents(folder.resolve("kept")));
    assertEquals(
        0,
        tare(files.digits(
                "calibrate", "digits-train.parquet", "kept", "--sample", "96", "--overwrite"))
            .status());
    assertFalse(
        Arrays.equals(
            before.get("state.tare"),
            CommandFiles.contents(folder.resolve("kept")).get("state.tare")));
  }

  private static void assertSame(Map<String, byte[]> before, Map<String, byte[]> after) {
    assertEquals(before.keySet(), after.keySet());
    before.forEach((name, bytes) -> assertArrayEquals(bytes, after.get(name), name));
  }

  /** SIGTERM, as Ctrl-C and schedulers send it, and SIGKILL, in the midst of the job. */
  @Test
  void formerOutputSurvivesAKilledProcess() throws Exception {
    assertEquals(
        0,
        tare(files.digits("calibrate", "digits-train.parquet", "killed", "--sample", "64"))
            .status());
    Map<String, byte[]> before = CommandFiles.contents(folder.resolve("killed"));
    for (boolean forcibly : new boolean[] {false, true}) {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of(System.getProperty("tare.test.jvm.flags").strip().split("\\s+")));
      command.addAll(List.of("-cp", System.getProperty("java.class.path")));
      command.add(Tare.class.getName());
      command.addAll(
          List.of(
              "calibrate",
              "--model",
              at("digits-mobilenet.onnx"),
              "--query",
              "SELECT * FROM parquet.`"
                  + at("digits-train.parquet")
                  + "` WHERE length(java_method('org.tare.cli.Slow', 'pause', id)) > 0",
              "--output",
              at("killed"),
              "--overwrite"));
      ProcessBuilder builder = new ProcessBuilder(command);
      builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
      builder.redirectErrorStream(true).redirectOutput(folder.resolve("killed.log").toFile());
      Process process = builder.start();
      for (int i = 0; i < 600; i++) {
        Thread.sleep(100);
        if (Files.readString(folder.resolve("killed.log")).contains("Calibrating: ")) {
          break;
        }
      }
      assertTrue(process.isAlive(), Files.readString(folder.resolve("killed.log")));
      assertTrue(
          Files.readString(folder.resolve("killed.log")).contains("Calibrating: "),
          "no progress was told");
      if (forcibly) {
        process.destroyForcibly();
      } else {
        process.destroy();
      }
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      String log = Files.readString(folder.resolve("killed.log"));
      assertEquals(forcibly ? 137 : 143, process.exitValue(), log);
      assertEquals(forcibly ? 0 : 1, log.lines().filter("tare: stopped"::equals).count(), log);
      assertFalse(log.contains("internal error") || log.contains("Exception"), log);
      assertSame(before, CommandFiles.contents(folder.resolve("killed")));
    }
  }
}
