package org.tare.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.export.OnnxRuntimeCalibrationTable;
import org.tare.export.TensorRtCalibrationCache;
import org.tare.rewrite.QuantizedModel;

/**
 * The calibration in other tools' formats, for those that {@code quantize.export} names.
 *
 * @param formats of {@link #FORMATS}
 * @param tensorRtVersion goes into the head of TensorRT's cache
 */
record Exports(List<String> formats, String tensorRtVersion) {
  private static final List<String> FORMATS = List.of("tensorrt", "onnxruntime");

  /**
   * What the settings ask for.
   *
   * @throws org.tare.TareException if they name a format that is none, or a version that is none
   */
  static Exports of(Settings settings) {
    List<String> formats = settings.texts("quantize.export");
    for (String format : formats) {
      if (!FORMATS.contains(format)) {
        throw settings.wrong(
            "quantize.export", format, "a list of " + String.join(" and ", FORMATS));
      }
    }
    String version =
        settings.find("quantize.tensorrt-version").orElse(TensorRtCalibrationCache.DEFAULT_VERSION);
    TensorRtCalibrationCache.checkVersion(version);
    return new Exports(formats, version);
  }

  /** The files by their names in the output folder. */
  Map<String, byte[]> files(QuantizedModel model) {
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
