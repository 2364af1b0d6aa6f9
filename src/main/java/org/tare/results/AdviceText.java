package org.tare.results;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.tare.job.advice.Advice;
import org.tare.job.advice.Traits;
import org.tare.job.advice.Way;
import org.tare.job.trials.Criterion;
import org.tare.report.Analysis;
import org.tare.report.HtmlReport;
import org.tare.report.ReportData;
import org.tare.report.ReportData.Fact;

/** A recommendation as lines, as JSON and as a page. */
public final class AdviceText {
  private static final ObjectMapper JSON = new ObjectMapper();

  private AdviceText() {}

  /** What the model is, each way with its numbers, and the choice. */
  public static List<Fact> facts(Advice advice) {
    List<Fact> facts = new ArrayList<>();
    facts.add(new Fact("Model", advice.traits().text()));
    facts.add(
        new Fact(
            "Judged on",
            String.format(
                Locale.ROOT,
                "%,d rows, by %s: float32 has %.4f, and may lose %s",
                advice.rows(),
                advice.metric().id(),
                advice.floatMetric(),
                advice.maxDrop())));
    for (Advice.Step step : advice.tried()) {
      facts.add(new Fact("  " + step.way().id(), text(step, advice)));
    }
    facts.add(new Fact("Choice", choice(advice)));
    return facts;
  }

  private static String text(Advice.Step step, Advice advice) {
    return step.measured()
            .map(
                found ->
                    String.format(
                        Locale.ROOT,
                        "%s %.4f, SQNR %.2f dB, %,d bytes, %.1f s: ",
                        advice.metric().id(),
                        found.metric(),
                        found.sqnr(),
                        found.bytes(),
                        found.seconds()))
            .orElse("")
        + step.reason();
  }

  private static String choice(Advice advice) {
    if (advice.chosen().isEmpty()) {
      return "none: no way could be measured";
    }
    Advice.Step step = advice.chosen().get();
    Advice.Measured found = step.measured().orElseThrow();
    String size =
        String.format(
            Locale.ROOT,
            "with %.0f %% of the bytes",
            100.0 * found.bytes() / advice.traits().bytes());
    return advice.isMet()
        ? step.way().description() + ": the cheapest that keeps the target, " + size
        : String.format(
            Locale.ROOT,
            "%s: the best of what was tried, %s; it loses %.4f",
            step.way().description(),
            size,
            found.drop());
  }

  /** That nothing is good enough, or computes in integers, and what is next. */
  public static Optional<String> warning(Advice advice) {
    boolean isOfFloats = advice.chosen().filter(step -> step.way() == Way.WEIGHT_ONLY).isPresent();
    if (advice.isMet() && !isOfFloats) {
      return Optional.empty();
    }
    String training =
        "training is next (finetune): about 10 % of the steps that the model was trained for, with"
            + " a learning rate of 1 % of the one it had";
    return Optional.of(
        advice.isMet()
            ? "No way that computes in integers keeps the target; the one chosen saves bytes, and"
                + " time only where memory is the limit. Where integers are needed, "
                + training
            : "No way that was tried keeps the target: " + training);
  }

  /** Adds all of it. */
  public static void addTo(ObjectNode result, Advice advice) {
    ObjectNode node = result.putObject("recommendation");
    node.put("metric", advice.metric().id());
    if (advice.metric() instanceof Criterion.Own own) {
      node.put("metric_sql", own.sql());
    }
    ResultJson.put(node, "float_metric", advice.floatMetric());
    node.put("max_drop", advice.maxDrop());
    node.put("rows", advice.rows());
    Traits traits = advice.traits();
    node.putObject("model")
        .put("bytes", traits.bytes())
        .put("parameters", traits.parameters())
        .put("linear_weights", traits.linear())
        .put("recurrent_weights", traits.recurrent())
        .put("convolution_weights", traits.convolutional())
        .put("opset", traits.opset())
        .put("backend", traits.backend().id());
    ArrayNode tried = node.putArray("tried");
    for (Advice.Step step : advice.tried()) {
      ObjectNode one = tried.addObject();
      one.put("way", step.way().id());
      step.measured().ifPresent(found -> add(one, found));
      one.put("reason", step.reason());
    }
    advice
        .chosen()
        .ifPresent(
            step -> {
              node.put("choice", step.way().id());
              node.set("settings", JSON.valueToTree(step.way().settings()));
              node.set("overrides", JSON.valueToTree(advice.overrides()));
            });
    node.put("keeps_target", advice.isMet());
  }

  private static void add(ObjectNode one, Advice.Measured found) {
    ResultJson.put(one, "metric", found.metric());
    ResultJson.put(one, "drop", found.drop());
    ResultJson.put(one, "sqnr_db", found.sqnr());
    one.put("bytes", found.bytes());
    one.put("keeps_target", found.isMet());
    ResultJson.put(one, "seconds", found.seconds());
  }

  /** Of the same lines. */
  public static byte[] page(Provenance run, Advice advice, List<String> warnings) {
    String name = run.model().map(Provenance.Model::name).orElse("a model");
    return HtmlReport.render(
            ReportData.of("How to quantize " + name, facts(advice), warnings, Analysis.NONE)
                .withOrigin(run.facts(), run.settingFacts()))
        .getBytes(StandardCharsets.UTF_8);
  }
}
