package org.tare;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;
import org.tare.store.PublishedFolder;

/** Whether new data are what a deployed model was calibrated on. */
@FunctionalInterface
interface DriftCheck {
  /**
   * What came of it.
   *
   * @param text in a sentence
   * @param json the same for machines
   */
  record Finding(boolean moved, String text, ObjectNode json) {}

  Finding compare(
      CalibrationState reference, CalibrationState current, Map<String, QParams> deployed);

  /** The comparison with what a deployed output was calibrated on. */
  default Finding between(PublishedFolder deployed, CalibrationState current) {
    byte[] state =
        deployed
            .read(CalibrationState.FILE_NAME)
            .orElseThrow(
                () ->
                    TareException.badInput(
                        "Cannot compare with %s: it holds no %s, so on what it was calibrated is not"
                            + " known; move it away, or give another output",
                        deployed.place(), CalibrationState.FILE_NAME));
    CalibrationState reference =
        CalibrationState.decode(state, deployed.place() + "/" + CalibrationState.FILE_NAME);
    return compare(reference, current, qparams(deployed));
  }

  private static SortedMap<String, QParams> qparams(PublishedFolder deployed) {
    SortedMap<String, QParams> qparams = new TreeMap<>();
    byte[] content = deployed.read("qparams.json").orElse("{}".getBytes());
    try {
      for (Map.Entry<String, JsonNode> one :
          new ObjectMapper().readTree(content).path("activations").properties()) {
        JsonNode node = one.getValue();
        QParams q =
            QParams.of(
                (float) node.path("scale").asDouble(),
                node.path("zero_point").asInt(),
                DType.of(node.path("dtype").asText()));
        qparams.put(one.getKey(), q);
        node.path("shared_by").forEach(tensor -> qparams.put(tensor.asText(), q));
      }
    } catch (IOException | IllegalArgumentException e) {
      throw TareException.badInput(
              "Cannot read %s/qparams.json: %s", deployed.place(), e.getMessage())
          .causedBy(e);
    }
    return qparams;
  }

  /** With the thresholds of the settings. */
  static DriftCheck of(Settings settings) {
    return (reference, current, deployed) -> {
      List<String> moved = new ArrayList<>();
      reference
          .tensors()
          .forEach(
              (name, then) -> {
                TensorStats now = current.tensors().get(name);
                double width = then.max() - then.min();
                if (now != null
                    && (now.max() > then.max() + 0.2 * width
                        || now.max() < then.max() - 0.2 * width
                        || now.min() < then.min() - 0.2 * width)) {
                  moved.add(name);
                }
              });
      ObjectNode json = new ObjectMapper().createObjectNode().put("moved", !moved.isEmpty());
      moved.forEach(json.putArray("tensors")::add);
      return new Finding(!moved.isEmpty(), moved.size() + " tensors", json);
    };
  }
}
