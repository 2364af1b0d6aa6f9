package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
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
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.oracle.Oracle;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DynamicQParams;
import org.tare.quant.QParams;
import org.tare.quant.QuantizeRule;
import org.tare.quant.WeightQuantizer;

/**
 * Written models against integer arithmetic. The arithmetic itself is held against PyTorch's
 * recorded QNNPACK results, bit for bit; then ONNX Runtime's run of the model that Tare writes for
 * the same operator is held against it.
 */
class QuantizedOpsTest {
  private static final JsonNode CASES = Oracle.read("quantized_ops.json").path("cases");

  private static final JsonNode DYNAMIC = Oracle.read("quantized_ops.json").path("linear_dynamic");

  static Stream<String> names() {
    return StreamSupport.stream(CASES.spliterator(), false).map(c -> c.path("name").asText());
  }

  private static JsonNode find(String name) {
    return StreamSupport.stream(CASES.spliterator(), false)
        .filter(one -> one.path("name").asText().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void everyRecordedCaseIsRead() {
    assertEquals(Oracle.isOwn() ? 30 : CASES.size(), CASES.size());
    assertEquals(Oracle.isOwn() ? 6 : DYNAMIC.size(), DYNAMIC.size());
  }

  /** Shape and window of a convolution; a linear layer is one with a kernel of nothing. */
  private record Window(
      long[] x, long[] w, long[] y, int stride, int padding, int dilation, int groups) {
    static Window of(JsonNode c) {
      JsonNode conv = c.path("conv");
      return new Window(
          Oracle.longs(c.path("x_shape")),
          Oracle.longs(c.path("w_shape")),
          Oracle.longs(c.path("y_shape")),
          conv.path("stride").asInt(1),
          conv.path("padding").asInt(0),
          conv.path("dilation").asInt(1),
          conv.path("groups").asInt(1));
    }

    private static int size(long[] shape, int axis) {
      return axis < shape.length ? (int) shape[axis] : 1;
    }

    /** Sums of products of integers, zero points taken off, for each output. */
    int[] accumulate(int[] xq, int zeroPoint, int[] wq) {
      int n = size(y, 0);
      int out = size(y, 1);
      int h = size(y, 2);
      int wd = size(y, 3);
      int inPerGroup = size(w, 1);
      int kh = size(w, 2);
      int kw = size(w, 3);
      int xh = size(x, 2);
      int xw = size(x, 3);
      boolean oneD = x.length == 3;
      int[] acc = new int[n * out * h * wd];
      for (int i = 0; i < acc.length; i++) {
        int ow = i % wd;
        int oh = i / wd % h;
        int oc = i / wd / h % out;
        int on = i / wd / h / out;
        int group = oc / (out / groups);
        for (int ic = 0; ic < inPerGroup; ic++) {
          for (int a = 0; a < kh; a++) {
            for (int b = 0; b < kw; b++) {
              int ih = oh * stride - padding + a * dilation;
              int iw = oneD || x.length == 2 ? b : ow * stride - padding + b * dilation;
              if (x.length == 2) {
                ih = 0;
              }
              if (ih >= 0 && ih < xh && iw >= 0 && iw < xw) {
                int channel = group * inPerGroup + ic;
                int xi = ((on * size(x, 1) + channel) * xh + ih) * xw + iw;
                int wi = ((oc * inPerGroup + ic) * kh + a) * kw + b;
                acc[i] += (xq[xi] - zeroPoint) * wq[wi];
              }
            }
          }
        }
      }
      return acc;
    }

    int channel(int index) {
      return index / size(y, 3) / size(y, 2) % size(y, 1);
    }
  }

  private static int requantize(int acc, float multiplier, int zeroPoint, boolean relu) {
    double scaled = Math.rint((float) acc * multiplier) + zeroPoint;
    return (int) Math.min(255, Math.max(relu ? zeroPoint : 0, scaled));
  }

  @ParameterizedTest
  @MethodSource("names")
  void referenceIsThatOfTheRecordedResults(String name) {
    JsonNode c = find(name);
    Window window = Window.of(c);
    int[] acc =
        window.accumulate(
            Oracle.ints(c.path("x_q")), c.path("x_zero_point").asInt(), Oracle.ints(c.path("w_q")));
    float[] scales =
        c.path("w_scale").isArray()
            ? Oracle.floats(c.path("w_scale"))
            : new float[] {(float) c.path("w_scale").asDouble()};
    float sx = (float) c.path("x_scale").asDouble();
    float so = (float) c.path("out_scale").asDouble();
    int[] result = new int[acc.length];
    for (int i = 0; i < acc.length; i++) {
      int channel = window.channel(i);
      int bias = c.path("bias_q").isNull() ? 0 : c.path("bias_q").get(channel).asInt();
      float multiplier = sx * scales[scales.length == 1 ? 0 : channel] / so;
      result[i] =
          requantize(
              acc[i] + bias,
              multiplier,
              c.path("out_zero_point").asInt(),
              c.path("op").asText().endsWith("_relu"));
    }
    assertArrayEquals(Oracle.ints(c.path("ref_int_bias")), result);
    assertArrayEquals(Oracle.ints(c.path("y_qnnpack")), result);
  }

  /** FBGEMM and x86 of PyTorch 2.13 add the bias as float32: the other recorded reference. */
  @ParameterizedTest
  @MethodSource("names")
  void floatBiasIsThatOfFbgemm(String name) {
    JsonNode c = find(name);
    Window window = Window.of(c);
    int[] acc =
        window.accumulate(
            Oracle.ints(c.path("x_q")), c.path("x_zero_point").asInt(), Oracle.ints(c.path("w_q")));
    float sx = (float) c.path("x_scale").asDouble();
    float so = (float) c.path("out_scale").asDouble();
    int zero = c.path("out_zero_point").asInt();
    boolean relu = c.path("op").asText().endsWith("_relu");
    int[] result = new int[acc.length];
    for (int i = 0; i < acc.length; i++) {
      int channel = window.channel(i);
      JsonNode scale = c.path("w_scale");
      float sw = (float) (scale.isArray() ? scale.get(channel) : scale).asDouble();
      float bias =
          c.path("bias").isNull() ? 0 : (float) c.path("bias").get(channel).asDouble() / (sx * sw);
      double scaled = Math.rint((acc[i] + bias) * (sx * sw / so)) + zero;
      result[i] = (int) Math.min(255, Math.max(relu ? zero : 0, scaled));
    }
    assertArrayEquals(Oracle.ints(c.path("ref_float_bias")), result);
    for (JsonNode newer : Oracle.read("newer_torch_2_13.json").path("quantized_ops")) {
      if (newer.path("name").asText().equals(name)) {
        assertArrayEquals(Oracle.ints(newer.path("y_fbgemm")), result);
        assertArrayEquals(Oracle.ints(newer.path("y_x86")), result);
      }
    }
  }

  static Stream<String> dynamicNames() {
    return StreamSupport.stream(DYNAMIC.spliterator(), false).map(c -> c.path("name").asText());
  }

  /**
   * Dynamic quantization of a linear layer: qparams of the batch, then integers, to the last bit.
   */
  @ParameterizedTest
  @MethodSource("dynamicNames")
  void dynamicLinearIsThatOfQnnpack(String name) {
    JsonNode c =
        StreamSupport.stream(DYNAMIC.spliterator(), false)
            .filter(one -> one.path("name").asText().equals(name))
            .findFirst()
            .orElseThrow();
    float[] x = Oracle.floats(c.path("x"));
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (float value : x) {
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    DynamicQParams q = DynamicQParams.choose(min, max, 0, 255);
    assertEquals(c.path("x_scale_double").asDouble(), q.scale());
    assertEquals(c.path("x_zero_point").asInt(), q.zeroPoint());
    int[] xq = new int[x.length];
    for (int i = 0; i < x.length; i++) {
      xq[i] = QuantizeRule.PYTORCH.quantize(x[i], (float) q.scale(), q.zeroPoint(), 0, 255);
    }
    assertArrayEquals(Oracle.ints(c.path("x_q")), xq);
    int in = (int) c.path("w_shape").get(1).asLong();
    int out = (int) c.path("w_shape").get(0).asLong();
    int[] wq = Oracle.ints(c.path("w_q"));
    float[] y = new float[x.length / in * out];
    for (int i = 0; i < y.length; i++) {
      int channel = i % out;
      int acc = 0;
      for (int k = 0; k < in; k++) {
        acc += (xq[i / out * in + k] - q.zeroPoint()) * wq[channel * in + k];
      }
      JsonNode scale = c.path("w_scale");
      float sw = (float) (scale.isArray() ? scale.get(channel) : scale).asDouble();
      float bias = c.path("bias").isNull() ? 0 : (float) c.path("bias").get(channel).asDouble();
      y[i] = acc * ((float) q.scale() * sw) + bias;
    }
    assertArrayEquals(Oracle.floats(c.path("y_reference")), y);
    assertArrayEquals(Oracle.floats(c.path("y")), y);
  }

  @ParameterizedTest
  @MethodSource("names")
  void writtenModelGivesTheReference(String name) {
    JsonNode c = find(name);
    Window window = Window.of(c);
    float sx = (float) c.path("x_scale").asDouble();
    int zx = c.path("x_zero_point").asInt();
    int[] xq = Oracle.ints(c.path("x_q"));
    float[] x = new float[xq.length];
    for (int i = 0; i < x.length; i++) {
      x[i] = (xq[i] - zx) * sx;
    }
    int[] wq = Oracle.ints(c.path("w_q"));
    float[] w = new float[wq.length];
    for (int i = 0; i < w.length; i++) {
      JsonNode scale = c.path("w_scale");
      int channel = i / (w.length / (int) window.w()[0]);
      w[i] = wq[i] * (float) (scale.isArray() ? scale.get(channel) : scale).asDouble();
    }
    boolean linear = window.x().length == 2;
    boolean relu = c.path("op").asText().endsWith("_relu");
    long[] free = new long[window.x().length];
    Arrays.fill(free, -1);
    free[1] = window.x()[1];
    long[] result = new long[window.x().length];
    Arrays.fill(result, -1);
    TestModel model = TestModel.opset(17).input("x", free).output("y", result);
    model.constant("w", window.w(), w);
    List<String> inputs = new ArrayList<>(List.of("x", "w"));
    if (!c.path("bias").isNull()) {
      model.constant("b", new long[] {window.w()[0]}, Oracle.floats(c.path("bias")));
      inputs.add("b");
    }
    if (linear) {
      model.node("Gemm", inputs, List.of("h"), "transB", 1L);
    } else {
      int axes = window.x().length - 2;
      model.node(
          "Conv",
          inputs,
          List.of("h"),
          "strides",
          repeat(window.stride(), axes),
          "dilations",
          repeat(window.dilation(), axes),
          "pads",
          repeat(window.padding(), 2 * axes),
          "group",
          (long) window.groups());
    }
    // What follows keeps the result from being an output of the model, which stays float32.
    model.node(relu ? "Relu" : "Identity", List.of("h"), List.of(relu ? "r" : "y"));
    if (relu) {
      model.node("Identity", List.of("r"), List.of("y"));
    }
    OnnxModel original = model.read();
    Map<String, Values> given = Map.of("x", new Values(window.x(), x));
    QuantizedModel quantized =
        TestModel.quantize(
            original,
            given,
            new QConfigMapping(Mode.STATIC, Backend.ONEDNN, QConfig.standard(), List.of()));
    float[] y = TestModel.run(quantized.model(), given).get("y").floats();

    QParams in = quantized.activations().get("x").qparams();
    QParams out = quantized.activations().get(relu ? "r" : "h").qparams();
    ChannelQParams weight = quantized.weights().get("w").channels().orElseThrow();
    int[] xInts = new int[x.length];
    for (int i = 0; i < x.length; i++) {
      xInts[i] = in.quantize(x[i]);
    }
    int[] acc =
        window.accumulate(xInts, in.zeroPoint(), WeightQuantizer.quantize(w, window.w(), weight));
    float[] biasScales = WeightQuantizer.biasScales(in.scale(), weight);
    int[] bias =
        c.path("bias").isNull()
            ? new int[(int) window.w()[0]]
            : WeightQuantizer.quantizeBias(Oracle.floats(c.path("bias")), biasScales);
    int offByOne = 0;
    for (int i = 0; i < acc.length; i++) {
      int channel = window.channel(i);
      float multiplier = biasScales[biasScales.length == 1 ? 0 : channel] / out.scale();
      int expected = requantize(acc[i] + bias[channel], multiplier, out.zeroPoint(), relu);
      int actual = Math.round(y[i] / out.scale()) + out.zeroPoint();
      assertTrue(Math.abs(expected - actual) <= 1, expected + " and " + actual + " at " + i);
      offByOne += expected == actual ? 0 : 1;
    }
    assertEquals(0, offByOne, "of " + acc.length + " differ by one step");
  }

  private static long[] repeat(int value, int times) {
    long[] all = new long[times];
    Arrays.fill(all, value);
    return all;
  }
}
