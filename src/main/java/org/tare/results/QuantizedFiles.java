package org.tare.results;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.job.FloatModel;
import org.tare.job.QuantizationRun;
import org.tare.job.QuantizeOptions;
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
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("qparams.json", ResultJson.bytes(ResultJson.qparams(quantized())));
    files.putAll(options.exports().files(quantized()));
    files.put("report.html", report(Summary.of(result), warnings));
    files.put("result.json", ResultJson.bytes(result));
    return files;
  }

  private byte[] report(List<ReportData.Fact> summary, List<String> warnings) {
    FloatModel model = made.chosen().model();
    List<ReportData.Tensor> tensors = new ArrayList<>();
    if (state.isPresent()) {
      for (String tensor : model.observed()) {
        tensors.add(
            new ReportData.Tensor(
                tensor, state.get().tensor(tensor), quantized().activations().get(tensor)));
      }
    }
    List<List<String>> floatNodes =
        quantized().floatNodes().stream()
            .map(node -> List.of(node.opType(), node.name(), node.reason()))
            .toList();
    return HtmlReport.render(
            new ReportData(
                "Quantization of " + model.name(), summary, tensors, floatNodes, warnings))
        .getBytes(StandardCharsets.UTF_8);
  }
}
