package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.job.QuantizationRun;
import org.tare.job.QuantizeOptions;
import org.tare.job.TrainingRun;
import org.tare.report.ReportData.Fact;
import org.tare.results.Provenance;
import org.tare.results.QuantizedFiles;
import org.tare.results.ResultJson;
import org.tare.results.Summary;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.store.HadoopFiles;

/** What the whole job gave. */
public final class RunResult implements Result {
  private final Provenance provenance;
  private final Optional<CalibrationJob.Result> observed;
  private final Optional<EvaluationJob.Result> found;
  private final Quantized quantized;
  private final QuantizedFiles files;
  private final Optional<GateVerdict> gate;
  private final Optional<TrainingRun.Result> training;
  private final List<String> warnings;

  RunResult(
      HadoopFiles session,
      Provenance provenance,
      QuantizeOptions options,
      Optional<CalibrationJob.Result> observed,
      QuantizationRun.Result made,
      Optional<EvaluationJob.Result> found,
      Optional<GateVerdict> gate,
      Optional<TrainingRun.Result> training,
      List<String> warnings) {
    this.training = training;
    this.provenance = provenance;
    this.observed = observed;
    this.found = found;
    this.gate = gate;
    this.files = new QuantizedFiles(options, made, observed.map(CalibrationJob.Result::state));
    this.quantized =
        new Quantized(
            session,
            provenance,
            options,
            made,
            observed.map(CalibrationJob.Result::state),
            warnings);
    this.warnings = List.copyOf(warnings);
  }

  /** What was observed; empty where the mode needs no data. */
  public Optional<Calibration> calibration() {
    return observed.map(one -> new Calibration(provenance, one, List.of(), List.of()));
  }

  /** The quantized model. */
  public Quantized quantized() {
    return quantized;
  }

  /** How close it is to the float model; empty where there were no rows to evaluate on. */
  public Optional<Evaluation> evaluation() {
    return found.map(one -> new Evaluation(provenance, one, Optional.empty(), gate, List.of()));
  }

  /** How training went; empty where nothing was trained. */
  public Optional<TrainingRun.Result> training() {
    return training;
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
  public List<String> unmet() {
    return gate.map(GateVerdict::unmet).orElse(List.of());
  }

  @Override
  public String toJson() {
    return json().toPrettyString();
  }

  @Override
  public List<Fact> summary() {
    return Summary.of(json());
  }

  void publish(Publication output) {
    Map<String, byte[]> content = new LinkedHashMap<>();
    observed.ifPresent(one -> Calibration.addStates(content, one));
    content.putAll(files.content(json(), provenance, warnings, training));
    output.write(content, files.model());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    observed.ifPresent(one -> ResultJson.addCalibration(result, one));
    files.addTo(result);
    training.ifPresent(one -> ResultJson.addTraining(result, one));
    found.ifPresent(one -> ResultJson.addEvaluation(result, one));
    gate.ifPresent(one -> one.addTo(result));
    return ResultJson.end(result, provenance, warnings);
  }
}
