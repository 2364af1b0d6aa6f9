package org.tare.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.quant.QParams;
import org.tare.quant.QuantSpec;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.stats.TensorStats;

/**
 * The range that one method would choose.
 *
 * @param method its name, with the parameter if it has one
 * @param range as it was chosen
 * @param qparams for that range
 * @param expectedError the mean squared error to be expected of it
 */
public record MethodRange(String method, Range range, QParams qparams, double expectedError) {
  private static final Map<String, RangeMethod> METHODS = methods();

  private static Map<String, RangeMethod> methods() {
    Map<String, RangeMethod> methods = new LinkedHashMap<>();
    methods.put("minmax", new RangeMethod.MinMax());
    methods.put("percentile 99.999", RangeMethod.Percentile.of(99.999));
    methods.put("percentile 99.99", RangeMethod.Percentile.of(99.99));
    methods.put("entropy", new RangeMethod.Entropy());
    methods.put("mse", new RangeMethod.Mse());
    return methods;
  }

  /**
   * The ranges of the common methods, and of the moving average if the state has one.
   *
   * @param stats with at least one finite value
   */
  public static List<MethodRange> all(String tensor, TensorStats stats, QuantSpec spec) {
    List<MethodRange> found = new ArrayList<>();
    METHODS.forEach((name, method) -> found.add(of(name, tensor, stats, method, spec)));
    stats
        .average()
        .filter(average -> average.batches() > 0 && average.channels() == 1)
        .map(average -> new RangeMethod.MovingAverageMinMax(average.constant()))
        .ifPresent(method -> found.add(of(method.id(), tensor, stats, method, spec)));
    return found;
  }

  private static MethodRange of(
      String name, String tensor, TensorStats stats, RangeMethod method, QuantSpec spec) {
    RangeChoice choice = RangeSearch.choose(tensor, stats, method, spec);
    Range range = choice.range();
    QParams qparams = spec.qparams(range.min(), range.max());
    return new MethodRange(name, range, qparams, choice.expectedError());
  }
}
