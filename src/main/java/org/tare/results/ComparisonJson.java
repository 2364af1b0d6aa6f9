package org.tare.results;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import org.tare.job.compare.ComparisonRun.ComparedTensor;
import org.tare.job.compare.WeightComparison.Weight;
import org.tare.quant.Fidelity;
import org.tare.spark.tasks.CompareJob;
import org.tare.spark.tasks.OutputMetrics;

/** The JSON form of a comparison by layers. */
public final class ComparisonJson {
  private ComparisonJson() {}

  /** Adds weights, and tensors if there were rows. */
  public static void add(
      ObjectNode result,
      List<Weight> weights,
      List<ComparedTensor> tensors,
      Optional<CompareJob.Result> activations) {
    ObjectNode node = result.putObject("comparison");
    ArrayNode list = node.putArray("weights");
    for (Weight weight : weights) {
      ObjectNode one = list.addObject();
      one.put("name", weight.name());
      one.put("layer", weight.layer());
      one.put("result", weight.result());
      one.put("op", weight.opType());
      put(one, weight.all());
      ResultJson.put(one, "greatest_error", weight.greatest());
      ArrayNode channels = one.putArray("channel_sqnr_db");
      for (Fidelity channel : weight.channels()) {
        double sqnr = channel.sqnr();
        if (Double.isFinite(sqnr)) {
          channels.add(sqnr);
        } else {
          channels.addNull();
        }
      }
    }
    if (activations.isEmpty()) {
      return;
    }
    addFigures(node, tensors, activations.get().all());
    if (!activations.get().slices().isEmpty()) {
      ObjectNode slices = node.putObject("slices");
      activations
          .get()
          .slices()
          .forEach((name, figures) -> addFigures(slices.putObject(name), tensors, figures));
    }
  }

  private static void addFigures(
      ObjectNode node, List<ComparedTensor> tensors, CompareJob.Figures figures) {
    node.put("rows", figures.rows());
    ArrayNode list = node.putArray("tensors");
    for (ComparedTensor tensor : tensors) {
      OutputMetrics whole = figures.accumulated().get(tensor.name());
      OutputMetrics alone = figures.local().get(tensor.name());
      if (whole != null && alone != null) {
        ObjectNode one = list.addObject();
        one.put("name", tensor.name());
        one.put("op", tensor.opType());
        put(one.putObject("accumulated"), whole);
        put(one.putObject("local"), alone);
      }
    }
  }

  private static void put(ObjectNode node, OutputMetrics metrics) {
    ResultJson.put(node, "sqnr_db", metrics.sqnr());
    ResultJson.put(node, "mse", metrics.mse());
    ResultJson.put(node, "cosine", metrics.cosine());
    ResultJson.put(node, "relative_error", Math.pow(10, metrics.sqnr() / -20));
    if (metrics.nonFinite() > 0) {
      node.put("non_finite", metrics.nonFinite());
    }
  }

  private static void put(ObjectNode node, Fidelity fidelity) {
    ResultJson.put(node, "sqnr_db", fidelity.sqnr());
    ResultJson.put(node, "mse", fidelity.mse());
    ResultJson.put(node, "cosine", fidelity.cosine());
  }
}
