package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import org.tare.job.QuantizationRun;
import org.tare.job.QuantizeOptions;
import org.tare.onnx.OnnxModel;
import org.tare.plan.ActivationQParams;
import org.tare.plan.FloatNode;
import org.tare.report.ReportData.Fact;
import org.tare.results.Provenance;
import org.tare.results.QuantizedFiles;
import org.tare.results.ResultJson;
import org.tare.results.Summary;
import org.tare.rewrite.QuantizedWeight;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;

/**
 * A quantized model with how it came about. There is none that ONNX Runtime does not load, or that
 * it does not run where it runs the float model: it ran once before this was made.
 */
public final class Quantized implements Result {
  private final HadoopFiles session;
  private final Provenance provenance;
  private final QuantizedFiles files;
  private final List<String> warnings;

  Quantized(
      HadoopFiles session,
      Provenance provenance,
      QuantizeOptions options,
      QuantizationRun.Result made,
      Optional<CalibrationState> state,
      List<String> warnings) {
    this.session = session;
    this.provenance = provenance;
    this.files = new QuantizedFiles(options, made, state);
    this.warnings = List.copyOf(warnings);
  }

  /** The model. */
  public OnnxModel model() {
    return files.quantized().model();
  }

  /** Scale and zero point of each quantized activation, by the tensor whose range they have. */
  public SortedMap<String, ActivationQParams> qparams() {
    return files.quantized().activations();
  }

  /** How each weight is stored, by its name in the float model. */
  public Map<String, QuantizedWeight> weights() {
    return files.quantized().weights();
  }

  /** What was not quantized, and why. */
  public List<FloatNode> floatNodes() {
    return files.quantized().floatNodes();
  }

  /** The bytes of the files that the model is written as. */
  public long sizeBytes() {
    return files.sizeBytes();
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

  /** What {@code qparams.json} holds: the qparams of activations and of weights. */
  public String qparamsJson() {
    return ResultJson.qparams(files.quantized()).toPrettyString();
  }

  @Override
  public List<Fact> summary() {
    return Summary.of(json());
  }

  /**
   * Writes model, qparams, report and result into a new folder, on any file system that the session
   * reaches.
   *
   * @throws TareException if the folder exists, or cannot be written
   */
  public void write(String folder) {
    publish(Publication.to(session, folder));
  }

  void publish(Publication output) {
    output.write(files.content(json(), provenance, warnings), files.model());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    files.addTo(result);
    return ResultJson.end(result, provenance, warnings);
  }
}
