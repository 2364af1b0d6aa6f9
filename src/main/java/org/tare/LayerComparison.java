package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.tare.job.compare.ComparisonRun.ComparedTensor;
import org.tare.job.compare.WeightComparison.Weight;
import org.tare.report.ReportData.Fact;
import org.tare.results.ComparisonJson;
import org.tare.results.LayerPages;
import org.tare.results.Provenance;
import org.tare.results.ResultJson;
import org.tare.spark.tasks.CompareJob;
import org.tare.spark.tasks.OutputMetrics;

/** A quantized model beside the float one, layer by layer. */
public final class LayerComparison implements Result {
  private final Provenance provenance;
  private final List<Weight> weights;
  private final List<ComparedTensor> tensors;
  private final Optional<CompareJob.Result> activations;
  private final List<String> warnings;

  LayerComparison(
      Provenance provenance,
      List<Weight> weights,
      List<ComparedTensor> tensors,
      Optional<CompareJob.Result> activations,
      List<String> warnings) {
    this.provenance = provenance;
    this.weights = List.copyOf(weights);
    this.tensors = List.copyOf(tensors);
    this.activations = activations;
    this.warnings = List.copyOf(warnings);
  }

  /** The weights that both models have, in the order of the graph. */
  public List<Weight> weights() {
    return weights;
  }

  /**
   * The tensors that both models compute, by name, as the quantized model computes them from its
   * own inputs; empty without rows.
   */
  public Map<String, OutputMetrics> accumulated() {
    return activations.map(found -> found.all().accumulated()).orElse(Map.of());
  }

  /** The same of each layer alone, fed with what the float model computes. */
  public Map<String, OutputMetrics> local() {
    return activations.map(found -> found.all().local()).orElse(Map.of());
  }

  /** The figures of each slice, by its name, if slices were asked for. */
  public Map<String, CompareJob.Figures> slices() {
    return activations.map(CompareJob.Result::slices).orElse(Map.of());
  }

  @Override
  public Provenance provenance() {
    return provenance;
  }

  @Override
  public List<String> warnings() {
    return warnings;
  }

  @Override
  public String toJson() {
    return json().toPrettyString();
  }

  @Override
  public List<Fact> summary() {
    List<Fact> facts = new ArrayList<>();
    if (activations.isEmpty()) {
      for (Weight weight : weights) {
        facts.add(
            new Fact(
                weight.name(),
                String.format(
                    Locale.ROOT,
                    "weight: SQNR %.2f dB, greatest error %.3g",
                    weight.all().sqnr(),
                    weight.greatest())));
      }
      return facts;
    }
    facts.add(
        new Fact(
            "Compared",
            String.format(
                Locale.ROOT,
                "%,d rows, %d tensors; SQNR with all errors before it, and of the layer alone",
                activations.get().all().rows(),
                accumulated().size())));
    for (ComparedTensor tensor : tensors) {
      OutputMetrics whole = accumulated().get(tensor.name());
      OutputMetrics alone = local().get(tensor.name());
      if (whole != null && alone != null) {
        facts.add(
            new Fact(
                tensor.name(),
                String.format(
                    Locale.ROOT,
                    "%s %.2f dB, alone %.2f dB",
                    tensor.opType(),
                    whole.sqnr(),
                    alone.sqnr())));
      }
    }
    return facts;
  }

  void publish(Publication output) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    activations.ifPresent(
        one ->
            files.put(
                "report.html",
                LayerPages.ofComparison(provenance, summary(), warnings, tensors, one.all())));
    files.put("result.json", ResultJson.bytes(json()));
    output.write(files, List.of());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    ComparisonJson.add(result, weights, tensors, activations);
    return ResultJson.end(result, provenance, warnings);
  }
}
