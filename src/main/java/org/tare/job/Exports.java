package org.tare.job;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.export.OnnxRuntimeCalibrationTable;
import org.tare.export.TensorRtCalibrationCache;
import org.tare.rewrite.QuantizedModel;

/**
 * The calibration in other tools' formats, for those that are asked for.
 *
 * @param formats some of {@link #FORMATS}
 * @param tensorRtVersion goes into the head of TensorRT's cache
 */
public record Exports(List<String> formats, String tensorRtVersion) {
  /** The formats there are. */
  public static final List<String> FORMATS = List.of("tensorrt", "onnxruntime");

  /** The files by their names in the output folder. */
  public Map<String, byte[]> files(QuantizedModel model) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    if (formats.contains("tensorrt")) {
      files.put("tensorrt/calibration.cache", TensorRtCalibrationCache.of(model, tensorRtVersion));
    }
    if (formats.contains("onnxruntime")) {
      files.put("onnxruntime/calibration.json", OnnxRuntimeCalibrationTable.json(model));
      files.put(
          "onnxruntime/calibration.flatbuffers", OnnxRuntimeCalibrationTable.flatBuffer(model));
    }
    return files;
  }
}
