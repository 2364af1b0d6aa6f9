package org.tare.export;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.tare.TareException;
import org.tare.rewrite.QuantizedModel;

/**
 * The ranges of a calibration as TensorRT's calibration cache: what an {@code IInt8Calibrator}
 * gives back from {@code readCalibrationCache}, {@code trtexec --calib} reads, and ONNX Runtime's
 * TensorRT provider reads with {@code trt_int8_use_native_calibration_table}.
 *
 * <p>It is text; a head, then a line for each tensor, here sorted by name:
 *
 * <pre>
 *   TRT-8601-EntropyCalibration2
 *   data_0: 4000889d
 * </pre>
 *
 * <p>The number is the scale of symmetric int8, {@code max(|low|, |high|) / 127} in float32, as the
 * eight digits of its IEEE-754 bits, the most significant first ({@code 4000889d} is 2.008338). The
 * head has TensorRT's version (8601 is 8.6.1) and the calibrator's kind; TensorRT refuses a cache
 * of another kind.
 *
 * <p>The ranges are those that were chosen for the model's own types: to have them chosen for what
 * TensorRT does with them, quantize activations to int8, per_tensor_symmetric. Names are those of
 * the float model, which is what TensorRT is to be given. A name with a colon is as TensorRT writes
 * it ({@code onnx::Conv_329: 3c96d93c}), but ONNX Runtime's reader ends a name at the first colon.
 *
 * <p>TensorRT deprecates calibration caches since 10.1 in favour of QDQ models.
 *
 * <p>Source: ReadDynamicRange in onnxruntime/core/providers/tensorrt; NVIDIA/TensorRT issue 2958
 * has a cache that TensorRT wrote.
 */
public final class TensorRtCalibrationCache {
  /** Of TensorRT 8.6.1. */
  public static final String DEFAULT_VERSION = "8601";

  private TensorRtCalibrationCache() {}

  /**
   * The file's bytes.
   *
   * @param version TensorRT's, digits as in {@value #DEFAULT_VERSION}
   * @throws TareException if the version is not digits, or a tensor's name holds a line break
   */
  public static byte[] of(QuantizedModel model, String version) {
    checkVersion(version);
    StringBuilder text = new StringBuilder("TRT-").append(version).append("-EntropyCalibration2\n");
    TensorRanges.of(model)
        .forEach(
            (tensor, range) -> {
              int bits = Float.floatToIntBits(TensorRanges.magnitude(range) / 127f);
              text.append(tensor)
                  .append(": ")
                  .append(HexFormat.of().toHexDigits(bits))
                  .append('\n');
            });
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Checks a version before there is anything to write.
   *
   * @throws TareException if it is not three to six digits
   */
  public static void checkVersion(String version) {
    if (!version.matches("[0-9]{3,6}")) {
      throw TareException.usage(
          "A TensorRT version cannot be \"%s\": it is digits, as in 8601 for 8.6.1", version);
    }
  }
}
