package org.tare.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.tare.TareException;
import org.tare.oracle.Oracle;

/** Quantized tensors as PyTorch makes them. */
class QuantizedTensorTest {
  private static final float[] SIX = {-1f, 0f, 1f, -1f, 0f, 1f};

  /** The recorded results, but for those whose scale or zero point is of another type. */
  @Test
  void isWhatPyTorchRecorded() {
    int held = 0;
    for (JsonNode c : Oracle.read("quantize.json").path("cases")) {
      String op = c.path("op").asText();
      boolean perChannel = op.equals("quantize_per_channel");
      if (c.path("portable").asBoolean() && (perChannel || op.equals("quantize_per_tensor"))) {
        hold(c, perChannel);
        held++;
      }
    }
    if (Oracle.isOwn()) {
      assertEquals(48, held, "cases");
    }
  }

  private static void hold(JsonNode c, boolean perChannel) {
    float[] x = Oracle.floats(c.path("x"));
    DType dtype = DType.of(c.path("dtype").asText());
    QuantizedTensor q =
        perChannel
            ? QuantizedTensor.perChannel(
                x,
                Oracle.longs(c.path("shape")),
                Oracle.floats(c.path("scale")),
                Oracle.ints(c.path("zero_point")),
                c.path("axis").asInt(),
                dtype)
            : QuantizedTensor.perTensor(
                x, (float) c.path("scale").asDouble(), c.path("zero_point").asInt(), dtype);
    String name = c.path("name").asText();
    assertArrayEquals(Oracle.ints(c.path("quantized")), q.integers(), name);
    float[] expected = Oracle.floats(c.path("dequantized"));
    float[] found = q.dequantize();
    for (int i = 0; i < expected.length; i++) {
      // Per channel PyTorch keeps scales in float64.
      assertEquals(expected[i], found[i], perChannel ? Math.ulp(expected[i]) : 0, name);
    }
  }

  @Test
  void axesCountFromTheEndToo() {
    float[] scales = {1f, 0.5f, 0.25f};
    int[] zeroPoints = {0, 1, 2};
    int[] expected = {-1, 1, 6, -1, 1, 6};
    for (int axis : new int[] {1, -1}) {
      QuantizedTensor q =
          QuantizedTensor.perChannel(SIX, new long[] {2, 3}, scales, zeroPoints, axis, DType.INT8);
      assertArrayEquals(expected, q.integers());
      assertArrayEquals(SIX, q.dequantize());
    }
  }

  @Test
  void specialValuesStayInTheType() {
    float[] x = {
      Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -0f, Float.MIN_VALUE, 1e38f
    };
    assertArrayEquals(
        new int[] {3, 255, 0, 3, 3, 255},
        QuantizedTensor.perTensor(x, 0.1f, 3, DType.UINT8).integers());
    assertEquals(0, QuantizedTensor.perTensor(new float[0], 1f, 0, DType.INT8).integers().length);
  }

  @Test
  void whatCannotBeIsSaid() {
    for (float scale : new float[] {0f, -1f, Float.NaN, Float.POSITIVE_INFINITY}) {
      assertUsage(
          "scale cannot be " + scale + ": it is a finite float32 number above 0",
          () -> QuantizedTensor.perTensor(SIX, scale, 0, DType.INT8));
    }
    assertUsage(
        "zero_point cannot be 300: uint8 holds 0 to 255",
        () -> QuantizedTensor.perTensor(SIX, 1f, 300, DType.UINT8));
    assertUsage(
        "Cannot quantize along axis 2: the tensor's shape is [2, 3]", () -> perChannel(2, 1));
    assertUsage(
        "Cannot quantize along axis -3: the tensor's shape is [2, 3]", () -> perChannel(-3, 1));
    assertUsage(
        "Cannot quantize 2 channels with 3 scales and 3 zero points: there must be one of each for"
            + " every channel",
        () -> perChannel(0, 3));
  }

  private static QuantizedTensor perChannel(int axis, int channels) {
    float[] scales = new float[channels];
    Arrays.fill(scales, 1f);
    return QuantizedTensor.perChannel(
        SIX, new long[] {2, 3}, scales, new int[channels], axis, DType.INT8);
  }

  private static void assertUsage(String message, Executable action) {
    TareException e = assertThrows(TareException.class, action);
    assertEquals(TareException.Kind.USAGE, e.kind());
    assertEquals(message, e.getMessage());
  }
}
