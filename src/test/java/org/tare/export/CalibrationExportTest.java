package org.tare.export;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.plan.ActivationQParams;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.rewrite.QuantizedModel;

/** The calibration in the formats of TensorRT and of ONNX Runtime. */
class CalibrationExportTest {
  private static QuantizedModel model() {
    SortedMap<String, ActivationQParams> activations = new TreeMap<>();
    put(activations, -5f, 1.5f, "relu", "conv", "relu");
    put(activations, 0f, 255.05895f, "onnx::Conv_7", "onnx::Conv_7");
    put(activations, 0f, 0f, "zeros", "zeros");
    put(activations, -0.1f, 2f, "say \"\\x\"", "say \"\\x\"");
    return new QuantizedModel(null, activations, Map.of(), List.of(), 0);
  }

  private static void put(
      SortedMap<String, ActivationQParams> activations,
      float min,
      float max,
      String root,
      String... sharedBy) {
    activations.put(
        root,
        new ActivationQParams(
            QParams.of(1f, 0, DType.UINT8),
            new RangeChoice(new Range(min, max), "mse", 0, 0, 0),
            List.of(sharedBy)));
  }

  @Test
  void tensorRtCacheHasAScaleForEachTensor() {
    assertEquals(
        """
        TRT-8601-EntropyCalibration2
        conv: 3d214285
        onnx::Conv_7: 4000889d
        relu: 3d214285
        say "\\x": 3c810204
        zeros: 3c010204
        """,
        new String(
            TensorRtCalibrationCache.of(model(), TensorRtCalibrationCache.DEFAULT_VERSION),
            StandardCharsets.UTF_8));
  }

  /** What ONNX Runtime's provider makes of a line: the bits, as a float, times 127. */
  @Test
  void tensorRtCacheReadsBack() {
    String text = new String(TensorRtCalibrationCache.of(model(), "10300"), StandardCharsets.UTF_8);
    assertEquals("TRT-10300-EntropyCalibration2", text.lines().findFirst().orElseThrow());
    Map<String, Float> ranges = new LinkedHashMap<>();
    text.lines()
        .skip(1)
        .forEach(
            line -> {
              int colon = line.lastIndexOf(": ");
              int bits = Integer.parseUnsignedInt(line.substring(colon + 2), 16);
              ranges.put(line.substring(0, colon), Float.intBitsToFloat(bits) * 127f);
            });
    assertEquals(5f, ranges.get("conv"), Math.ulp(5f));
    assertEquals(255.05895f, ranges.get("onnx::Conv_7"), Math.ulp(255f));
    assertEquals(1f, ranges.get("zeros"), Math.ulp(1f));
  }

  @Test
  void whatTensorRtCannotReadIsAnError() {
    TareException version =
        assertThrows(TareException.class, () -> TensorRtCalibrationCache.of(model(), "8.6.1"));
    assertEquals(
        "A TensorRT version cannot be \"8.6.1\": it is digits, as in 8601 for 8.6.1",
        version.getMessage());
    SortedMap<String, ActivationQParams> activations = new TreeMap<>();
    put(activations, 0, 1, "a\nb", "a\nb");
    QuantizedModel broken = new QuantizedModel(null, activations, Map.of(), List.of(), 0);
    TareException name =
        assertThrows(TareException.class, () -> TensorRtCalibrationCache.of(broken, "8601"));
    assertEquals("Cannot export tensor \"a\nb\": its name holds a line break", name.getMessage());
  }

  @Test
  void onnxRuntimeTableHoldsBothEnds() {
    SortedMap<String, ActivationQParams> activations = new TreeMap<>(model().activations());
    activations.remove("zeros");
    activations.remove("onnx::Conv_7");
    String conv =
        "{\"lowest\": {\"data\": -5.0, \"dtype\": \"float32\", \"CLS\": \"numpy.array\"},"
            + " \"highest\": {\"data\": 1.5, \"dtype\": \"float32\", \"CLS\": \"numpy.array\"},"
            + " \"CLS\": \"TensorData\"}";
    assertEquals(
        "{\"CLS\": \"TensorsData\", \"data\": {\"conv\": "
            + conv
            + ", \"relu\": "
            + conv
            + ", \"say \\\"\\\\x\\\"\": {\"lowest\": {\"data\": -0.10000000149011612, \"dtype\":"
            + " \"float32\", \"CLS\": \"numpy.array\"}, \"highest\": {\"data\": 2.0, \"dtype\":"
            + " \"float32\", \"CLS\": \"numpy.array\"}, \"CLS\": \"TensorData\"}},"
            + " \"calibration_method\": {\"CLS\": \"CalibrationMethod\", \"value\":"
            + " \"CalibrationMethod.MinMax\"}, \"smooth_quant\": false}",
        new String(
            OnnxRuntimeCalibrationTable.json(
                new QuantizedModel(null, activations, Map.of(), List.of(), 0)),
            StandardCharsets.UTF_8));
  }

  /** The provider reads a name and a number as text, found through FlatBuffers' offsets. */
  @Test
  void onnxRuntimeFlatBufferHoldsTheGreatestMagnitude() {
    ByteBuffer in =
        ByteBuffer.wrap(OnnxRuntimeCalibrationTable.flatBuffer(model()))
            .order(ByteOrder.LITTLE_ENDIAN);
    int dict = field(in, in.getInt(0), 0);
    Map<String, String> read = new LinkedHashMap<>();
    for (int i = 0; i < in.getInt(dict); i++) {
      int slot = dict + 4 + 4 * i;
      int entry = slot + in.getInt(slot);
      read.put(string(in, field(in, entry, 0)), string(in, field(in, entry, 1)));
    }
    Map<String, String> expected = new LinkedHashMap<>();
    expected.put("conv", "5.0");
    expected.put("onnx::Conv_7", Float.toString(255.05895f));
    expected.put("relu", "5.0");
    expected.put("say \"\\x\"", "2.0");
    expected.put("zeros", "1.0");
    assertEquals(expected, read);
    assertEquals(List.copyOf(expected.keySet()), List.copyOf(read.keySet()));
  }

  private static int field(ByteBuffer in, int table, int index) {
    int vtable = table - in.getInt(table);
    int place = table + in.getShort(vtable + 4 + 2 * index);
    assertEquals(0, place % 4, "offsets are aligned");
    return place + in.getInt(place);
  }

  private static String string(ByteBuffer in, int place) {
    byte[] bytes = new byte[in.getInt(place)];
    in.get(place + 4, bytes);
    assertEquals(0, in.get(place + 4 + bytes.length), "strings end in a zero");
    return new String(bytes, StandardCharsets.UTF_8);
  }

  @Test
  void flatBufferOfNothingIsATableOfNothing() {
    byte[] bytes =
        OnnxRuntimeCalibrationTable.flatBuffer(
            new QuantizedModel(null, new TreeMap<>(), Map.of(), List.of(), 0));
    assertArrayEquals(
        new byte[] {12, 0, 0, 0, 6, 0, 8, 0, 4, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0},
        java.util.Arrays.copyOf(bytes, 24));
  }
}
