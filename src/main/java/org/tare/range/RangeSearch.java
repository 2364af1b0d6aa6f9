package org.tare.range;

import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.tare.TareException;
import org.tare.quant.QParams;
import org.tare.quant.QuantSpec;
import org.tare.range.onnxruntime.OnnxRuntimeRanges;
import org.tare.stats.MovingAverage;
import org.tare.stats.TensorStats;

/**
 * Chooses the range of a tensor from its stats.
 *
 * <p>Only finite values count. Of a constant, single or all-zero tensor the range is that one
 * value. The values of an attention mask are set apart first, see {@link Mask}; not by the methods
 * that stand for another tool's, nor by a fixed range.
 */
public final class RangeSearch {
  /** Errors as close as this are equal to {@code auto}: the simpler method wins. */
  static final double AUTO_TOLERANCE = 1.0005;

  static final String AUTO_TOLERANCE_TEXT = "0.05 %";

  private RangeSearch() {}

  /**
   * The range of the method.
   *
   * @throws TareException if no finite value was observed
   */
  public static Range range(String tensor, TensorStats stats, RangeMethod method, QuantSpec spec) {
    return choose(tensor, stats, method, spec).range();
  }

  /**
   * The range of the method, with the error to be expected of it and of min-max.
   *
   * @throws TareException if no finite value was observed, or the state lacks what the method needs
   */
  public static RangeChoice choose(
      String tensor, TensorStats stats, RangeMethod method, QuantSpec spec) {
    if (method instanceof RangeMethod.Fixed fixed) {
      return new RangeChoice(new Range(fixed.min(), fixed.max()), method.id(), 0, 0, 0);
    }
    checkHasValues(tensor, stats);
    if (isAnotherTools(method)) {
      return chosen(tensor, stats, method, spec, Optional.empty());
    }
    Mask mask = Mask.of(stats);
    return chosen(tensor, mask.rest(), method, spec, Optional.of(mask));
  }

  /** What a range is chosen for, as {@link #choose} takes it. */
  public record Wanted(String tensor, TensorStats stats, RangeMethod method, QuantSpec spec) {}

  /**
   * What {@link #choose} gives for each, in their order. All cores search.
   *
   * @throws TareException as it does, for the first of which it does
   */
  public static List<RangeChoice> chooseAll(List<Wanted> wanted) {
    List<Supplier<RangeChoice>> found =
        wanted.parallelStream().map(RangeSearch::choiceOrFailure).toList();
    return found.stream().map(Supplier::get).toList();
  }

  private static Supplier<RangeChoice> choiceOrFailure(Wanted one) {
    try {
      RangeChoice choice = choose(one.tensor(), one.stats(), one.method(), one.spec());
      return () -> choice;
    } catch (TareException e) {
      return () -> {
        throw e;
      };
    }
  }

  /**
   * The range for a column of a table: as {@link #choose}, but min-max is literal. It goes from the
   * least to the greatest finite value with no mask set apart, as an observer of that name does.
   *
   * @param column how messages call the column
   * @throws TareException if no finite value was observed, or the state lacks what the method needs
   */
  public static RangeChoice chooseForColumn(
      String column, TensorStats stats, RangeMethod method, QuantSpec spec) {
    if (method instanceof RangeMethod.MinMax) {
      checkHasValues(column, stats);
      return chosen(column, stats, method, spec, Optional.empty());
    }
    return choose(column, stats, method, spec);
  }

  private static RangeChoice chosen(
      String tensor, TensorStats stats, RangeMethod method, QuantSpec spec, Optional<Mask> mask) {
    BucketTable table = new BucketTable(stats);
    UnaryOperator<Range> extend = range -> mask.map(m -> m.extend(range)).orElse(range);
    Range range = extend.apply(new Range(stats.min(), stats.max()));
    double minMaxError = error(table, range, spec);
    RangeMethod chosen = method;
    double error = minMaxError;
    if (method instanceof RangeMethod.Auto) {
      chosen = new RangeMethod.MinMax();
      for (RangeMethod candidate : AUTO_CANDIDATES) {
        Range found = extend.apply(rangeOf(tensor, stats, table, candidate, spec));
        double foundError = error(table, found, spec);
        if (foundError * AUTO_TOLERANCE < error) {
          range = found;
          chosen = candidate;
          error = foundError;
        }
      }
    } else {
      range = extend.apply(rangeOf(tensor, stats, table, method, spec));
      error = error(table, range, spec);
    }
    return new RangeChoice(
        range, chosen.id(), error, minMaxError, mask.map(Mask::count).orElse(0L));
  }

