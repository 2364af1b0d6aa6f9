package org.tare.range;

import java.util.Locale;
import java.util.OptionalDouble;
import org.tare.TareException;

/** How a tensor's range is chosen from its stats. {@link RangeSearch} carries it out. */
public sealed interface RangeMethod {
  /** From the least finite value to the greatest. */
  record MinMax() implements RangeMethod {
    @Override
    public String id() {
      return "minmax";
    }
  }

  /**
   * All but (100 - p) percent of the finite values, half of them cut on each side, interpolated
   * within a bucket of the histogram; symmetric targets take the pth percentile of the magnitudes.
   *
   * @param percentile above 50, at most 100, in percent
   */
  record Percentile(double percentile) implements RangeMethod {
    /** ONNX Runtime's default. */
    public static final double DEFAULT = 99.999;

    public Percentile {
      if (!(percentile > 50 && percentile <= 100)) {
        throw TareException.usage(
            "percentile cannot be %s: it is above 50 and at most 100", percentile);
      }
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

  /** The name in settings and files. */
  String id();

  /**
   * The method of the given name.
   *
   * @param percentile for {@code percentile}; an error with any other method
   * @throws TareException if there is none, or the percentile is not one
   */
  static RangeMethod parse(String name, OptionalDouble percentile) {
    String id = name.toLowerCase(Locale.ROOT);
    if (percentile.isPresent() && !id.equals("percentile")) {
      throw TareException.usage(
          "percentile: %s has no meaning with method \"%s\"", percentile.getAsDouble(), name);
    }
    return switch (id) {
      case "minmax" -> new MinMax();
      case "percentile" -> new Percentile(percentile.orElse(Percentile.DEFAULT));
      case "mse" -> new Mse();
      default ->
          throw TareException.usage(
              "Unknown range method \"%s\": it is one of minmax, percentile, mse", name);
    };
  }
}
