package org.tare.results;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.tare.correct.SmoothQuant;
import org.tare.job.Corrections;
import org.tare.job.TrainingRun;
import org.tare.plan.FloatNode;
import org.tare.quant.ChannelQParams;
import org.tare.quant.QParams;
import org.tare.rewrite.QuantizedModel;
import org.tare.rewrite.QuantizedWeight;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.IntegerMetrics;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.spark.tasks.SqlEvaluation;
import org.tare.stats.CalibrationState;

/** The JSON forms of results: what {@code result.json} and {@code qparams.json} hold. */
public final class ResultJson {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ResultJson() {}

  /** What every result begins with. */
  public static ObjectNode begin(Provenance run) {
    ObjectNode result = JSON.createObjectNode();
    result.put("schema", 1);
    result.put("command", run.command());
    result.put("tare", run.tare());
    run.spark().ifPresent(version -> result.put("spark", version));
    result.put("java", run.java());
    result.put("started", run.started().toString());
    result.put("ended", run.ended().toString());
    run.model()
        .ifPresent(
            model ->
                result
                    .putObject("model")
                    .put("name", model.name())
                    .put("sha256", model.sha256())
                    .put("bytes", model.bytes()));
    run.tables()
        .forEach(
            (name, table) -> {
              ObjectNode node = result.putObject(name);
              node.put("source", table.source());
              table.sample().ifPresent(sample -> node.put("sample", sample));
            });
    ObjectNode settings = result.putObject("settings");
    run.settings().forEach(settings::put);
    return result;
  }

  /** What every result ends with. */
  public static ObjectNode end(ObjectNode result, Provenance run, List<String> warnings) {
    ObjectNode seconds = result.putObject("seconds");
    run.seconds().forEach(seconds::put);
    ArrayNode list = result.putArray("warnings");
    warnings.forEach(list::add);
    return result;
  }