  private static final RangeMethod[] AUTO_CANDIDATES = {
    RangeMethod.Percentile.of(99.999), new RangeMethod.Entropy(), new RangeMethod.Mse()
  };

  private static void checkHasValues(String tensor, TensorStats stats) {
    if (stats.finiteCount() == 0) {
      throw TareException.badInput(
          "Cannot choose a range for tensor \"%s\": no finite value was observed (%d NaN,"
              + " %d infinite)",
          tensor, stats.nans(), stats.positiveInfinities() + stats.negativeInfinities());
    }
  }

  private static boolean isAnotherTools(RangeMethod method) {
    return method instanceof RangeMethod.OnnxRuntimePercentile
        || method instanceof RangeMethod.OnnxRuntimeEntropy
        || method instanceof RangeMethod.MovingAverageMinMax;
  }

  private static double error(BucketTable table, Range range, QuantSpec spec) {
    return table.meanSquaredError(spec.qparams(range.min(), range.max()));
  }

  private static Range rangeOf(
      String tensor, TensorStats stats, BucketTable table, RangeMethod method, QuantSpec spec) {
    if (method instanceof RangeMethod.Percentile percentile) {
      return Percentiles.range(stats, percentile, spec.symmetric());
    } else if (method instanceof RangeMethod.Mse) {
      return LeastErrorSearch.search(table, stats, spec, 2);
    } else if (method instanceof RangeMethod.Lp lp) {
      return LeastErrorSearch.search(table, stats, spec, lp.p());
    } else if (method instanceof RangeMethod.Entropy) {
      return EntropySearch.search(stats, spec);
    } else if (method instanceof RangeMethod.Sigma sigma) {
      return table.sigma(sigma.k(), stats.min(), stats.max());
    } else if (method instanceof RangeMethod.MovingAverageMinMax average) {
      return movingAverage(tensor, stats, average.constant());
    } else if (method instanceof RangeMethod.OnnxRuntimePercentile percentile) {
      return OnnxRuntimeRanges.percentile(
          stats, percentile.percentile(), percentile.bins(), spec.symmetric());
    } else if (method instanceof RangeMethod.OnnxRuntimeEntropy entropy) {
      return OnnxRuntimeRanges.entropy(stats, entropy.bins(), entropy.levels());
    }
    return new Range(stats.min(), stats.max());
  }

  private static Range movingAverage(String tensor, TensorStats stats, float constant) {
    MovingAverage average =
        stats
            .average()
            .filter(found -> found.batches() > 0)
            .orElseThrow(
                () ->
                    TareException.badInput(
                        "Cannot choose a range for tensor \"%s\": the state holds no moving average;"
                            + " calibrate with the method moving-average",
                        tensor));
    if (average.constant() != constant) {
      throw TareException.badInput(
          "Cannot choose a range for tensor \"%s\": its moving average was made with constant %s, not"
              + " %s; calibrate again, or leave the constant as it was",
          tensor, average.constant(), constant);
    }
    if (average.channels() != 1) {
      throw TareException.badInput(
          "Cannot choose a range for tensor \"%s\": its moving average is one per channel", tensor);
    }
    float low = average.min(0);
    float high = average.max(0);
    // Both ends are averages of their own: rounding can cross those of a constant tensor.
    return new Range(Math.min(low, high), Math.max(low, high));
  }

  /** The stats without the values of an attention mask, see {@link Mask}: without one, the same. */
  public static TensorStats withoutMask(TensorStats stats) {
    return Mask.of(stats).rest();
  }

  /**
   * The mean of (x - fakeQuantize(x))^2 over the finite values, with those of a bucket taken as
   * uniform in it; 0 for no values.
   */
  public static double expectedSquaredError(TensorStats stats, QParams qparams) {
    return new BucketTable(stats).meanSquaredError(qparams);
  }
}
