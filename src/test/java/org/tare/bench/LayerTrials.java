package org.tare.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.Calibration;
import org.tare.MeasureSensitivity;
import org.tare.Mix;
import org.tare.Quantized;
import org.tare.Sensitivity;
import org.tare.Tare;
import org.tare.job.trials.Layer;
import org.tare.job.trials.MixRun;
import org.tare.job.trials.SensitivityRun.Trial;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.stats.CalibrationState;

/**
 * One layer at a time in 4 bits: all in one switched model, and each in a model of its own, in one
 * run; then the cheapest types for a drop, by {@code mix} and by {@link RevertLoop}. Arguments:
 * model, calibration rows, validation rows, how many of each, the drop of top-1; then settings as
 * key=value.
 */
public final class LayerTrials {
  private LayerTrials() {}

  public static void main(String[] arguments) throws Exception {
    String model = arguments[0];
    SparkSession spark =
        SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false").getOrCreate();
    Dataset<Row> data =
        spark.read().parquet(arguments[1]).limit(Integer.parseInt(arguments[3])).cache();
    Dataset<Row> rows =
        spark.read().parquet(arguments[2]).limit(Integer.parseInt(arguments[4])).cache();
    Map<String, Object> settings = new HashMap<>();
    for (int i = 6; i < arguments.length; i++) {
      String[] pair = arguments[i].split("=", 2);
      settings.put(pair[0], pair[1]);
    }
    settings.put("quantize.smooth-quant", false);
    settings.put("quantize.bias-correction", "false");
    settings.put("quantize.weight.rounding", "nearest");
    Tare tare = Tare.on(spark);
    Calibration calibration = tare.calibrate(model).data(data).set(settings).run();
    String state = java.nio.file.Files.createTempDirectory("trials") + "/c";
    tare.calibrate(model).data(data).set(settings).output(state).run();

    MeasureSensitivity switched =
        tare.sensitivity(model)
            .state(state + "/state.tare")
            .validation(rows)
            .label("label")
            .set(settings)
            .set("sensitivity.types", "w4a8");
    long begun = System.nanoTime();
    Sensitivity found = switched.run();
    double together = (System.nanoTime() - begun) / 1e9;

    begun = System.nanoTime();
    List<OutputMetrics> written = new ArrayList<>();
    for (Trial one : found.layers()) {
      written.add(apart(tare, model, calibration, rows, settings, found.layers(), one));
    }
    double apart = (System.nanoTime() - begun) / 1e9;

    begun = System.nanoTime();
    switched.run();
    double again = (System.nanoTime() - begun) / 1e9;

    List<OutputMetrics> simulated =
        found.layers().stream().map(one -> one.outputs().values().iterator().next()).toList();
    print("layers %d, rows %d", written.size(), rows.count());
    print("together %.1f s, apart %.1f s: %.1f times", together, apart, apart / together);
    print("together again, in a process that is warm, %.1f s: %.1f times", again, apart / again);
    print("Spearman of SQNR %.4f", spearman(simulated, written, OutputMetrics::sqnr));
    print("Spearman of top-1 %.4f", spearman(simulated, written, OutputMetrics::quantizedTop1));

    begun = System.nanoTime();
    Mix mix =
        tare.mix(model)
            .state(state + "/state.tare")
            .validation(rows)
            .label("label")
            .set(settings)
            .maxDrop(Double.parseDouble(arguments[5]))
            .run();
    print("mix: %d forms, %.1f s", mix.evaluations(), (System.nanoTime() - begun) / 1e9);
    for (MixRun.Point point : mix.front()) {
      print(
          "%9d bytes, top-1 %.4f%s",
          point.bytes(), point.metric(), point.equals(mix.chosen()) ? ", chosen" : "");
    }
    mix.summary().forEach(fact -> print("%s: %s", fact.name(), fact.value()));
    List<Layer> layers = found.layers().stream().map(one -> one.layer().orElseThrow()).toList();
    RevertLoop loop = new RevertLoop(tare, model, state + "/state.tare", rows, settings, layers);
    print("%s", loop.run(Double.parseDouble(arguments[5])));
    spark.stop();
  }

  private static OutputMetrics apart(
      Tare tare,
      String model,
      Calibration calibration,
      Dataset<Row> rows,
      Map<String, Object> settings,
      List<Trial> all,
      Trial one) {
    List<Map<String, Object>> rules = new ArrayList<>();
    for (Trial other : all) {
      String output = other.layer().orElseThrow().output();
      rules.add(
          other == one
              ? Map.of("name", output, "weight", Map.of("dtype", "int4", "method", "mse"))
              : Map.of("name", output, "float", true));
    }
    return written(tare, model, calibration.state(), rows, settings, rules);
  }

  /** The figures of a model that is written by rules, and evaluated. */
  static OutputMetrics written(
      Tare tare,
      String model,
      CalibrationState state,
      Dataset<Row> rows,
      Map<String, Object> settings,
      List<Map<String, Object>> rules) {
    Quantized q = tare.quantize(model).state(state).set(settings).overrides(rules).run();
    return tare.evaluate(model, q)
        .data(rows)
        .label("label")
        .set(settings)
        .run()
        .outputs()
        .values()
        .iterator()
        .next();
  }

  /** The correlation of ranks; ties share the mean of theirs. */
  private static double spearman(
      List<OutputMetrics> x, List<OutputMetrics> y, ToDoubleFunction<OutputMetrics> figure) {
    double[] a = ranks(x.stream().mapToDouble(figure).toArray());
    double[] b = ranks(y.stream().mapToDouble(figure).toArray());
    double mean = (a.length - 1) / 2.0;
    double product = 0;
    double own = 0;
    double other = 0;
    for (int i = 0; i < a.length; i++) {
      product += (a[i] - mean) * (b[i] - mean);
      own += (a[i] - mean) * (a[i] - mean);
      other += (b[i] - mean) * (b[i] - mean);
    }
    return product / Math.sqrt(own * other);
  }

  private static double[] ranks(double[] values) {
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < values.length; i++) {
      order.add(i);
    }
    order.sort(Comparator.comparingDouble(i -> values[i]));
    double[] ranks = new double[values.length];
    for (int i = 0; i < values.length; ) {
      int end = i;
      while (end < values.length && values[order.get(end)] == values[order.get(i)]) {
        end++;
      }
      for (int j = i; j < end; j++) {
        ranks[order.get(j)] = (i + end - 1) / 2.0;
      }
      i = end;
    }
    return ranks;
  }

  private static void print(String format, Object... values) {
    System.out.println(String.format(Locale.ROOT, format, values));
  }
}
