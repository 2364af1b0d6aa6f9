package org.tare.graph;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.AssertionFailedError;
import org.tare.TareException;
import org.tare.graph.TestModel.Values;
import org.tare.infer.TensorTypes;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.qconfig.WeightProducts;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/**
 * Random models, and random damage to them, are quantized in a random way: the result is a model
 * that ONNX Runtime runs, or a TareException that says why not.
 *
 * <p>{@code -Dtare.fuzz} says how many, {@code -Dtare.fuzz.seed} which is the first; each case
 * depends on its own seed only.
 */
class GraphFuzzTest {
  private static final Duration HANG = Duration.ofSeconds(10);

  private enum Outcome {
    /** The file is refused as it is read. */
    NOT_READ,
    /** Refused by what is done to the float model first. */
    NOT_PREPARED,
    /** ONNX Runtime does not take the float model. */
    NOT_LOADED,
    /** ONNX Runtime takes the float model and fails when it runs. */
    NOT_RUN,
    /** Quantization is refused. */
    NOT_QUANTIZED,
    /** Quantized; the float model's results hold NaN or infinities. */
    QUANTIZED_NOT_FINITE,
    QUANTIZED
  }

  /** The case that runs, for when ONNX Runtime takes the JVM down with it. */
  private static final Path LAST = Path.of("target", "graph-fuzz-last.txt");

  @TempDir private Path folder;

  @Test
  void everyModelIsQuantizedOrRefused() {
    long first = Long.getLong("tare.fuzz.seed", 1);
    int count = Integer.getInteger("tare.fuzz", 500);
    Map<Outcome, Integer> outcomes = new EnumMap<>(Outcome.class);
    Map<String, Integer> refusals = new TreeMap<>();
    List<String> failures = new ArrayList<>();
    for (long seed = first; seed < first + count && failures.size() < 12; seed++) {
      long caseSeed = seed;
      try {
        Outcome outcome = assertTimeoutPreemptively(HANG, () -> run(caseSeed, refusals));
        outcomes.merge(outcome, 1, Integer::sum);
      } catch (RuntimeException | AssertionError e) {
        boolean wraps = e instanceof AssertionFailedError && e.getCause() != null;
        Throwable cause = wraps ? e.getCause() : e;
        failures.add("-Dtare.fuzz.seed=" + seed + " -Dtare.fuzz=1: " + cause + "\n" + trace(cause));
      }
    }
    System.out.println("Fuzz: " + outcomes);
    if (Boolean.getBoolean("tare.fuzz.refusals")) {
      refusals.forEach((why, times) -> System.out.println(times + " " + why));
    }
    if (!failures.isEmpty()) {
      fail(failures.size() + " cases failed\n" + String.join("\n", failures));
    }
  }

  private static String trace(Throwable e) {
    return String.join(
        "\n",
        Arrays.stream(e.getStackTrace())
            .filter(frame -> frame.getClassName().startsWith("org.tare"))
            .limit(8)
            .map(frame -> "    " + frame)
            .toList());
  }

  private Outcome run(long seed, Map<String, Integer> refusals) throws IOException {
    Random random = new Random(seed);
    RandomModel made = new RandomModel(random);
    boolean isDamaged = random.nextInt(3) == 0;
    byte[] bytes = isDamaged ? Damage.apply(made.bytes(), random) : made.bytes();
    QConfigMapping mapping = mapping(random);
    Quantization.Form form = Quantization.Form.values()[random.nextInt(2)];
    Path file = folder.resolve("model.onnx");
    Files.write(file, bytes);
    String what = isDamaged ? "damaged" : "valid";
    Outcome stage = began(seed, what, Outcome.NOT_READ);
    try {
      OnnxModel model = OnnxModel.read(file);
      FatalNodes.check(model);
      stage = began(seed, what, Outcome.NOT_PREPARED);
      OnnxModel prepared = FloatPasses.prepare(model);
      stage = began(seed, what, Outcome.NOT_LOADED);
      TensorTypes.check(model, "float");
      stage = began(seed, what, Outcome.NOT_RUN);
      Map<String, Values> expected = TestModel.run(model, made.inputs());
      stage = began(seed, what, Outcome.NOT_QUANTIZED);
      Map<String, TensorType> types = types(prepared);
      Optional<CalibrationState> state =
          mapping.mode() == Mode.STATIC
              ? Optional.of(calibrate(prepared, types, made.inputs(), mapping))
              : Optional.empty();
      QuantizedModel quantized =
          Quantization.quantize(prepared, types, mapping, form, state, Map.of());
      began(seed, what, Outcome.QUANTIZED);
      WrittenProducts.check(quantized.model(), mapping.standard());
      return compare(expected, quantized.model(), made.inputs(), mapping + " " + form);
    } catch (TareException e) {
      if (e.getMessage() == null || e.getMessage().isBlank()) {
        throw new AssertionFailedError("no message", e);
      }
      refusals.merge(stage + " " + what + " " + e.getMessage(), 1, Integer::sum);
      return stage;
    }
  }

