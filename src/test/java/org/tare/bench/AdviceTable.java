package org.tare.bench;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.Evaluation;
import org.tare.Recommendation;
import org.tare.Run;
import org.tare.RunResult;
import org.tare.Tare;
import org.tare.TareException;
import org.tare.job.advice.Advice;
import org.tare.job.advice.Way;
import org.tare.job.trials.Criterion;
import org.tare.job.trials.Metric;

/**
 * What is recommended beside a full grid of modes and settings, each of them a run over all rows,
 * in one process. Arguments: a name, the model, calibration rows, validation rows, the label or -,
 * then settings as key=value, where {@code rows} is how many rows of each table are taken. Prints
 * one line for each setting of the grid and one row of a table.
 */
public final class AdviceTable {
  private final Tare tare;
  private final String model;
  private final Dataset<Row> data;
  private final Dataset<Row> rows;
  private final String label;
  private final Map<String, Object> settings;

  private AdviceTable(
      Tare tare,
      String model,
      Dataset<Row> data,
      Dataset<Row> rows,
      String label,
      Map<String, Object> settings) {
    this.tare = tare;
    this.model = model;
    this.data = data;
    this.rows = rows;
    this.label = label;
    this.settings = settings;
  }

  public static void main(String[] arguments) {
    SparkSession spark =
        SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false").getOrCreate();
    Map<String, Object> settings = new HashMap<>();
    for (int i = 5; i < arguments.length; i++) {
      String[] pair = arguments[i].split("=", 2);
      settings.put(pair[0], pair[1]);
    }
    Object given = settings.remove("rows");
    new AdviceTable(
            Tare.on(spark),
            arguments[1],
            rows(spark, arguments[2], given).cache(),
            rows(spark, arguments[3], given).cache(),
            arguments[4],
            settings)
        .print(arguments[0]);
    spark.stop();
  }

  private static Dataset<Row> rows(SparkSession spark, String table, Object count) {
    Dataset<Row> all = spark.read().parquet(table);
    return count == null ? all : all.limit(Integer.parseInt(count.toString()));
  }

  private void print(String name) {
    long count = data.count() + rows.count();
    // Once for the classes and kernels of this process, on neither side of the comparison.
    run(Map.of("quantize.mode", "weight-only"));
    long begun = System.nanoTime();
    Recommendation found =
        tare.recommend(model)
            .data(data)
            .validation(rows)
            .set(label.equals("-") ? Map.of() : Map.of("validation.label", label))
            .set(settings)
            .run();
    double seconds = seconds(begun);
    found.summary().forEach(fact -> say("%s: %s", fact.name(), fact.value()));
    Advice advice = found.advice();
    Way way = advice.chosen().orElseThrow().way();
    Map<String, Object> chosen = new HashMap<>(way.settings());
    if (!advice.overrides().isEmpty()) {
      chosen.put("quantize.overrides", advice.overrides());
    }
    Metric metric = ((Criterion.Known) advice.metric()).metric();
    double own = figure(run(chosen), metric);

    double best = Double.NEGATIVE_INFINITY;
    Map<String, Object> bestSettings = Map.of();
    begun = System.nanoTime();
    List<Map<String, Object>> grid = grid(advice.traits().staticNodes() > 0);
    for (Map<String, Object> one : grid) {
      try {
        double figure = figure(run(one), metric);
        say("  %.5f %s", figure, one);
        if (figure > best) {
          best = figure;
          bestSettings = one;
        }
      } catch (TareException e) {
        say("  %s %s", one, e.getMessage());
      }
    }
    double gridSeconds = seconds(begun);
    say("best: %s", bestSettings);
    say(
        "| %s | %s | %s %.4f | %.4f of %d | %.2f %% | %.0f s | %.0f s | 1/%.0f | %d rows",
        name,
        way.id(),
        advice.metric().id(),
        own,
        best,
        grid.size(),
        100 * (best - own) / Math.abs(best),
        seconds,
        gridSeconds,
        gridSeconds / seconds,
        count);
  }

  private RunResult run(Map<String, Object> own) {
    Run run = tare.run(model).data(data).validation(rows).set(settings).set(own);
    return (label.equals("-") ? run : run.label(label)).run();
  }

  private static double figure(RunResult made, Metric metric) {
    Evaluation found = made.evaluation().orElseThrow();
    double figure = metric.of(found.outputs());
    return metric.isGreaterBetter() ? figure : -figure;
  }

  /** Modes with all that may matter to them. */
  private static List<Map<String, Object>> grid(boolean hasStatic) {
    List<Map<String, Object>> grid = new ArrayList<>();
    for (String scheme : List.of("per_channel_symmetric", "per_tensor_symmetric")) {
      for (String method : List.of("minmax", "mse")) {
        Map<String, Object> weight =
            Map.of("quantize.weight.scheme", scheme, "quantize.weight.method", method);
        grid.add(with(weight, "quantize.mode", "weight-only"));
        for (String smooth : List.of("auto", "false")) {
          for (String products : List.of("portable", "full")) {
            grid.add(
                with(
                    weight,
                    "quantize.mode",
                    "dynamic",
                    "quantize.smooth-quant",
                    smooth,
                    "quantize.weight.products",
                    products));
          }
        }
        for (String range : List.of("minmax", "percentile", "entropy", "mse")) {
          for (String corrections : hasStatic ? List.of("auto", "none") : List.<String>of()) {
            Map<String, Object> one = with(weight, "quantize.activation.method", range);
            grid.add(
                corrections.equals("auto")
                    ? one
                    : with(
                        one,
                        "quantize.smooth-quant",
                        "false",
                        "quantize.bias-correction",
                        "false",
                        "quantize.weight.rounding",
                        "nearest",
                        "quantize.float-below",
                        "0"));
          }
        }
      }
    }
    for (String dtype : List.of("int4", "uint4")) {
      grid.add(Map.of("quantize.mode", "weight-only", "quantize.weight.dtype", dtype));
    }
    return grid;
  }

  private static Map<String, Object> with(Map<String, Object> some, String... pairs) {
    Map<String, Object> all = new LinkedHashMap<>(some);
    for (int i = 0; i < pairs.length; i += 2) {
      all.put(pairs[i], pairs[i + 1]);
    }
    return all;
  }

  private static double seconds(long begun) {
    return (System.nanoTime() - begun) / 1e9;
  }

  private static void say(String format, Object... values) {
    System.out.println(String.format(Locale.ROOT, format, values));
  }
}
