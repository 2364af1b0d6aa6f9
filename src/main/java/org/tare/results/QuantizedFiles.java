package org.tare.results;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.job.QuantizationRun;
import org.tare.job.QuantizeOptions;
import org.tare.job.TrainingRun;
import org.tare.onnx.ModelFile;
import org.tare.report.HtmlReport;
import org.tare.report.ReportData;
import org.tare.rewrite.QuantizedModel;
import org.tare.stats.CalibrationState;

/** What an output folder holds of a quantized model. */
public record QuantizedFiles(
    QuantizeOptions options, QuantizationRun.Result made, Optional<CalibrationState> state) {
  /** The model with how each tensor of it is stored. */
  public QuantizedModel quantized() {
    return made.quantized();
  }

  /** The files of the model. */
  public List<ModelFile> model() {
    return quantized().model().files("model.onnx");
  }

  /** The bytes of the model's files. */
  public long sizeBytes() {
    return model().stream().mapToLong(ModelFile::sizeBytes).sum();
  }

  /** Adds the model's sizes, tensors and corrections to a result. */
  public void addTo(ObjectNode result) {
    ResultJson.addQuantized(result, quantized(), sizeBytes());
    ResultJson.addCorrections(result, made.chosen());
  }

  /**
   * The files besides the model's, by name.
   *
   * @param result what result.json holds
   */
  public Map<String, byte[]> content(ObjectNode result, Provenance run, List<String> warnings) {
    return content(result, run, warnings, Optional.empty());
  }

  /** The same of a model that was trained. */
  public Map<String, byte[]> content(
      ObjectNode result,
      Provenance run,
      List<String> warnings,
      Optional<TrainingRun.Result> training) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("qparams.json", ResultJson.bytes(ResultJson.qparams(quantized())));
    files.putAll(options.exports().files(quantized()));
    files.put(
        "report.html", Json.bytes(HtmlReport.render(report(result, run, warnings, training))));
    files.put("result.json", ResultJson.bytes(result));
    return files;
  }

  private ReportData report(
      ObjectNode result,
      Provenance run,
      List<String> warnings,
      Optional<TrainingRun.Result> training) {
    return ReportTables.of(
            made.chosen().model(), quantized(), state, Summary.of(result), warnings, training)
        .withOrigin(run.facts(), run.settingFacts());
  }
}
