package org.tare.range;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.stats.MovingAverage;

/**
 * How a tensor's range is chosen from its stats. {@link RangeSearch} carries it out. All methods
 * read the same merged state, so they can be compared without running the model again.
 */
public sealed interface RangeMethod {
  /**
   * From the least finite value to the greatest, an attention mask apart: see {@link RangeSearch}.
   */
  record MinMax() implements RangeMethod {
    @Override
    public String id() {
      return "minmax";
    }
  }

  /**
   * From one percentile to another, interpolated within a bucket of the histogram; symmetric
   * targets take the percentile of the magnitudes that leaves as much outside.
   *
   * @param lower percent of the values that lie below the range, from 0
   * @param upper percent of the values that do not lie above it, at most 100
   */
  record Percentile(double lower, double upper) implements RangeMethod {
    /** ONNX Runtime's default. */
    public static final double DEFAULT = 99.999;

    public Percentile {
      if (!(lower >= 0 && lower < upper && upper <= 100)) {
        throw TareException.usage(
            "percentiles cannot be %s and %s: they are from 0 to 100, the lower one first",
            lower, upper);
      }
    }

    /**
     * All but (100 - p) percent of the values, half of them cut on each side.
     *
     * @param percentile above 50, at most 100, in percent
     */
    public static Percentile of(double percentile) {
      if (!(percentile > 50 && percentile <= 100)) {
        throw TareException.usage(
            "percentile cannot be %s: it is above 50 and at most 100", percentile);
      }
      return new Percentile((100 - percentile) / 2, 100 - (100 - percentile) / 2);
    }

    @Override
    public String id() {
      return "percentile";
    }
  }

  /** The range of least expected squared error for the target type and scheme. */
  record Mse() implements RangeMethod {
    @Override
    public String id() {
      return "mse";
    }
  }

  /**
   * The range of least expected |x - fakeQuantize(x)|^p.
   *
   * @param p from 0.5 to 16; 2 is {@link Mse}, larger ones care more for outliers
   */
  record Lp(double p) implements RangeMethod {
    public Lp {
      if (!(p >= 0.5 && p <= 16)) {
        throw TareException.usage("p cannot be %s: it is from 0.5 to 16", p);
      }
    }

    @Override
    public String id() {
      return "lp";
    }
  }

  /**
   * The threshold of least Kullback-Leibler divergence, after TensorRT's calibration (Migacz, GTC
   * 2017): 2,048 bins, each candidate's bins collapsed to as many levels as the type has.
   */
  record Entropy() implements RangeMethod {
    @Override
    public String id() {
      return "entropy";
    }
  }

  /**
   * The mean and k standard deviations on each side, within what was observed.
   *
   * @param k above 0
   */
  record Sigma(double k) implements RangeMethod {
    public Sigma {
      if (!(k > 0) || Double.isInfinite(k)) {
        throw TareException.usage("k cannot be %s: it is a number above 0", k);
      }
    }

    @Override
    public String id() {
      return "sigma";
    }
  }

  /** The given range, whatever was observed. */
  record Fixed(float min, float max) implements RangeMethod {
    public Fixed {
      if (!Float.isFinite(min) || !Float.isFinite(max) || min > max) {
        throw TareException.usage("a fixed range cannot be [%s, %s]", min, max);
      }
    }

    @Override
    public String id() {
      return "fixed";
    }
  }

  /**
   * The moving average of the batches' least and greatest values, which must be in the state.
   *
   * @param constant how much each batch moves it, above 0 and at most 1
   */
  record MovingAverageMinMax(float constant) implements RangeMethod {
    public MovingAverageMinMax {
      MovingAverage.checkConstant(constant);
    }

    @Override
    public String id() {
      return "moving-average";
    }
  }

  /**
   * ONNX Runtime's percentile calibrator on a histogram of equal bins, made from the merged one:
   * see {@link org.tare.range.onnxruntime.OnnxRuntimeRanges}.
   */
  record OnnxRuntimePercentile(double percentile, int bins) implements RangeMethod {
    public OnnxRuntimePercentile {
      if (!(percentile >= 0 && percentile <= 100)) {
        throw TareException.usage("percentile cannot be %s: it is from 0 to 100", percentile);
      }
      checkBins(bins, 2);
    }

    @Override
    public String id() {
      return "onnxruntime-percentile";
    }
  }

  /** ONNX Runtime's entropy calibrator, likewise. Its defaults, 128 and 128, search nothing. */
  record OnnxRuntimeEntropy(int bins, int levels) implements RangeMethod {
    public OnnxRuntimeEntropy {
      checkBins(bins, 2);
      checkBins(levels, 2);
    }

    @Override
    public String id() {
      return "onnxruntime-entropy";
    }
  }

  /**
   * Of min-max, percentile, entropy and MSE, the one of least expected squared error for the
   * target; of equals (within {@value RangeSearch#AUTO_TOLERANCE_TEXT}), the first of that list.
   */
  record Auto() implements RangeMethod {
    @Override
    public String id() {
      return "auto";
    }
  }

  private static int wholeNumber(double bins) {
    if (bins != Math.rint(bins)) {
      throw TareException.usage("%s bins or levels cannot be used: it is a whole number", bins);
    }
    return (int) bins;
  }