  /** The text of a file. */
  public static byte[] bytes(ObjectNode node) {
    return (node.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
  }

  /** Adds what was observed: rows, tensors, slices and their digests. */
  public static void addCalibration(ObjectNode result, CalibrationJob.Result calibration) {
    ObjectNode node = result.putObject("calibration");
    node.put("rows", calibration.state().rows());
    node.put("skipped_rows", calibration.skipped());
    if (calibration.skipped() > 0) {
      node.put("skipped_reason", calibration.reason());
    }
    node.put("partitions", calibration.partitions());
    node.put("tensors", calibration.state().tensors().size());
    if (!calibration.slices().isEmpty()) {
      ObjectNode slices = node.putObject("slices");
      calibration.slices().forEach((slice, state) -> slices.put(slice, state.rows()));
    }
    byte[] state = calibration.state().encode();
    node.put("state_bytes", state.length);
    node.put("state_sha256", CalibrationState.digest(state));
  }

  static void addQuantized(ObjectNode result, QuantizedModel quantized, long bytes) {
    ObjectNode node = result.putObject("quantized");
    node.put("bytes", bytes);
    node.put("activations", quantized.activations().size());
    node.put("weights", quantized.weights().size());
    long values = quantized.weights().values().stream().mapToLong(QuantizedWeight::elements).sum();
    long stored = quantized.weights().values().stream().mapToLong(QuantizedWeight::bytes).sum();
    if (values > 0) {
      node.put("bytes_per_weight", (double) stored / values);
    }
    node.put("removed_activation_functions", quantized.removedActivations());
    ArrayNode floats = node.putArray("float_nodes");
    for (FloatNode left : quantized.floatNodes()) {
      ObjectNode one = floats.addObject();
      one.put("op", left.opType());
      one.put("name", left.name());
      one.put("reason", left.reason());
    }
  }

  /** Which tensors got SmoothQuant's factors, and what was measured of each correction. */
  static void addCorrections(ObjectNode result, Corrections.Chosen chosen) {
    ObjectNode quantized = (ObjectNode) result.get("quantized");
    ArrayNode smoothed = quantized.putArray("smoothed");
    for (SmoothQuant.Layer layer : chosen.layers()) {
      ObjectNode one = smoothed.addObject();
      one.put("tensor", layer.tensor());
      one.put("alpha", layer.smoothing().alpha());
      one.put("expected_gain", layer.gain());
      one.put("folded", layer.folded());
      layer.products().forEach(one.withArray("products")::add);
    }
    ArrayNode corrections = quantized.putArray("corrections");
    for (Corrections.Trial trial : chosen.trials()) {
      ObjectNode one = corrections.addObject();
      one.put("correction", trial.correction());
      one.put("kept", trial.isKept());
      put(one, "sqnr_db", trial.decibels());
      put(one, "sqnr_db_without", trial.decibelsWithout());
    }
    ArrayNode costs = quantized.putArray("costly_layers");
    for (Corrections.Cost cost : chosen.costs()) {
      ObjectNode one = costs.addObject();
      ArrayNode nodes = one.putArray("nodes");
      cost.nodes().forEach(nodes::add);
      ArrayNode floats = one.putArray("float_nodes");
      cost.floats().forEach(floats::add);
      put(one, "sqnr_db_alone", cost.decibels());
    }
  }

  /** Adds how training went: what was measured without it, and after which steps. */
  public static void addTraining(ObjectNode result, TrainingRun.Result training) {
    ObjectNode node = result.putObject("training");
    node.put("rows", training.rows());
    node.put("steps", training.steps());
    node.put("best_step", training.bestStep());
    addMeasured(node.putObject("before"), training.before());
    addMeasured(node.putObject("best"), training.measured());
    ArrayNode curve = node.putArray("curve");
    for (TrainingRun.Point point : training.curve()) {
      ObjectNode one = curve.addObject();
      one.put("step", point.step());
      put(one, "loss", point.loss());
      point.measured().ifPresent(measured -> addMeasured(one, measured));
    }
  }

  private static void addMeasured(ObjectNode node, TrainingRun.Measured measured) {
    put(node, "sqnr_db", measured.sqnr());
    measured.top1().ifPresent(share -> put(node, "top1", share));
  }

  /** Adds the figures of each output. */
  public static void addEvaluation(ObjectNode result, EvaluationJob.Result evaluation) {
    ObjectNode node = result.putObject("evaluation");
    node.put("rows", evaluation.rows());
    node.put("skipped_rows", evaluation.skipped());
    if (evaluation.skipped() > 0) {
      node.put("skipped_reason", evaluation.reason());
    }
    ObjectNode outputs = node.putObject("outputs");
    for (Map.Entry<String, OutputMetrics> entry : evaluation.outputs().entrySet()) {
      OutputMetrics metrics = entry.getValue();
      ObjectNode one = outputs.putObject(entry.getKey());
      one.put("comparison", Comparison.of(metrics).id());
      put(one, "sqnr_db", metrics.sqnr());
      put(one, "mse", metrics.mse());
      put(one, "cosine", metrics.cosine());
      one.put("non_finite", metrics.nonFinite());
      if (metrics.hasClasses()) {
        put(one, "top1_agreement", metrics.agreement());
      }
      if (metrics.isLabelled()) {
        put(one, "float_top1", metrics.floatTop1());
        put(one, "quantized_top1", metrics.quantizedTop1());
        put(one, "float_top5", metrics.floatTop5());
        put(one, "quantized_top5", metrics.quantizedTop5());
      }
    }
    for (Map.Entry<String, IntegerMetrics> entry : evaluation.integers().entrySet()) {
      IntegerMetrics metrics = entry.getValue();
      ObjectNode one = outputs.putObject(entry.getKey());
      one.put(
          "comparison", (metrics.agreement() == 1 ? Comparison.EQUAL : Comparison.INTEGERS).id());
      put(one, "agreement", metrics.agreement());
      put(one, "row_agreement", metrics.rowAgreement());
      if (metrics.isLabelled()) {
        put(one, "float_top1", metrics.floatTop1());
        put(one, "quantized_top1", metrics.quantizedTop1());
      }
    }
  }

  /** Adds a metric of the user's to an evaluation. */
  public static void addMetric(ObjectNode result, String sql, SqlEvaluation.Figures figures) {
    ObjectNode node = result.withObjectProperty("evaluation");
    node.put("metric_sql", sql);
    put(node, "metric", figures.quantized());
    put(node, "float_metric", figures.floats());
  }

  /** JSON has no infinities: a value that is not finite becomes null. */
  static void put(ObjectNode node, String key, double value) {
    if (Double.isFinite(value)) {
      node.put(key, value);
    } else {
      node.putNull(key);
    }
  }

  /** What {@code qparams.json} holds. */
  public static ObjectNode qparams(QuantizedModel quantized) {
    ObjectNode root = JSON.createObjectNode();
    ObjectNode activations = root.putObject("activations");
    quantized
        .activations()
        .forEach(
            (tensor, chosen) -> {
              QParams q = chosen.qparams();
              ObjectNode node = activations.putObject(tensor);
              node.put("dtype", q.dtype().id());
              node.put("scale", q.scale());
              node.put("zero_point", q.zeroPoint());
              node.put("min", chosen.range().min());
              node.put("max", chosen.range().max());
              node.put("method", chosen.method());
              if (!chosen.method().equals("fixed")) {
                put(node, "expected_mse", chosen.choice().expectedError());
                put(node, "minmax_mse", chosen.choice().minMaxError());
              }
              if (chosen.choice().masked() > 0) {
                node.put("masked", chosen.choice().masked());
              }
              ArrayNode shared = node.putArray("shared_by");
              chosen.sharedBy().forEach(shared::add);
            });
    ObjectNode weights = root.putObject("weights");
    for (Map.Entry<String, QuantizedWeight> entry : quantized.weights().entrySet()) {
      QuantizedWeight weight = entry.getValue();
      ObjectNode node = weights.putObject(entry.getKey());
      node.put("dtype", weight.dtype().id());
      node.put("values", weight.elements());
      node.put("bytes", weight.bytes());
      weight
          .blocks()
          .ifPresent(
              blocks -> {
                // One pair for every few values: they are in the model, and would drown the rest.
                node.put("block", blocks.block());
                node.put("blocks", blocks.scales().length);
              });
      weight.channels().ifPresent(channels -> put(node, channels));
    }
    return root;
  }

  private static void put(ObjectNode node, ChannelQParams qparams) {
    if (qparams.isPerChannel()) {
      node.put("axis", qparams.axis());
    }
    ArrayNode scales = node.putArray("scale");
    ArrayNode zeroPoints = node.putArray("zero_point");
    for (QParams q : qparams.channels()) {
      scales.add(q.scale());
      zeroPoints.add(q.zeroPoint());
    }
  }
}
