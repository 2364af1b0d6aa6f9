package org.tare;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.tare.inspect.ModelInspection;
import org.tare.inspect.Saturation;
import org.tare.job.FloatInspection;
import org.tare.job.ModelReader;
import org.tare.onnx.OnnxModel;
import org.tare.results.InspectionJson;
import org.tare.rewrite.FloatNodeNotes;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;

/**
 * What a file holds; which of the two it is, its first bytes say.
 *
 * @param state the calibration state, if it is one
 * @param model what is quantized in the ONNX model, if it is a quantized one
 * @param floatModel what a float model is, and what each mode would make of it
 * @param saturating layers of the model whose integer products differ between CPUs
 */
public record Inspection(
    Optional<CalibrationState> state,
    Optional<ModelInspection> model,
    Optional<FloatInspection> floatModel,
    List<Saturation.Layer> saturating) {
  public Inspection {
    saturating = List.copyOf(saturating);
  }

  static Inspection of(HadoopFiles files, String file) {
    byte[] head = files.head("file", file, 4);
    if (Arrays.equals(head, "TARE".getBytes(StandardCharsets.US_ASCII))) {
      CalibrationState state = CalibrationState.decode(files.read("calibration state", file), file);
      return new Inspection(Optional.of(state), Optional.empty(), Optional.empty(), List.of());
    }
    OnnxModel model = read(files, file);
    ModelInspection found = ModelInspection.of(model, FloatNodeNotes.decode(file, model));
    if (found.tensors().isEmpty()) {
      FloatInspection whole = ModelReader.inspect(ModelReader.nameOf(file), model);
      return new Inspection(Optional.empty(), Optional.empty(), Optional.of(whole), List.of());
    }
    return new Inspection(
        Optional.empty(), Optional.of(found), Optional.empty(), Saturation.of(model));
  }

  private static OnnxModel read(HadoopFiles files, String file) {
    try {
      return files.withLocal("model", file, OnnxModel::dataFiles, OnnxModel::read);
    } catch (TareException e) {
      if (e.kind() != TareException.Kind.BAD_INPUT) {
        throw e;
      }
      throw TareException.badInput(
              "Cannot inspect %s: it is no calibration state, which begins with the letters TARE,"
                  + " and no ONNX model that can be read (%s)",
              file, e.getMessage().replaceFirst("^Cannot read model [^ ]+: ", ""))
          .causedBy(e);
    }
  }

  /** For machines. */
  public String toJson() {
    String version = Tare.version();
    return state
        .map(found -> InspectionJson.of(found, version))
        .or(() -> floatModel.map(found -> InspectionJson.of(found, version)))
        .orElseGet(() -> InspectionJson.of(model.orElseThrow(), saturating, version))
        .toPrettyString();
  }
}
