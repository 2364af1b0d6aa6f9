package org.tare.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.tare.Quantize;
import org.tare.Tare;
import org.tare.infer.TensorTypes;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/**
 * How the time of commands grows with a model's nodes, inputs, outputs and depth, with overrides,
 * and with the states that are merged. Times are CPU seconds of the whole process, so that other
 * work on the machine counts little.
 */
final class Growth {
  /** What 4n may take beside n: n log n gives some 4.6; the rest is noise. */
  private static final double MOST = 7;

  /** Less is not judged: compiling and collecting garbage are in it. */
  private static final double LEAST_SECONDS = 3;

  private static final long WIDTH = 8;

  private final Path folder;
  private final Tare tare =
      Tare.on(
          () -> {
            throw new IllegalStateException("nothing here needs Spark");
          },
          new Configuration());
  private boolean isTooMuch;

  /** What is measured; what it needs is made before. */
  private record Case(String name, int size, IntFunction<Runnable> work) {}

  private Growth(Path folder) {
    this.folder = folder;
  }

  /** Arguments are regular expressions: cases whose names match none are left out. */
  public static void main(String[] arguments) throws IOException {
    Path folder = Files.createTempDirectory("growth");
    Growth growth = new Growth(folder);
    try {
      List<Pattern> wanted = Stream.of(arguments).map(Pattern::compile).toList();
      List<Case> cases = growth.cases();
      // Classes are loaded, and ONNX Runtime is.
      for (Case one : cases.subList(0, 4)) {
        one.work().apply(50).run();
      }
      System.out.printf("%-34s %8s %8s %8s %8s %6s%n", "", "n", "n", "2n", "4n", "4n/n");
      for (Case one : cases) {
        if (wanted.isEmpty() || wanted.stream().anyMatch(p -> p.matcher(one.name()).find())) {
          growth.measure(one);
        }
      }
    } finally {
      try (Stream<Path> left = Files.walk(folder)) {
        for (Path path : left.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
    System.exit(growth.isTooMuch ? 1 : 0);
  }

  private void measure(Case one) {
    double[] seconds = new double[3];
    for (int i = 0; i < seconds.length; i++) {
      Runnable work = one.work().apply(one.size() << i);
      double begun = cpuSeconds();
      work.run();
      seconds[i] = cpuSeconds() - begun;
    }
    double ratio = seconds[2] / seconds[0];
    boolean isMore = ratio > MOST && seconds[2] > LEAST_SECONDS;
    isTooMuch |= isMore;
    System.out.printf(
        Locale.ROOT,
        "%-34s %8d %8.2f %8.2f %8.2f %6.1f%s%n",
        one.name(),
        one.size(),
        seconds[0],
        seconds[1],
        seconds[2],
        ratio,
        isMore ? "  TOO MUCH" : "");
  }

  private static double cpuSeconds() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime()
        / 1e9;
  }

  private List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    Map<String, IntFunction<TestModel>> models = new LinkedHashMap<>();
    models.put("MatMuls", Growth::matMuls);
    models.put("Identities", Growth::identities);
    models.put("inputs and outputs", Growth::inputsAndOutputs);
    models.put("nested Ifs", Growth::nestedIfs);
    Map<String, Integer> sizes =
        Map.of("MatMuls", 2_000, "Identities", 25_000, "inputs and outputs", 2_500);
    models.forEach(
        (name, model) -> {
          int size = sizes.getOrDefault(name, 7);
          cases.add(new Case(name + ", inspect", size, n -> inspect(model.apply(n))));
          cases.add(new Case(name + ", weight-only", size, n -> without(Mode.WEIGHT_ONLY, model, n)));
          cases.add(new Case(name + ", dynamic", size, n -> without(Mode.DYNAMIC, model, n)));
          cases.add(new Case(name + ", static", size, n -> withState(model.apply(n))));
        });
    cases.add(new Case("overrides by name", 2_500, n -> overridden(n, "name", "n%d")));
    cases.add(new Case("overrides by pattern", 2_500, n -> overridden(n, "name", "*x%d")));
    cases.add(new Case("merging states", 2_500, this::merging));
    return cases;
  }

  private Path write(TestModel model) {
    try {
      Path file = Files.createTempFile(folder, "model", ".onnx");
      model.write(file);
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Runnable inspect(TestModel model) {
    Path file = write(model);
    return () -> tare.inspect(file.toString()).toJson();
  }

  private Quantize quantize(Path file, Mode mode) {
    return tare.quantize(file.toString()).mode(mode).output(file + ".out");
  }

  private Runnable without(Mode mode, IntFunction<TestModel> model, int size) {
    Path file = write(model.apply(size));
    return () -> quantize(file, mode).run();
  }

  private Runnable withState(TestModel made) {
    Path file = write(made);
    OnnxModel prepared = FloatPasses.prepare(made.read());
    Map<String, TensorType> types = TensorTypes.of(prepared, "model");
    QConfigMapping mapping =
        new QConfigMapping(
            Mode.STATIC,
            Backend.ONNXRUNTIME_CPU,
            Backend.ONNXRUNTIME_CPU.standard(Mode.STATIC),
            List.of());
    TreeMap<String, TensorStats> observed = new TreeMap<>();
    QuantizationPlan.of(prepared, types, mapping)
        .observed()
        .forEach(tensor -> observed.put(tensor, TensorStats.of(1f, 2f, -1f)));
    CalibrationState state = new CalibrationState(made.read().digest(), 1, observed);
    return () -> quantize(file, Mode.STATIC).state(state).run();
  }

  /** As many overrides as nodes. */
  private Runnable overridden(int size, String key, String pattern) {
    Path file = write(matMuls(500));
    List<Map<String, Object>> rules = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      rules.add(Map.of(key, String.format(Locale.ROOT, pattern, i), "float", true));
    }
    return () -> quantize(file, Mode.WEIGHT_ONLY).overrides(rules).run();
  }

  private Runnable merging(int size) {
    List<CalibrationState> states =
        IntStream.range(0, size)
            .mapToObj(
                i -> {
                  TreeMap<String, TensorStats> one = new TreeMap<>(Map.of("x", TensorStats.of(i)));
                  return new CalibrationState("", 1, one);
                })
            .toList();
    return () -> tare.merge(states).run().encodeFile();
  }

  private static float[] weight(Random random) {
    float[] values = new float[(int) (WIDTH * WIDTH)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (0.35 * random.nextGaussian());
    }
    return values;
  }

  private static TestModel matMuls(int size) {
    Random random = new Random(1);
    TestModel model = TestModel.opset(17).input("x", -1, WIDTH);
    for (int i = 0; i < size; i++) {
      model.constant("w" + i, new long[] {WIDTH, WIDTH}, weight(random));
      String from = i == 0 ? "x" : "t" + i;
      model.node("MatMul", List.of(from, "w" + i), List.of(i == size - 1 ? "y" : "t" + (i + 1)));
    }
    return model.output("y", -1, WIDTH);
  }

  private static TestModel identities(int size) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, WIDTH)
            .constant("w", new long[] {WIDTH, WIDTH}, weight(new Random(1)))
            .node("MatMul", List.of("x", "w"), List.of("t0"));
    for (int i = 0; i < size; i++) {
      model.node("Identity", List.of("t" + i), List.of("t" + (i + 1)));
    }
    return model
        .node("MatMul", List.of("t" + size, "w"), List.of("y"))
        .output("y", -1, WIDTH);
  }

