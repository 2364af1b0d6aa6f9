package org.tare.results;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.tare.job.compare.ComparisonRun.ComparedTensor;
import org.tare.job.trials.Cost;
import org.tare.job.trials.Metric;
import org.tare.job.trials.MixRun;
import org.tare.job.trials.SensitivityRun;
import org.tare.report.Analysis;
import org.tare.report.HtmlReport;
import org.tare.report.LayerError;
import org.tare.report.LayerSensitivity;
import org.tare.report.ParetoFront;
import org.tare.report.ParetoPoint;
import org.tare.report.ReportData;
import org.tare.report.ReportData.Fact;
import org.tare.report.Sensitivity;
import org.tare.spark.tasks.CompareJob;
import org.tare.spark.tasks.OutputMetrics;

/** The pages that show what was measured of layers. */
public final class LayerPages {
  private LayerPages() {}

  /** Of a comparison over rows. */
  public static byte[] ofComparison(
      Provenance run,
      List<Fact> summary,
      List<String> warnings,
      List<ComparedTensor> tensors,
      CompareJob.Figures figures) {
    List<LayerError> layers = new ArrayList<>();
    for (ComparedTensor tensor : tensors) {
      OutputMetrics whole = figures.accumulated().get(tensor.name());
      OutputMetrics alone = figures.local().get(tensor.name());
      if (whole != null && alone != null) {
        layers.add(new LayerError(tensor.name(), tensor.opType(), whole.sqnr(), alone.sqnr()));
      }
    }
    // Tensors stand in the page's own table.
    return page(
        "Layers of ", run, summary.subList(0, 1), warnings, Analysis.NONE.withLayers(layers));
  }

  /** Of one layer at a time. */
  public static byte[] of(
      Provenance run,
      List<Fact> summary,
      List<String> warnings,
      SensitivityRun.Options options,
      SensitivityRun.Result found) {
    List<LayerSensitivity> layers = new ArrayList<>();
    for (SensitivityRun.Trial trial : found.trials()) {
      layers.add(
          new LayerSensitivity(
              trial.layer().orElseThrow().name(),
              trial.type().id(),
              Metric.SQNR.of(trial.outputs()),
              trial.metric()));
    }
    String meaning =
        options.direction() == SensitivityRun.Direction.ONLY
            ? "The layer alone is quantized; the others are float32."
            : "The layer alone is float32; the others are quantized.";
    return page(
        "Sensitivity of ",
        run,
        summary.subList(0, 1 + found.whole().size()),
        warnings,
        Analysis.NONE.with(new Sensitivity(options.metric().id(), meaning, layers)));
  }

  /** Of a search for types. */
  public static byte[] of(
      Provenance run,
      List<Fact> summary,
      List<String> warnings,
      MixRun.Options options,
      MixRun.Result found) {
    boolean isGreaterBetter = options.metric().isGreaterBetter();
    double bound = options.target();
    if (options.isDrop()) {
      bound = found.floatMetric() + (isGreaterBetter ? -bound : bound);
    }
    List<ParetoPoint> points = new ArrayList<>();
    for (MixRun.Point point : found.points()) {
      String label =
          options.types().stream()
              .map(
                  type ->
                      point.assignment().types().stream().filter(type::equals).count()
                          + " "
                          + type.id())
              .collect(Collectors.joining(", "));
      points.add(
          new ParetoPoint(
              point.seconds().isPresent() ? 1e6 * point.cost() : point.cost(),
              isGreaterBetter ? point.metric() : -point.metric(),
              point.equals(found.chosen()),
              label));
    }
    ParetoFront front =
        new ParetoFront(
            options.cost() == Cost.BYTES ? "bytes" : "microseconds a row",
            isGreaterBetter ? options.metric().id() : "-" + options.metric().id(),
            OptionalDouble.of(isGreaterBetter ? bound : -bound),
            points);
    return page("Types of the layers of ", run, summary, warnings, Analysis.NONE.with(front));
  }

  private static byte[] page(
      String title, Provenance run, List<Fact> summary, List<String> warnings, Analysis analysis) {
    String name = run.model().map(Provenance.Model::name).orElse("a model");
    return HtmlReport.render(
            ReportData.of(title + name, summary, warnings, analysis)
                .withOrigin(run.facts(), run.settingFacts()))
        .getBytes(StandardCharsets.UTF_8);
  }
}
