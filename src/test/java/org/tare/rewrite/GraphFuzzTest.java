package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.AssertionFailedError;
import org.tare.TareException;
import org.tare.infer.ConstantFolding;
import org.tare.infer.TensorTypes;
import org.tare.onnx.Damage;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FatalNodes;
import org.tare.prepare.FloatPasses;
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
 * Random models, and random damage to them, are quantized in a random way. A valid model becomes
 * one that ONNX Runtime runs, with results no further from the float model's than {@link
 * RoundingNoise} explains; it is refused only for a listed reason. A damaged one is refused with a
 * message, or runs.
 *
 * <p>{@code -Dtare.fuzz} says how many, {@code -Dtare.fuzz.seed} which is the first; each case
 * depends on its own seed only.
 */
class GraphFuzzTest {
  private static final Duration HANG = Duration.ofSeconds(10);

  /** Why a valid model may be refused: what the message says, and what is behind it. */
  private static final Map<Pattern, String> REFUSALS =
      Map.of(
          Pattern.compile(
              "Cannot choose a range for tensor \"\\w+\": no finite value was observed"),
          "the float model itself computes nothing but NaN or infinities there");

  /** At least so many of the valid models have something quantized in them. */
  private static final double LEAST_QUANTIZED = 0.65;

  /** And so many have results in which rounding shows, but does not drown them. */
  private static final double LEAST_COMPARED = 0.33;

  /** Rounding's noise is drawn so often; the largest counts. */
  private static final int DRAWS = 4;

  /**
   * How far beyond the largest draw the results may be. One value in the result is the worst case:
   * of five draws of one distribution, the fifth is five times the largest of the others in about
   * one of a thousand cases.
   */
  private static final double NOISE_FACTOR = 5;

  /** Float32's rounding in sums of up to some thousand terms, to the length of the results. */
  private static final double FLOAT_ERROR = 1e-4;

  /** Results in which noise is larger than this part of them say nothing. */
  private static final double TELLING = 0.2;

  /** Operators whose results jump. */
  private static final Set<String> JUMPS = Set.of("ArgMax", "TopK", "Greater");

