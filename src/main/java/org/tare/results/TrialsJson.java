package org.tare.results;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.tare.job.trials.Criterion;
import org.tare.job.trials.Layer;
import org.tare.job.trials.LayerType;
import org.tare.job.trials.Metric;
import org.tare.job.trials.MixRun;
import org.tare.job.trials.SensitivityRun;
import org.tare.spark.tasks.OutputMetrics;

/** The JSON forms of trials of layers. */
public final class TrialsJson {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final String TIME = "microseconds_per_row";

  private TrialsJson() {}

  /** Adds what each layer costs. */
  public static void addSensitivity(
      ObjectNode result, SensitivityRun.Options options, SensitivityRun.Result found) {
    ObjectNode node = result.putObject("sensitivity");
    addMetric(node, options.metric());
    node.put(
        "direction", options.direction() == SensitivityRun.Direction.ONLY ? "only" : "all-but");
    node.put("rows", found.rows());
    ArrayNode whole = node.putArray("all_layers");
    found.whole().forEach(trial -> add(whole.addObject(), trial, options.metric()));
    ArrayNode layers = node.putArray("layers");
    found.trials().forEach(trial -> add(layers.addObject(), trial, options.metric()));
  }

  private static void addMetric(ObjectNode node, Criterion metric) {
    node.put("metric", metric.id());
    if (metric instanceof Criterion.Own own) {
      node.put("metric_sql", own.sql());
    }
  }

  private static void add(ObjectNode one, SensitivityRun.Trial trial, Criterion metric) {
    trial
        .layer()
        .ifPresent(
            layer -> {
              one.put("name", layer.name());
              one.put("output", layer.output());
              one.put("op", layer.opType());
              one.put("weights", layer.weights());
            });
    one.put("type", trial.type().id());
    if (metric instanceof Criterion.Own) {
      ResultJson.put(one, "sql", trial.metric());
    }
    addFigures(one, trial.outputs());
  }

  private static void addFigures(ObjectNode one, Map<String, OutputMetrics> outputs) {
    ResultJson.put(one, "sqnr_db", Metric.SQNR.of(outputs));
    for (OutputMetrics metrics : outputs.values()) {
      if (metrics.hasClasses()) {
        ResultJson.put(one, "top1_agreement", metrics.agreement());
        ResultJson.put(one, "kl", metrics.divergence());
        if (metrics.isLabelled()) {
          ResultJson.put(one, "float_top1", metrics.floatTop1());
          ResultJson.put(one, "quantized_top1", metrics.quantizedTop1());
        }
        return;
      }
    }
  }

  /** Adds the types that were found, and what else was measured. */
  public static void addMix(ObjectNode result, MixRun.Options options, MixRun.Result found) {
    ObjectNode node = result.putObject("mix");
    addMetric(node, options.metric());
    node.put(options.isDrop() ? "max_drop" : "target", options.target());
    node.put("cost", options.cost().name().toLowerCase(Locale.ROOT));
    ResultJson.put(node, "float_metric", found.floatMetric());
    ResultJson.put(node, "chosen_metric", found.chosen().metric());
    node.put("bytes", found.chosen().bytes());
    addTime(node, found.chosen());
    node.put("float_bytes", bytes(found.layers(), LayerType.FLOAT));
    node.put("rows", found.rows());
    node.put("evaluations", found.evaluations());
    ArrayNode layers = node.putArray("layers");
    List<LayerType> types = found.chosen().assignment().types();
    for (int i = 0; i < types.size(); i++) {
      ObjectNode one =
          layers
              .addObject()
              .put("name", found.layers().get(i).name())
              .put("output", found.layers().get(i).output())
              .put("type", types.get(i).id());
      if (!found.times().isEmpty()) {
        ObjectNode times = one.putObject(TIME);
        found.times().get(i).forEach((type, time) -> ResultJson.put(times, type.id(), 1e6 * time));
      }
    }
    node.set("overrides", JSON.valueToTree(found.overrides()));
    ArrayNode front = node.putArray("pareto_front");
    for (MixRun.Point point : found.front(options.metric())) {
      ObjectNode one = front.addObject();
      one.put("bytes", point.bytes());
      addTime(one, point);
      ResultJson.put(one, "metric", point.metric());
      one.put("chosen", point.equals(found.chosen()));
      ObjectNode counts = one.putObject("types");
      for (LayerType type : options.types()) {
        long count = point.assignment().types().stream().filter(type::equals).count();
        if (count > 0) {
          counts.put(type.id(), count);
        }
      }
    }
  }

  private static void addTime(ObjectNode one, MixRun.Point point) {
    point.seconds().ifPresent(seconds -> ResultJson.put(one, TIME, 1e6 * seconds));
  }

  private static long bytes(List<Layer> layers, LayerType type) {
    return layers.stream().mapToLong(layer -> type.bytes(layer.weights())).sum();
  }
}