  private static void checkBins(int bins, int least) {
    if (!(bins >= least && bins <= 1 << 20)) {
      throw TareException.usage(
          "%s bins or levels cannot be used: it is a whole number from %d to 1048576", bins, least);
    }
  }

  /** The name in settings and files. */
  String id();

  /** What each method's parameters are called, by its name. */
  Map<String, Set<String>> PARAMETERS =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("minmax", Set.of()),
              Map.entry("percentile", Set.of("percentile", "lower", "upper")),
              Map.entry("mse", Set.of()),
              Map.entry("lp", Set.of("p")),
              Map.entry("entropy", Set.of()),
              Map.entry("sigma", Set.of("k")),
              Map.entry("fixed", Set.of("min", "max")),
              Map.entry("moving-average", Set.of("constant")),
              Map.entry("onnxruntime-percentile", Set.of("percentile", "bins")),
              Map.entry("onnxruntime-entropy", Set.of("bins", "levels")),
              Map.entry("auto", Set.of())));

  /** The names of all parameters. */
  static Set<String> parameterNames() {
    Set<String> names = new java.util.TreeSet<>();
    PARAMETERS.values().forEach(names::addAll);
    return names;
  }

  /**
   * The method of the given name.
   *
   * @param parameters by name; one that the method does not have is an error
   * @throws TareException if there is no such method, or a parameter is out of range
   */
  static RangeMethod parse(String name, Map<String, Double> parameters) {
    String id = name.toLowerCase(Locale.ROOT).replace('_', '-');
    Set<String> known = PARAMETERS.get(id);
    if (known == null) {
      throw TareException.usage(
          "Unknown range method \"%s\": it is one of %s",
          name, String.join(", ", PARAMETERS.keySet()));
    }
    parameters.forEach(
        (parameter, value) -> {
          if (!known.contains(parameter)) {
            throw TareException.usage(
                "%s: %s has no meaning with method \"%s\"", parameter, value, name);
          }
        });
    return switch (id) {
      case "minmax" -> new MinMax();
      case "percentile" -> percentile(parameters);
      case "mse" -> new Mse();
      case "lp" -> new Lp(required(name, parameters, "p"));
      case "entropy" -> new Entropy();
      case "sigma" -> new Sigma(parameters.getOrDefault("k", 3.0));
      case "fixed" ->
          new Fixed(
              (float) required(name, parameters, "min"), (float) required(name, parameters, "max"));
      case "moving-average" ->
          new MovingAverageMinMax(
              parameters
                  .getOrDefault("constant", (double) MovingAverage.DEFAULT_CONSTANT)
                  .floatValue());
      case "onnxruntime-percentile" ->
          new OnnxRuntimePercentile(
              parameters.getOrDefault("percentile", Percentile.DEFAULT),
              wholeNumber(parameters.getOrDefault("bins", 2048.0)));
      case "onnxruntime-entropy" ->
          new OnnxRuntimeEntropy(
              wholeNumber(parameters.getOrDefault("bins", 128.0)),
              wholeNumber(parameters.getOrDefault("levels", 128.0)));
      case "auto" -> new Auto();
      default -> throw new IllegalStateException(Arrays.toString(known.toArray()));
    };
  }

  /**
   * The method of a text with its parameters, as in {@code percentile(percentile=99.9)}; the name
   * alone has the defaults.
   *
   * @throws TareException if it is not such a text, or see {@link #parse(String, Map)}
   */
  static RangeMethod parse(String text) {
    int open = text.indexOf('(');
    if (open < 0) {
      return parse(text.strip(), Map.of());
    }
    Map<String, Double> parameters = new TreeMap<>();
    String stripped = text.strip();
    if (!stripped.endsWith(")")) {
      throw TareException.usage("Cannot read range method \"%s\": it lacks the closing )", text);
    }
    String inside = stripped.substring(stripped.indexOf('(') + 1, stripped.length() - 1);
    for (String assignment : inside.split(",", -1)) {
      String[] sides = assignment.split("=", -1);
      try {
        boolean isTwice =
            parameters.put(sides[0].strip(), Double.parseDouble(sides[1].strip())) != null;
        if (isTwice || sides.length > 2) {
          throw new NumberFormatException(assignment);
        }
      } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
        throw TareException.usage(
                "Cannot read range method \"%s\": \"%s\" is not one name=number", text, assignment)
            .causedBy(e);
      }
    }
    return parse(stripped.substring(0, stripped.indexOf('(')).strip(), parameters);
  }

  private static RangeMethod percentile(Map<String, Double> parameters) {
    if (parameters.containsKey("lower") || parameters.containsKey("upper")) {
      if (parameters.containsKey("percentile")) {
        throw TareException.usage("percentile: give either percentile, or lower and upper");
      }
      return new Percentile(
          parameters.getOrDefault("lower", 0.0), parameters.getOrDefault("upper", 100.0));
    }
    return Percentile.of(parameters.getOrDefault("percentile", Percentile.DEFAULT));
  }

  private static double required(String name, Map<String, Double> parameters, String parameter) {
    Double value = parameters.get(parameter);
    if (value == null) {
      throw TareException.usage("Missing %s: method \"%s\" takes it", parameter, name);
    }
    return value;
  }
}
