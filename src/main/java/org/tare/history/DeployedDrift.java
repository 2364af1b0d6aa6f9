package org.tare.history;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.drift.Drift;
import org.tare.drift.DriftReport;
import org.tare.drift.DriftThresholds;
import org.tare.drift.TensorDrift;
import org.tare.drift.Verdict;
import org.tare.quant.QParams;
import org.tare.results.Json;
import org.tare.spark.JobEvent;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;
import org.tare.store.PublishedFolder;

/** Whether new data are still what a deployed output was calibrated on. */
public record DeployedDrift(DriftReport report) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** How many tensors are named in a sentence. */
  private static final int NAMED = 3;

  /**
   * Compares.
   *
   * @throws TareException if the output does not say on what it was calibrated, or it is of another
   *     model
   */
  public static DeployedDrift between(
      HadoopFiles files,
      PublishedFolder deployed,
      CalibrationState current,
      DriftThresholds thresholds) {
    byte[] state =
        deployed
            .read(CalibrationState.FILE_NAME)
            .orElseThrow(
                () ->
                    TareException.badInput(
                        "Cannot compare with output %s: it holds no %s, so on what it was"
                            + " calibrated is not known; move it away, or give another output",
                        deployed.place(), CalibrationState.FILE_NAME));
    CalibrationState reference =
        CalibrationState.decode(state, deployed.place() + "/" + CalibrationState.FILE_NAME);
    if (!reference.modelDigest().equals(current.modelDigest())) {
      throw TareException.badInput(
          "Cannot recalibrate output %s: it was made of another float model (SHA-256 %s, this one"
              + " has %s); give another output, or move it away",
          deployed.place(), reference.modelDigest(), current.modelDigest());
    }
    return new DeployedDrift(
        between(reference, current, DeployedQParams.read(files, deployed.place()), thresholds));
  }

  /** Compares any two states; the metrics of this driver tell of it. */
  public static DriftReport between(
      CalibrationState reference,
      CalibrationState current,
      Map<String, QParams> deployed,
      DriftThresholds thresholds) {
    DriftReport report = Drift.between(reference, current, deployed, thresholds);
    new JobEvent.DriftChecked(report.effect(), report.count(Verdict.MOVED)).post();
    return report;
  }

  /** What moved a little is no reason for a new model. */
  public boolean moved() {
    return report.verdict() == Verdict.MOVED;
  }

  /** In a sentence. */
  public String text() {
    if (report.verdict() == Verdict.STABLE) {
      return "all " + report.tensors().size() + " tensors are stable";
    }
    return report.count(Verdict.MOVED)
        + " of "
        + report.tensors().size()
        + " tensors moved, "
        + report.count(Verdict.MOVED_A_LITTLE)
        + " a little; first "
        + report.tensors().stream()
            .filter(tensor -> tensor.verdict() != Verdict.STABLE)
            .limit(NAMED)
            .map(tensor -> tensor.name() + " (" + String.join(", ", tensor.reasons()) + ")")
            .collect(Collectors.joining(", "));
  }

  /** The same for machines, with the tensors that are not stable. */
  public ObjectNode json() {
    ObjectNode node = JSON.createObjectNode();
    node.put("verdict", report.verdict().id()).put("moved", moved());
    Json.put(node, "effect", report.effect());
    ArrayNode tensors = node.putArray("tensors");
    for (TensorDrift tensor : report.tensors()) {
      if (tensor.verdict() != Verdict.STABLE) {
        ObjectNode one = tensors.addObject();
        one.put("tensor", tensor.name()).put("verdict", tensor.verdict().id());
        Json.put(one, "effect", tensor.effect());
        tensor.reasons().forEach(one.putArray("reasons")::add);
      }
    }
    return node;
  }
}