  private static TestModel inputsAndOutputs(int size) {
    TestModel model =
        TestModel.opset(17).constant("w", new long[] {WIDTH, WIDTH}, weight(new Random(1)));
    for (int i = 0; i < size; i++) {
      model
          .input("x" + i, -1, WIDTH)
          .node("MatMul", List.of("x" + i, "w"), List.of("y" + i))
          .output("y" + i, -1, WIDTH);
    }
    return model;
  }

  /** Each in the branch of another; protobuf reads some 30 levels. */
  private static TestModel nestedIfs(int depth) {
    TestModel inner = product(depth);
    for (int i = depth - 1; i >= 0; i--) {
      TestModel outer = i == 0 ? TestModel.opset(17).input("x", -1, WIDTH) : TestModel.opset(17);
      inner =
          outer
              .constant("w" + i, new long[] {WIDTH, WIDTH}, weight(new Random(i)))
              .node("MatMul", List.of("x", "w" + i), List.of("t" + i))
              .node("ReduceSum", List.of("t" + i), List.of("s" + i), "keepdims", 0L)
              .constant("zero" + i, new long[] {}, 0)
              .node("Greater", List.of("s" + i, "zero" + i), List.of("c" + i))
              .node(
                  "If",
                  List.of("c" + i),
                  List.of("y" + i),
                  "then_branch",
                  inner,
                  "else_branch",
                  product(1_000_000 + i))
              .output("y" + i, -1, WIDTH);
    }
    return inner;
  }

  private static TestModel product(int number) {
    return TestModel.opset(17)
        .constant("w" + number, new long[] {WIDTH, WIDTH}, weight(new Random(number)))
        .node("MatMul", List.of("x", "w" + number), List.of("y" + number))
        .output("y" + number, -1, WIDTH);
  }
}