  private static Outcome began(long seed, String what, Outcome stage) throws IOException {
    Files.writeString(LAST, "-Dtare.fuzz.seed=" + seed + " " + what + " before " + stage);
    return stage;
  }

  private static Map<String, TensorType> types(OnnxModel prepared) {
    try {
      return TensorTypes.of(prepared, "prepared");
    } catch (TareException e) {
      throw new AssertionFailedError("the prepared model does not load: " + e.getMessage(), e);
    }
  }

  private static Outcome compare(
      Map<String, Values> expected, OnnxModel quantized, Map<String, Values> inputs, String how) {
    Map<String, Values> actual;
    try {
      actual = TestModel.run(quantized, inputs);
    } catch (TareException e) {
      throw new AssertionFailedError(
          "the quantized model does not run, " + how + ": " + e.getMessage(), e);
    }
    boolean isFinite = true;
    for (Values values : expected.values()) {
      isFinite &= isFinite(values.floats());
    }
    expected.forEach(
        (name, values) -> {
          long[] shape = actual.get(name).shape();
          if (!Arrays.equals(values.shape(), shape)) {
            fail("output " + name + " has shape " + Arrays.toString(shape) + ", " + how);
          }
        });
    if (!isFinite) {
      return Outcome.QUANTIZED_NOT_FINITE;
    }
    actual.forEach(
        (name, values) -> {
          if (!isFinite(values.floats())) {
            fail(
                "output "
                    + name
                    + " is not finite, "
                    + how
                    + ": "
                    + Arrays.toString(Arrays.copyOf(values.floats(), 20))
                    + " for "
                    + Arrays.toString(Arrays.copyOf(expected.get(name).floats(), 20)));
          }
        });
    return Outcome.QUANTIZED;
  }

  private static boolean isFinite(float[] values) {
    for (float value : values) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }

  private static CalibrationState calibrate(
      OnnxModel prepared,
      Map<String, TensorType> types,
      Map<String, Values> inputs,
      QConfigMapping mapping) {
    List<String> observed = QuantizationPlan.of(prepared, types, mapping).observed();
    SortedMap<String, TensorStats> stats = new TreeMap<>();
    inputs.forEach((name, values) -> stats.put(name, TensorStats.of(values.floats())));
    List<String> computed = new ArrayList<>(observed);
    computed.removeAll(inputs.keySet());
    if (!computed.isEmpty()) {
      TestModel.run(prepared.withOutputs(computed), inputs)
          .forEach((name, values) -> stats.put(name, TensorStats.of(values.floats())));
    }
    return new CalibrationState(prepared.digest(), 1, stats);
  }

  private static QConfigMapping mapping(Random random) {
    Mode mode = Mode.values()[random.nextInt(3)];
    Backend backend =
        mode == Mode.STATIC
            ? Backend.values()[random.nextInt(Backend.values().length)]
            : Backend.ONNXRUNTIME_CPU;
    // PyTorch's kernels take 7 bits of activations beside weights of the whole range.
    boolean mayReduce = backend == Backend.FBGEMM || backend == Backend.X86;
    QConfig standard =
        backend.standard(
            mode, random.nextBoolean() || !mayReduce ? backend.products() : WeightProducts.FULL);
    TensorQConfig activation =
        new TensorQConfig(
            new RangeMethod.MinMax(),
            standard.activation().dtype(),
            standard.activation().scheme());
    TensorQConfig weight = standard.weight();
    if (mode == Mode.WEIGHT_ONLY && random.nextBoolean()) {
      boolean isAffine = random.nextBoolean();
      weight =
          new TensorQConfig(
              random.nextBoolean() ? new RangeMethod.MinMax() : new RangeMethod.Mse(),
              isAffine ? DType.UINT4 : DType.INT4,
              isAffine ? QScheme.PER_CHANNEL_AFFINE : QScheme.PER_CHANNEL_SYMMETRIC,
              16 << random.nextInt(4));
    }
    QConfig config =
        new QConfig(
            true,
            activation,
            weight,
            standard.reduceRange(),
            standard.reduceActivations(),
            random.nextInt(4) == 0,
            standard.products());
    return new QConfigMapping(mode, backend, config, List.of());
  }
}
