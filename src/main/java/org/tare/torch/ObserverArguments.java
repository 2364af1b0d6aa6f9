package org.tare.torch;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeSet;
import java.util.function.BiFunction;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.torch.TorchVersion;

/**
 * An observer's arguments by their names in PyTorch, as {@code with_args} takes them: texts,
 * numbers and truth values. {@code version} of {@code HistogramObserver} is Tare's own: whose
 * histogram.
 */
public final class ObserverArguments {
  private static final String QUANT_MIN = "quant_min";
  private static final String QUANT_MAX = "quant_max";

  private ObserverArguments() {}

  /**
   * The observer of the given name with the given arguments.
   *
   * @param observer PyTorch's name, or Tare's
   * @param arguments what is not among them is as PyTorch has it for quint8
   * @throws TareException if there is no such observer, it does not take the argument, or the value
   *     is not of the argument's type
   */
  public static ObserverConfig read(String observer, Map<String, ?> arguments) {
    ObserverConfig config = ObserverConfig.of(ObserverKind.of(observer));
    Map<String, BiFunction<ObserverConfig, Object, ObserverConfig>> known = known(config.kind());
    for (Map.Entry<String, ?> argument : arguments.entrySet()) {
      var setter = known.get(argument.getKey());
      if (setter == null) {
        throw TareException.usage(
            "%s takes no argument \"%s\": it takes %s",
            config.kind().className(),
            argument.getKey(),
            String.join(", ", new TreeSet<>(known.keySet())));
      }
      try {
        config = setter.apply(config, argument.getValue());
      } catch (ClassCastException | ArithmeticException e) {
        throw TareException.usage(
                "%s cannot take %s=%s: the argument is of another type",
                config.kind().className(), argument.getKey(), argument.getValue())
            .causedBy(e);
      }
    }
    return config;
  }

  private static Map<String, BiFunction<ObserverConfig, Object, ObserverConfig>> known(
      ObserverKind kind) {
    Map<String, BiFunction<ObserverConfig, Object, ObserverConfig>> known = new LinkedHashMap<>();
    known.put("dtype", (c, value) -> c.with(DType.of((String) value), c.scheme()));
    known.put("qscheme", (c, value) -> c.with(c.dtype().orElseThrow(), QScheme.of((String) value)));
    known.put("reduce_range", (c, value) -> (Boolean) value ? c.withReducedRange() : c);
    known.put(QUANT_MIN, (c, value) -> c.withRange(limit(value), c.quantMax()));
    known.put(QUANT_MAX, (c, value) -> c.withRange(c.quantMin(), limit(value)));
    known.put("eps", (c, value) -> c.withEps(((Number) value).floatValue()));
    switch (kind) {
      case MOVING_AVERAGE -> known.put("averaging_constant", ObserverArguments::averaging);
      case PER_CHANNEL -> known.put("ch_axis", (c, value) -> c.withAxis(whole(value)));
      case MOVING_AVERAGE_PER_CHANNEL -> {
        known.put("averaging_constant", ObserverArguments::averaging);
        known.put("ch_axis", (c, value) -> c.withAxis(whole(value)));
      }
      case HISTOGRAM -> {
        known.put(
            "bins", (c, value) -> c.withHistogram(c.version(), positive(value), c.upsampleRate()));
        known.put(
            "upsample_rate", (c, value) -> c.withHistogram(c.version(), c.bins(), positive(value)));
        known.put(
            "version",
            (c, value) ->
                c.withHistogram(TorchVersion.of((String) value), c.bins(), c.upsampleRate()));
      }
      default -> {}
    }
    return known;
  }

  private static ObserverConfig averaging(ObserverConfig config, Object value) {
    return config.withAveragingConstant(((Number) value).floatValue());
  }

  private static OptionalInt limit(Object value) {
    return value == null ? OptionalInt.empty() : OptionalInt.of(whole(value));
  }

  private static int positive(Object value) {
    int number = whole(value);
    if (number < 1) {
      throw TareException.usage("a histogram cannot have %d parts: it is a number from 1", number);
    }
    return number;
  }

  /** Python's whole numbers come as int or long. */
  private static int whole(Object value) {
    if (value instanceof Integer || value instanceof Long) {
      return Math.toIntExact(((Number) value).longValue());
    }
    throw new ClassCastException(String.valueOf(value));
  }

  /** The arguments in which an observer differs from {@link ObserverConfig#of}, by name. */
  public static Map<String, Object> of(ObserverConfig config) {
    ObserverConfig plain = ObserverConfig.of(config.kind());
    Map<String, Object> arguments = new LinkedHashMap<>();
    if (!config.dtype().equals(plain.dtype())) {
      config.dtype().ifPresent(type -> arguments.put("dtype", "q" + type.id()));
    }
    if (config.scheme() != plain.scheme()) {
      arguments.put("qscheme", config.scheme().id());
    }
    if (config.reduceRange()) {
      arguments.put("reduce_range", true);
    }
    config.quantMin().ifPresent(limit -> arguments.put(QUANT_MIN, limit));
    config.quantMax().ifPresent(limit -> arguments.put(QUANT_MAX, limit));
    if (config.eps() != plain.eps()) {
      arguments.put("eps", (double) config.eps());
    }
    if (config.averagingConstant() != plain.averagingConstant()) {
      arguments.put("averaging_constant", (double) config.averagingConstant());
    }
    if (config.axis() != plain.axis()) {
      arguments.put("ch_axis", config.axis());
    }
    if (config.bins() != plain.bins()) {
      arguments.put("bins", config.bins());
    }
    if (config.upsampleRate() != plain.upsampleRate()) {
      arguments.put("upsample_rate", config.upsampleRate());
    }
    if (config.version() != plain.version()) {
      arguments.put("version", config.version().id());
    }
    return arguments;
  }
}
