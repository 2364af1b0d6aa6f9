package org.tare.history;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.inspect.ModelInspection;
import org.tare.inspect.ModelInspection.Kind;
import org.tare.inspect.ModelInspection.QuantizedTensor;
import org.tare.onnx.OnnxModel;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.store.HadoopFiles;

/** The qparams of activations in a quantized model, by tensor. */
public final class DeployedQParams {
  private static final String FILE = "qparams.json";

  private DeployedQParams() {}

  /**
   * Reads them.
   *
   * @param name an output folder of Tare's, its {@code qparams.json}, or an ONNX model of any tool
   * @throws TareException if it is none of these, or holds none
   */
  public static SortedMap<String, QParams> read(HadoopFiles files, String name) {
    boolean isFolder = files.isFolder(name);
    String file = isFolder ? name.replaceAll("/+$", "") + "/" + FILE : name;
    SortedMap<String, QParams> found =
        isFolder || name.endsWith(".json")
            ? ofJson(files.read("qparams", file), file)
            : ofModel(files.withLocal("model", file, OnnxModel::dataFiles, OnnxModel::read));
    if (found.isEmpty()) {
      throw TareException.badInput(
          "Cannot take the deployed qparams from %s: no activation in it has a scale that is known"
              + " before the model runs",
          name);
    }
    return found;
  }

  private static SortedMap<String, QParams> ofJson(byte[] bytes, String file) {
    SortedMap<String, QParams> found = new TreeMap<>();
    try {
      JsonNode activations =
          new ObjectMapper().readTree(new String(bytes, UTF_8)).path("activations");
      activations
          .properties()
          .forEach(
              entry -> {
                JsonNode one = entry.getValue();
                QParams qparams =
                    QParams.of(
                        (float) one.path("scale").asDouble(),
                        one.path("zero_point").asInt(),
                        DType.of(one.path("dtype").asText()));
                found.put(entry.getKey(), qparams);
                one.path("shared_by").forEach(other -> found.putIfAbsent(other.asText(), qparams));
              });
    } catch (JsonProcessingException | IllegalArgumentException | TareException e) {
      String reason =
          e instanceof JsonProcessingException json ? json.getOriginalMessage() : e.getMessage();
      throw TareException.badInput("Cannot read qparams %s: %s", file, reason).causedBy(e);
    }
    return found;
  }

  private static SortedMap<String, QParams> ofModel(OnnxModel model) {
    SortedMap<String, QParams> found = new TreeMap<>();
    for (QuantizedTensor tensor : ModelInspection.of(model, Map.of()).tensors()) {
      boolean isKnown = tensor.kind() == Kind.ACTIVATION && tensor.scale().count() == 1;
      if (isKnown && isInteger(tensor.type())) {
        int zeroPoint = tensor.zeroPoint().count() == 0 ? 0 : (int) tensor.zeroPoint().least();
        found.put(
            tensor.name(),
            QParams.of((float) tensor.scale().least(), zeroPoint, DType.of(tensor.type())));
      }
    }
    return found;
  }

  private static boolean isInteger(String type) {
    for (DType known : DType.values()) {
      if (known.id().equals(type)) {
        return true;
      }
    }
    return false;
  }
}
