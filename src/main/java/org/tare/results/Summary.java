package org.tare.results;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.tare.report.ReportData.Fact;

/** The lines for people, read off the results for machines, so that the two agree. */
public final class Summary {
  private Summary() {}

  /** The lines that a result is told in, those of what it holds. */
  public static List<Fact> of(ObjectNode result) {
    List<Fact> facts = new ArrayList<>();
    JsonNode calibration = result.path("calibration");
    if (!calibration.isMissingNode()) {
      facts.add(
          new Fact(
              "Calibrated",
              String.format(
                      Locale.ROOT,
                      "%,d rows in %d partition(s), %d tensors",
                      calibration.path("rows").asLong(),
                      calibration.path("partitions").asInt(),
                      calibration.path("tensors").asInt())
                  + skipped(calibration)));
    }
    JsonNode store = result.path("store");
    if (store.has("slices")) {
      long known =
          store.path("slices").findValuesAsText("outcome").stream().filter("same"::equals).count();
      facts.add(
          new Fact(
              "Slices",
              store.path("slices").size()
                  + " in the store"
                  + (known == 0 ? "" : ", " + known + " of them already, with the same numbers")));
    } else if (!store.isMissingNode()) {
      facts.add(
          new Fact(
              "Slice",
              store.path("slice").asText()
                  + switch (store.path("outcome").asText()) {
                    case "added" -> ": added to the store";
                    case "replaced" ->
                        ": in the store, as version " + store.path("version").asInt();
                    default -> ": in the store already, with the same numbers";
                  }));
    }
    JsonNode quantized = result.path("quantized");
    if (!quantized.isMissingNode()) {
      facts.add(
          new Fact(
              "Model",
              String.format(
                  Locale.ROOT,
                  "%,d bytes, of %,d in float32",
                  quantized.path("bytes").asLong(),
                  result.path("model").path("bytes").asLong())));
      facts.add(
          new Fact(
              "Quantized",
              String.format(
                  Locale.ROOT,
                  "%d activations, %d weights of %.3g bytes a value; %d nodes stay float32",
                  quantized.path("activations").asInt(),
                  quantized.path("weights").asInt(),
                  quantized.path("bytes_per_weight").asDouble(),
                  quantized.path("float_nodes").size())));
      quantized.path("corrections").forEach(trial -> addTrial(facts, trial));
    }
    JsonNode training = result.path("training");
    if (!training.isMissingNode()) {
      facts.add(new Fact("Trained", training(training)));
    }
    JsonNode evaluation = result.path("evaluation");
    if (!evaluation.isMissingNode()) {
      facts.add(
          new Fact(
              "Evaluated",
              String.format(Locale.ROOT, "%,d rows", evaluation.path("rows").asLong())
                  + skipped(evaluation)));
      evaluation
          .path("outputs")
          .properties()
          .forEach(output -> addOutput(facts, output.getKey(), output.getValue()));
      if (evaluation.has("metric_sql")) {
        facts.add(
            new Fact(
                "Metric",
                String.format(
                    Locale.ROOT,
                    "%.6f, of the float model %.6f",
                    evaluation.path("metric").asDouble(Double.NaN),
                    evaluation.path("float_metric").asDouble(Double.NaN))));
      }
    }
    result
        .path("gate")
        .path("unmet")
        .forEach(reason -> facts.add(new Fact("Not met", reason.asText())));
    return facts;
  }

  private static String training(JsonNode training) {
    double before = training.path("before").path("sqnr_db").asDouble();
    long best = training.path("best_step").asLong();
    String came =
        best == 0
            ? "no better than without, which is kept"
            : String.format(
                Locale.ROOT,
                "best after step %,d: %.2f dB, %.2f dB without",
                best,
                training.path("best").path("sqnr_db").asDouble(),
                before);
    return String.format(
        Locale.ROOT,
        "%,d rows, %,d steps; %s",
        training.path("rows").asLong(),
        training.path("steps").asLong(),
        came);
  }

  private static void addTrial(List<Fact> facts, JsonNode trial) {
    facts.add(
        new Fact(
            "  " + trial.path("correction").asText(),
            String.format(
                Locale.ROOT,
                "%s: %s with it, %s without",
                trial.path("kept").asBoolean() ? "kept" : "left out",
                decibels(trial.path("sqnr_db")),
                decibels(trial.path("sqnr_db_without")))));
  }

  private static String decibels(JsonNode figure) {
    return figure.isNull()
        ? "no finite error"
        : String.format(Locale.ROOT, "%.2f dB", figure.asDouble());
  }

  private static void addOutput(List<Fact> facts, String name, JsonNode metrics) {
    if (metrics.has("agreement")) {
      addIntegers(facts, name, metrics);
      return;
    }
    facts.add(
        new Fact(
            name,
            metrics.path("sqnr_db").isNull()
                ? Comparison.ofId(metrics.path("comparison").asText()).text()
                : String.format(
                    Locale.ROOT,
                    "SQNR %.2f dB, MSE %.4g, cosine %.6f",
                    metrics.path("sqnr_db").asDouble(),
                    metrics.path("mse").asDouble(),
                    metrics.path("cosine").asDouble())));
    if (metrics.has("float_top1")) {
      for (String top : List.of("top1", "top5")) {
        facts.add(
            new Fact(
                "  " + top,
                String.format(
                    Locale.ROOT,
                    "float32 %.4f, quantized %.4f",
                    metrics.path("float_" + top).asDouble(),
                    metrics.path("quantized_" + top).asDouble())));
      }
    }
    if (metrics.has("top1_agreement")) {
      facts.add(
          new Fact(
              "  same first class",
              String.format(Locale.ROOT, "%.4f", metrics.path("top1_agreement").asDouble())));
    }
  }

  /** The error of a class number or an index has no meaning; whether it is the same has. */
  private static void addIntegers(List<Fact> facts, String name, JsonNode metrics) {
    facts.add(
        new Fact(
            name,
            String.format(
                Locale.ROOT,
                "the same integer in %.4f of values, all of a row in %.4f of rows",
                metrics.path("agreement").asDouble(Double.NaN),
                metrics.path("row_agreement").asDouble(Double.NaN))));
    if (metrics.has("float_top1")) {
      facts.add(
          new Fact(
              "  top1",
              String.format(
                  Locale.ROOT,
                  "float32 %.4f, quantized %.4f",
                  metrics.path("float_top1").asDouble(),
                  metrics.path("quantized_top1").asDouble())));
    }
  }

  private static String skipped(JsonNode node) {
    long skipped = node.path("skipped_rows").asLong();
    return skipped == 0
        ? ""
        : String.format(
            Locale.ROOT,
            "; %,d rows skipped, one of them: %s",
            skipped,
            node.path("skipped_reason").asText());
  }
}
