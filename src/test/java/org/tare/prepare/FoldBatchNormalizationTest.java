package org.tare.prepare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.oracle.Oracle;

/**
 * Held against PyTorch's folding, as recorded; where PyTorch refuses, against the unfolded model.
 */
class FoldBatchNormalizationTest {
  private static final JsonNode CASES = Oracle.read("bn_folding.json").path("cases");

  static Stream<String> names() {
    return StreamSupport.stream(CASES.spliterator(), false).map(c -> c.path("name").asText());
  }

  @Test
  void everyRecordedCaseIsRead() {
    assertEquals(Oracle.isOwn() ? 39 : CASES.size(), CASES.size());
  }

  @ParameterizedTest
  @MethodSource("names")
  void foldsAsRecorded(String name) {
    JsonNode c =
        StreamSupport.stream(CASES.spliterator(), false)
            .filter(one -> one.path("name").asText().equals(name))
            .findFirst()
            .orElseThrow();
    long[] weightShape = Oracle.longs(c.path("weight_shape"));
    int channels = c.path("bn_mean").size();
    boolean linear = c.path("linear").asBoolean();
    boolean transpose = c.path("transpose").asBoolean();
    TestModel model = TestModel.opset(13);
    JsonNode x = c.path("x");
    long[] xShape = x.isMissingNode() ? null : Oracle.longs(x.path("shape"));
    long[] free = new long[linear ? 2 : weightShape.length];
    Arrays.fill(free, -1);
    free[1] = linear || !transpose ? weightShape[1] * c.path("groups").asLong(1) : weightShape[0];
    model.input("x", free).output("y", outputShape(free.length, channels));
    model.constant("w", weightShape, Oracle.floats(c.path("weight")));
    List<String> inputs = new ArrayList<>(List.of("x", "w"));
    if (!c.path("bias").isNull()) {
      model.constant("b", new long[] {channels}, Oracle.floats(c.path("bias")));
      inputs.add("b");
    }
    if (linear) {
      model.node("Gemm", inputs, List.of("h"), "transB", 1L);
    } else {
      List<Object> attributes = new ArrayList<>();
      attributes.addAll(List.of("strides", Oracle.longs(c.path("stride"))));
      attributes.addAll(List.of("dilations", Oracle.longs(c.path("dilation"))));
      long[] padding = Oracle.longs(c.path("padding"));
      long[] pads = Arrays.copyOf(padding, 2 * padding.length);
      System.arraycopy(padding, 0, pads, padding.length, padding.length);
      attributes.addAll(List.of("pads", pads, "group", c.path("groups").asLong(1)));
      if (transpose && c.has("output_padding")) {
        attributes.addAll(List.of("output_padding", Oracle.longs(c.path("output_padding"))));
      }
      model.node(transpose ? "ConvTranspose" : "Conv", inputs, List.of("h"), attributes.toArray());
    }
    long[] perChannel = {channels};
    model.constant("gamma", perChannel, orAll(c.path("bn_weight"), channels, 1));
    model.constant("beta", perChannel, orAll(c.path("bn_bias"), channels, 0));
    model.constant("mean", perChannel, Oracle.floats(c.path("bn_mean")));
    model.constant("var", perChannel, Oracle.floats(c.path("bn_var")));
    model.node(
        "BatchNormalization",
        List.of("h", "gamma", "beta", "mean", "var"),
        List.of("y"),
        "epsilon",
        (float) c.path("bn_eps").asDouble());
    OnnxModel original = model.read();
    OnnxModel folded = FloatPasses.prepare(original);
    assertEquals(1, folded.graph().nodes().size());

    Node node = folded.graph().nodes().get(0);
    if (c.has("fused_weight")) {
      // PyTorch multiplies in float32, three roundings: 1e-6 relative.
      float[] weight = folded.graph().floatConstant(node.input(1)).orElseThrow();
      float[] bias = folded.graph().floatConstant(node.input(2)).orElseThrow();
      assertClose(Oracle.floats(c.path("fused_weight")), weight, 1e-6, 1e-7);
      assertClose(Oracle.floats(c.path("fused_bias")), bias, 1e-6, 1e-7);
    }
    if (xShape != null) {
      Map<String, Values> given = Map.of("x", new Values(xShape, Oracle.floats(x.path("data"))));
      float[] y = TestModel.run(folded, given).get("y").floats();
      float[] unfolded = TestModel.run(original, given).get("y").floats();
      float largest = 0;
      for (float value : unfolded) {
        largest = Math.max(largest, Math.abs(value));
      }
      assertClose(unfolded, y, 1e-5, 1e-5 * largest);
    }
  }

  private static long[] outputShape(int rank, int channels) {
    long[] shape = new long[rank];
    Arrays.fill(shape, -1);
    shape[1] = channels;
    return shape;
  }

  private static float[] orAll(JsonNode list, int channels, float value) {
    if (list.isNull() || list.isMissingNode()) {
      float[] all = new float[channels];
      Arrays.fill(all, value);
      return all;
    }
    return Oracle.floats(list);
  }

  private static void assertClose(
      float[] expected, float[] actual, double relative, double absolute) {
    assertEquals(expected.length, actual.length);
    for (int i = 0; i < expected.length; i++) {
      assertTrue(
          Math.abs(expected[i] - actual[i]) <= relative * Math.abs(expected[i]) + absolute,
          expected[i] + " and " + actual[i] + " at " + i);
    }
  }
}
