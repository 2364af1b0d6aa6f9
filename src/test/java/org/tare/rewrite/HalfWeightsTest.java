package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.onnx.ElementType;
import org.tare.onnx.Float16;
import org.tare.onnx.OnnxChecker;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.stats.Samples;

class HalfWeightsTest {
  /** IEEE 754 binary16. */
  private static double decode(int bits) {
    int exponent = bits >> 10 & 31;
    int fraction = bits & 1023;
    double magnitude =
        switch (exponent) {
          case 0 -> fraction * 0x1p-24;
          case 31 -> fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
          default -> Math.scalb(1 + fraction / 1024.0, exponent - 15);
        };
    return (bits & 0x8000) == 0 ? magnitude : -magnitude;
  }

  private static int half(float value) {
    return Float16.bits(value) & 0xffff;
  }

  @Test
  void everyHalfIsItself() {
    for (int bits = 0; bits < 0x10000; bits++) {
      if (Double.isFinite(decode(bits))) {
        assertEquals(bits, half((float) decode(bits)));
      }
    }
    assertEquals(0x8000, half(-0f));
    assertEquals(0x7bff, half(65504f));
    assertEquals(0xfbff, half(-65504f));
    assertEquals(0, half(Float.MIN_VALUE));
  }

  /** Halfway between neighbours the even one, a float32 to either side the nearer one. */
  @Test
  void everyTieIsEven() {
    for (int bits = 0; bits < 0x7bff; bits++) {
      float middle = (float) ((decode(bits) + decode(bits + 1)) / 2);
      assertEquals((decode(bits) + decode(bits + 1)) / 2, middle, "exact in float32");
      int even = bits % 2 == 0 ? bits : bits + 1;
      assertEquals(even, half(middle));
      assertEquals(even | 0x8000, half(-middle));
      assertEquals(bits, half(Math.nextDown(middle)));
      assertEquals(bits + 1, half(Math.nextUp(middle)));
    }
  }

  @Test
  void randomFloatsAreNearest() {
    Random random = new Random(3);
    for (int i = 0; i < 200_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      if (!(Math.abs(value) <= 65504)) {
        value = (float) random.nextGaussian();
      }
      int bits = half(value);
      double error = Math.abs(decode(bits) - value);
      for (int neighbour : new int[] {bits - 1, bits + 1}) {
        if ((neighbour & 0x8000) == (bits & 0x8000) && Double.isFinite(decode(neighbour))) {
          assertTrue(error <= Math.abs(decode(neighbour) - value), "nearest to " + value);
        }
      }
      assertEquals(Float.floatToRawIntBits(value) >>> 31, bits >>> 15, "sign");
    }
  }

  private static OnnxModel twoProducts(float[] first, float[] second) {
    return TestModel.opset(17)
        .input("x", -1, 32)
        .constant("w", new long[] {32, 32}, first)
        .constant("v", new long[] {32, 32}, second)
        .constant("b", new long[] {32}, new float[32])
        .node("MatMul", List.of("x", "w"), List.of("h"))
        .node("MatMul", List.of("h", "v"), List.of("m"))
        .node("Add", List.of("m", "b"), List.of("y"))
        .output("y", -1, 32)
        .read();
  }

  private static ElementType type(OnnxModel model, String constant) {
    return model.graph().constant(constant).orElseThrow().type();
  }

  @Test
  void halvesAndRuns() {
    float[] w = Samples.normal(new Random(1), 1024);
    float[] v = Samples.normal(new Random(2), 1024);
    OnnxModel model = twoProducts(w, v);
    Map<String, Values> inputs =
        Map.of("x", new Values(new long[] {4, 32}, Samples.normal(new Random(3), 128)));
    float[] before = TestModel.run(model, inputs).get("y").floats();
    int bytes = TestModel.bytes(model).length;
    assertEquals(2, HalfWeights.apply(model.graph()));
    byte[] after = TestModel.bytes(model);
    OnnxChecker.check(after);
    assertTrue(after.length < 0.6 * bytes, after.length + " of " + bytes);
    float[] rounded = w.clone();
    float[] roundedToo = v.clone();
    for (int i = 0; i < 1024; i++) {
      rounded[i] = (float) decode(half(w[i]));
      roundedToo[i] = (float) decode(half(v[i]));
    }
    float[] expected = TestModel.run(twoProducts(rounded, roundedToo), inputs).get("y").floats();
    float[] found = TestModel.run(model, inputs).get("y").floats();
    assertArrayEquals(expected, found);
    double noise = 0;
    double signal = 0;
    for (int i = 0; i < found.length; i++) {
      noise += Math.pow(found[i] - before[i], 2);
      signal += Math.pow(before[i], 2);
    }
    assertTrue(signal > 1e6 * noise, signal + " over " + noise);
  }

  @Test
  void whatFloat16CannotHoldStays() {
    for (float value :
        new float[] {
          Math.nextUp(65504f), -1e9f, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY
        }) {
      float[] large = Samples.normal(new Random(1), 1024);
      large[1000] = value;
      OnnxModel model = twoProducts(large, new float[1024]);
      assertEquals(1, HalfWeights.apply(model.graph()));
      assertEquals(ElementType.FLOAT32, type(model, "w"));
      assertArrayEquals(large, model.graph().floatConstant("w").orElseThrow());
      assertTrue(model.graph().constant("v").isEmpty());
      assertEquals(ElementType.FLOAT16, type(model, "v_half"));
      assertEquals(ElementType.FLOAT32, type(model, "b"), "small");
    }
  }

  /** Scales are not weights: a bias's, 1e-7 say, would be nothing in float16. */
  @ParameterizedTest
  @EnumSource(Quantization.Form.class)
  void scalesStay(Quantization.Form form) {
    float[] w = Samples.normal(new Random(1), 320 * 4 * 9);
    for (int i = 0; i < w.length; i++) {
      w[i] *= 1e-3f;
    }
    float[] b = Samples.normal(new Random(2), 320);
    float[] x = Samples.normal(new Random(3), 2 * 4 * 8 * 8);
    for (int i = 0; i < x.length; i++) {
      x[i] *= 1e-2f;
    }
    for (int i = 0; i < b.length; i++) {
      b[i] *= 1e-5f;
    }
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 4, 8, 8)
            .constant("w", new long[] {320, 4, 3, 3}, w)
            .constant("b", new long[] {320}, b)
            .node("Conv", List.of("x", "w", "b"), List.of("h"))
            .node("Relu", List.of("h"), List.of("r"))
            .constant("u", new long[] {320, 320, 1, 1}, Samples.normal(new Random(4), 102400))
            .node("Conv", List.of("r", "u"), List.of("c"))
            .node("Identity", List.of("c"), List.of("y"))
            .output("y", -1, 320, 6, 6)
            .read();
    Map<String, Values> inputs = Map.of("x", new Values(new long[] {2, 4, 8, 8}, x));
    QuantizedModel quantized =
        TestModel.quantize(model, inputs, new QConfigMapping(QConfig.standard(), List.of()), form);
    float[] expected = TestModel.run(quantized.model(), inputs).get("y").floats();
    Quantization.storeAsHalf(quantized);
    float[] found = TestModel.run(quantized.model(), inputs).get("y").floats();
    assertArrayEquals(expected, found, () -> Arrays.toString(Arrays.copyOf(found, 5)));
  }
}
