package org.tare.export;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import org.tare.range.Range;
import org.tare.rewrite.QuantizedModel;

/**
 * The ranges of a calibration as the two files that ONNX Runtime's {@code write_calibration_table}
 * writes: {@code calibration.json} for its quantizer, {@code calibration.flatbuffers} for its
 * TensorRT provider ({@code trt_int8_calibration_table_name}), which reads nothing else.
 *
 * <p>The JSON is that of onnxruntime 1.30's {@code TensorsData}, with the key that lets {@code
 * quantize_static(calibration_cache_path=…)} take it; of each tensor it holds both ends of the
 * range:
 *
 * <pre>
 *   {"CLS": "TensorsData", "data": {
 *     "x": {"lowest": {"data": -5.0, "dtype": "float32", "CLS": "numpy.array"},
 *           "highest": {"data": 1.5, "dtype": "float32", "CLS": "numpy.array"},
 *           "CLS": "TensorData"}},
 *    "calibration_method": {"CLS": "CalibrationMethod", "value": "CalibrationMethod.MinMax"},
 *    "smooth_quant": false}
 * </pre>
 *
 * <p>The method is always MinMax there: the one whose data are ranges and no more, whatever method
 * chose these.
 *
 * <p>The FlatBuffer is a table of one vector of tables of two strings, name and dynamic range:
 *
 * <pre>
 *   table TrtTable { dict: [KeyValue]; }   table KeyValue { key: string; value: string; }
 * </pre>
 *
 * <p>The dynamic range is {@code max(|low|, |high|)}. ONNX Runtime's tool (to 1.30 at least) writes
 * {@code max(low, high)}, which of a range [-5, 1.5] is 1.5 and clips most of it; that is a defect
 * of the tool (it came with pull request 22166) and is not repeated here.
 *
 * <p>Source: onnxruntime.quantization's quant_utils, calibrate and CalTableFlatBuffers of 1.30.0;
 * ReadDynamicRange in onnxruntime/core/providers/tensorrt.
 */
public final class OnnxRuntimeCalibrationTable {
  private static final int ROOT_TABLE = 12;
  private static final int VECTOR = 20;

  private OnnxRuntimeCalibrationTable() {}

  /** The bytes of {@code calibration.json}. */
  public static byte[] json(QuantizedModel model) {
    List<String> tensors = new ArrayList<>();
    TensorRanges.of(model)
        .forEach(
            (tensor, range) ->
                tensors.add(
                    "%s: {\"lowest\": %s, \"highest\": %s, \"CLS\": \"TensorData\"}"
                        .formatted(quoted(tensor), array(range.min()), array(range.max()))));
    String text =
        "{\"CLS\": \"TensorsData\", \"data\": {"
            + String.join(", ", tensors)
            + "}, \"calibration_method\": {\"CLS\": \"CalibrationMethod\", \"value\":"
            + " \"CalibrationMethod.MinMax\"}, \"smooth_quant\": false}";
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String array(float value) {
    // As Python prints it: the double of the float, so that reading it back gives the float.
    return "{\"data\": " + (double) value + ", \"dtype\": \"float32\", \"CLS\": \"numpy.array\"}";
  }

  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        quoted.append('\\').append(c);
      } else if (c < 0x20) {
        quoted.append("\\u%04x".formatted((int) c));
      } else {
        quoted.append(c);
      }
    }
    return quoted.append('"').toString();
  }

  /** The bytes of {@code calibration.flatbuffers}. */
  public static byte[] flatBuffer(QuantizedModel model) {
    SortedMap<String, Range> ranges = TensorRanges.of(model);
    List<byte[]> strings = new ArrayList<>();
    int stringBytes = 0;
    for (var entry : ranges.entrySet()) {
      String value = Float.toString(TensorRanges.magnitude(entry.getValue()));
      for (String text : List.of(entry.getKey(), value)) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        strings.add(bytes);
        stringBytes += stringSize(bytes);
      }
    }
    int count = ranges.size();
    int entryVtable = VECTOR + 4 + 4 * count;
    int entries = entryVtable + 8;
    int text = entries + 12 * count;
    ByteBuffer out = ByteBuffer.allocate(text + stringBytes).order(ByteOrder.LITTLE_ENDIAN);
    // Where the root is; then its vtable: own size, the table's size, where its field is; padding.
    out.putInt(ROOT_TABLE);
    out.putShort((short) 6).putShort((short) 8).putShort((short) 4).putShort((short) 0);
    // The root: back to its vtable, on to the vector. All offsets are from where they stand.
    out.putInt(ROOT_TABLE - 4).putInt(VECTOR - (ROOT_TABLE + 4));
    out.putInt(count);
    for (int i = 0; i < count; i++) {
      out.putInt(entries + 12 * i - out.position());
    }
    out.putShort((short) 8).putShort((short) 12).putShort((short) 4).putShort((short) 8);
    int place = text;
    for (int i = 0; i < count; i++) {
      out.putInt(out.position() - entryVtable);
      for (int field = 0; field < 2; field++) {
        out.putInt(place - out.position());
        place += stringSize(strings.get(2 * i + field));
      }
    }
    for (byte[] string : strings) {
      int next = out.position() + stringSize(string);
      out.putInt(string.length).put(string);
      out.position(next);
    }
    return out.array();
  }

  /** Length, bytes, a zero, and what fills the last four. */
  private static int stringSize(byte[] string) {
    return 4 + (string.length + 1 + 3) / 4 * 4;
  }
}