  /** What the valid models come to. */
  private static final class Tally {
    int valid;
    int quantized;
    int compared;
  }

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
    Tally tally = new Tally();
    List<String> failures = new ArrayList<>();
    // What is slow once only, as starting ONNX Runtime, is not in the first case's time.
    new RandomModel(new Random(first)).run();
    for (long seed = first; seed < first + count && failures.size() < 12; seed++) {
      long caseSeed = seed;
      try {
        Outcome outcome = assertTimeoutPreemptively(HANG, () -> run(caseSeed, refusals, tally));
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
    System.out.printf(
        "Fuzz: of %d valid models %d are quantized, the values of %d compared%n",
        tally.valid, tally.quantized, tally.compared);
    if (count >= 100) {
      assertTrue(tally.quantized >= LEAST_QUANTIZED * tally.valid, tally.quantized + " quantized");
      assertTrue(tally.compared >= LEAST_COMPARED * tally.valid, tally.compared + " compared");
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

  private Outcome run(long seed, Map<String, Integer> refusals, Tally tally) throws IOException {
    Random random = new Random(seed);
    RandomModel made = new RandomModel(random);
    boolean isDamaged = random.nextInt(3) == 0;
    byte[] bytes = isDamaged ? Damage.apply(made.bytes(), random) : made.bytes();
    QConfigMapping mapping = mapping(random);
    Quantization.Form form = Quantization.Form.values()[random.nextInt(2)];
    Path file = folder.resolve("model.onnx");
    Files.write(file, bytes);
    String what = isDamaged ? "damaged" : "valid";
    tally.valid += isDamaged ? 0 : 1;
    Outcome stage = began(seed, what, Outcome.NOT_READ);
    try {
      OnnxModel model = OnnxModel.read(file);
      FatalNodes.check(model);
      stage = began(seed, what, Outcome.NOT_PREPARED);
      OnnxModel prepared = prepared(model);
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
      if (!isDamaged) {
        assertEquals(
            TestModel.inputsOf(model),
            TestModel.inputsOf(quantized.model()),
            "inputs and defaults");
      }
      String how = mapping + " " + form;
      Outcome outcome = compare(expected, quantized.model(), made.inputs(), how);
      if (!isDamaged) {
        boolean isQuantized = !quantized.weights().isEmpty() || !quantized.activations().isEmpty();
        tally.quantized += isQuantized ? 1 : 0;
        boolean isSmooth =
            model.graph().nodes().stream().noneMatch(node -> JUMPS.contains(node.opType()));
        if (outcome == Outcome.QUANTIZED && isQuantized && isSmooth) {
          Map<String, Values> actual = TestModel.run(quantized.model(), made.inputs());
          RoundingNoise noise = new RoundingNoise(prepared, types, made.inputs(), mapping);
          Map<String, Values> floats = TestModel.run(prepared, made.inputs());
          tally.compared += compareValues(seed, expected, floats, actual, noise, how) ? 1 : 0;
        }
      }
      return outcome;
    } catch (TareException e) {
      if (e.getMessage() == null || e.getMessage().isBlank()) {
        throw new AssertionFailedError("no message", e);
      }
      boolean isTheModelsFault =
          e.kind() == TareException.Kind.BAD_INPUT || e.kind() == TareException.Kind.MISSING_INPUT;
      if (!isTheModelsFault) {
        throw new AssertionFailedError("of kind " + e.kind() + ": " + e.getMessage(), e);
      }
      boolean isListed =
          REFUSALS.keySet().stream().anyMatch(reason -> reason.matcher(e.getMessage()).find());
      if (!isDamaged && !isListed) {
        throw new AssertionFailedError(
            "a valid model is refused at " + stage + ": " + e.getMessage(), e);
      }
      refusals.merge(stage + " " + what + " " + e.getMessage(), 1, Integer::sum);
      return stage;
    }
  }

  /** As the job does it: functions and what is computed from constants go first. */
  private static OnnxModel prepared(OnnxModel model) {
    OnnxModel plain = FloatPasses.withoutFunctions(model, GraphFuzzTest::typesOf);
    OnnxModel folded = ConstantFolding.apply(plain, "float");
    FatalNodes.check(folded);
    return FloatPasses.prepare(folded, FloatPasses.Options.none(), GraphFuzzTest::typesOf);
  }

  private static Outcome began(long seed, String what, Outcome stage) throws IOException {
    Files.writeString(LAST, "-Dtare.fuzz.seed=" + seed + " " + what + " before " + stage);
    return stage;
  }

  /** As far as they are known: whether the model loads is seen later. */
  private static Map<String, TensorType> typesOf(OnnxModel model) {
    try {
      return TensorTypes.of(model, "older");
    } catch (TareException e) {
      return Map.of();
    }
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

  /**
   * Whether the comparison says something.
   *
   * @param floats the results of the prepared model, from which only float32's rounding keeps the
   *     expected ones
   */
  private static boolean compareValues(
      long seed,
      Map<String, Values> expected,
      Map<String, Values> floats,
      Map<String, Values> actual,
      RoundingNoise noise,
      String how) {
    double length = RoundingNoise.length(expected);
    double worst = 0;
    for (int draw = 0; draw < DRAWS; draw++) {
      Map<String, Values> noisy = noise.results(new Random(seed * DRAWS + draw));
      worst = Math.max(worst, RoundingNoise.distance(expected, noisy));
    }
    boolean isTelling = worst > 0 && worst <= TELLING * length && !noise.hasTinySteps();
    double allowed =
        NOISE_FACTOR * (worst + RoundingNoise.distance(expected, floats)) + FLOAT_ERROR * length;
    double error = RoundingNoise.distance(expected, actual);
    if (isTelling && error > allowed) {
      fail(
          String.format(
              Locale.ROOT,
              "the results are %.3g (%.1f dB) from the float model's, rounding explains %.3g, %s",
              error,
              20 * Math.log10(length / error),
              worst,
              how));
    }
    return isTelling;
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
            // On CPUs without VNNI, ONNX Runtime's products of 8-bit integers saturate.
            true,
            standard.reduceActivations(),
            random.nextInt(4) == 0,
            standard.products());
    return new QConfigMapping(mode, backend, config, List.of());
  }
}
