package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.Sqnr;
import org.tare.infer.ModelSession;
import org.tare.onnx.ElementType;
import org.tare.onnx.TestModel;

/**
 * A model of 2.9 GB, quantized by a JVM with a heap of 2 GB: {@code mvn -Plarge test
 * -Dtest=LargeModelTest}. Takes 20 GB of disk and 12 GB of memory.
 */
@Tag("large")
class LargeModelTest {
  private static final int SIZE = 11008;
  private static final int LAYERS = 6;
  private static final long DATA_BYTES = 4L * SIZE * SIZE * LAYERS;

  @TempDir static Path folder;

  private static float[] expected;

  /** Layers in a row, of uniform weights that keep the variance. */
  @BeforeAll
  static void makeModel() throws IOException {
    TestModel model = TestModel.opset(17).input("x", -1, SIZE);
    String from = "x";
    for (int i = 0; i < LAYERS; i++) {
      String weight = "w" + i;
      String to = i == LAYERS - 1 ? "y" : "h" + i;
      long bytes = 4L * SIZE * SIZE;
      model.external(weight, new long[] {SIZE, SIZE}, "weights.bin", i * bytes, bytes);
      model.node("MatMul", List.of(from, weight), List.of(to));
      from = to;
    }
    model.output("y", -1, SIZE).write(folder.resolve("large.onnx"));
    SplittableRandom random = new SplittableRandom(1);
    float scale = (float) (2 * Math.sqrt(3.0 / SIZE));
    ByteBuffer row = ByteBuffer.allocate(4 * SIZE).order(ByteOrder.LITTLE_ENDIAN);
    try (OutputStream out =
        new BufferedOutputStream(Files.newOutputStream(folder.resolve("weights.bin")), 1 << 20)) {
      for (int i = 0; i < LAYERS * SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
          row.putFloat(4 * j, scale * ((random.nextInt() >>> 8) * 0x1p-24f - 0.5f));
        }
        out.write(row.array());
      }
    }
    assertEquals(DATA_BYTES, Files.size(folder.resolve("weights.bin")));
    expected = run(folder.resolve("large.onnx"));
  }

  @ParameterizedTest
  @CsvSource({"weight-only", "dynamic"})
  void isQuantizedInTwoGigabytes(String mode) throws Exception {
    Path output = folder.resolve(mode);
    Usage usage = tare("quantize", "--output", output.toString(), "--set", "quantize.mode=" + mode);
    long bytes = Files.size(output.resolve("model.onnx"));
    Path data = output.resolve("model.onnx.data");
    bytes += Files.exists(data) ? Files.size(data) : 0;
    JsonNode result = new ObjectMapper().readTree(output.resolve("result.json").toFile());
    assertEquals(bytes, result.path("quantized").path("bytes").asLong());
    assertEquals(
        DATA_BYTES + Files.size(folder.resolve("large.onnx")),
        result.path("model").path("bytes").asLong());
    double sqnr = Sqnr.of(expected, run(output.resolve("model.onnx")));
    System.out.printf(
        Locale.ROOT,
        "%s: %s; %,d bytes of %,d; %.1f dB%n",
        mode,
        usage,
        bytes,
        result.path("model").path("bytes").asLong(),
        sqnr);
    assertTrue(sqnr > 30, sqnr + " dB");
  }

  /** Spark ships both files of the float model to its executor, here a thread of the driver. */
  @Test
  void isCalibratedAndEvaluatedOnSpark() throws Exception {
    FloatBuffer values = row().asFloatBuffer();
    float[] x = new float[values.remaining()];
    values.get(x);
    TestTables.writeFloats(folder.resolve("row"), x);
    Path output = folder.resolve("static");
    String table = folder.resolve("row").toString();
    Usage usage =
        tare(
            "run",
            "--data",
            table,
            "--validation",
            table,
            "--output",
            output.toString(),
            // Weights that take factors are new ones, on the heap.
            "--set",
            "quantize.smooth-quant=false",
            "--set",
            "quantize.measure-rows=0");
    JsonNode result = new ObjectMapper().readTree(output.resolve("result.json").toFile());
    double sqnr = result.path("evaluation").path("outputs").path("y").path("sqnr_db").asDouble();
    System.out.printf(Locale.ROOT, "run: %s; %.1f dB%n", usage, sqnr);
    assertEquals(1, result.path("evaluation").path("rows").asInt());
    assertTrue(sqnr > 25, sqnr + " dB");
  }

  /** What a command took; the pages of mapped files count as resident, though they can be left. */
  private record Usage(double seconds, long resident, long anonymous) {
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%.1f s, peak %.2f GB resident, of it %.2f GB not in files",
          seconds,
          resident / 1e6,
          anonymous / 1e6);
    }
  }

  /** Runs the command on the large model in a JVM with a heap of 2 GB, and fails if it fails. */
  private static Usage tare(String name, String... more) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx2g");
    command.addAll(List.of(System.getProperty("tare.test.jvm.flags").strip().split("\\s+")));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Tare.class.getName()));
    command.addAll(List.of(name, "--model", folder.resolve("large.onnx").toString()));
    command.addAll(List.of(more));
    Path log = folder.resolve("log");
    long started = System.nanoTime();
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    long resident = 0;
    long anonymous = 0;
    while (!process.waitFor(50, TimeUnit.MILLISECONDS)) {
      resident = Math.max(resident, kilobytes(process, "VmHWM"));
      anonymous = Math.max(anonymous, kilobytes(process, "RssAnon"));
    }
    assertEquals(0, process.exitValue(), Files.readString(log));
    return new Usage((System.nanoTime() - started) / 1e9, resident, anonymous);
  }

  /** A line of Linux's account of the process; 0 where there is none. */
  private static long kilobytes(Process process, String key) {
    try {
      return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream()
          .filter(line -> line.startsWith(key + ":"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      return 0;
    }
  }

  private static ByteBuffer row() {
    SplittableRandom random = new SplittableRandom(2);
    ByteBuffer x = ByteBuffer.allocateDirect(4 * SIZE).order(ByteOrder.nativeOrder());
    for (int i = 0; i < SIZE; i++) {
      x.putFloat(4 * i, (float) random.nextDouble(-1, 1));
    }
    return x;
  }

  private static float[] run(Path model) {
    ByteBuffer x = row();
    float[] values = new float[SIZE];
    try (ModelSession session = ModelSession.open(model, "large", 2)) {
      session.run(
          Map.of("x", new ModelSession.InputTensor(ElementType.FLOAT32, new long[] {1, SIZE}, x)),
          session.outputs().keySet(),
          (name, tensor) -> tensor.floats().get(values));
    }
    return values;
  }
}
