package org.tare.range;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;
import org.tare.quant.QuantSpec;
import org.tare.range.onnxruntime.OnnxRuntimeHistogram;
import org.tare.range.onnxruntime.OnnxRuntimeRanges;
import org.tare.stats.MovingAverage;
import org.tare.stats.Samples;
import org.tare.stats.TensorStats;

class RangeMethodsTest {
  private static final QuantSpec UINT8 = QParamsRule.ONNXRUNTIME.spec(DType.UINT8, false);
  private static final QuantSpec INT8 = QParamsRule.ONNXRUNTIME.spec(DType.INT8, true);
  private static final QuantSpec UINT16 = QParamsRule.ONNXRUNTIME.spec(DType.UINT16, false);

  static List<RangeMethod> methods() {
    return List.of(
        new RangeMethod.MinMax(),
        RangeMethod.Percentile.of(99.99),
        new RangeMethod.Percentile(1, 98),
        new RangeMethod.Mse(),
        new RangeMethod.Lp(1),
        new RangeMethod.Lp(3),
        new RangeMethod.Entropy(),
        new RangeMethod.Sigma(3),
        new RangeMethod.Auto(),
        new RangeMethod.OnnxRuntimePercentile(99.999, 2048),
        new RangeMethod.OnnxRuntimeEntropy(512, 128));
  }

  private static Range range(RangeMethod method, QuantSpec spec, float... values) {
    return RangeSearch.range("t", TensorStats.of(values), method, spec);
  }

  private static float[] normal(int seed) {
    return Samples.normal(new Random(seed), 20_000);
  }

  /** Every method answers every special tensor, within what was observed. */
  @ParameterizedTest
  @MethodSource("methods")
  void specialTensorsHaveAnAnswer(RangeMethod method) {
    float[][] tensors = {
      {0, 0, -0f},
      {5},
      {-3, -3, -3},
      {-5, -2, -1},
      {Float.MIN_VALUE, -Float.MIN_VALUE, 3 * Float.MIN_VALUE},
      {1e30f, -1e30f, 5e29f},
      {Float.MAX_VALUE, -Float.MAX_VALUE, 1},
      {Float.NaN, 1, 2, Float.POSITIVE_INFINITY},
      {0, 1}
    };
    for (QuantSpec spec : new QuantSpec[] {UINT8, INT8, UINT16}) {
      for (float[] values : tensors) {
        TensorStats stats = TensorStats.of(values);
        Range range = RangeSearch.range("t", stats, method, spec);
        QParams q = spec.qparams(range.min(), range.max());
        float greatest = Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
        assertTrue(
            range.max() <= greatest && range.min() >= -greatest, method + " " + range + stats);
        assertTrue(q.scale() > 0);
        boolean isTares = !method.id().startsWith("onnxruntime");
        if (isTares && stats.min() == stats.max() && stats.min() != 0) {
          // A constant is represented to half a step of float32's own rounding.
          assertEquals(stats.min(), q.fakeQuantize(stats.min()), Math.abs(stats.min()) * 1e-5);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("methods")
  void mergedStatesGiveTheSameRange(RangeMethod method) {
    float[] values = normal(3);
    TensorStats merged = TensorStats.empty();
    for (int from = 0; from < values.length; from += 700) {
      float[] part =
          java.util.Arrays.copyOfRange(values, from, Math.min(values.length, from + 700));
      merged.merge(TensorStats.of(part));
    }
    assertEquals(range(method, UINT8, values), RangeSearch.range("t", merged, method, UINT8));
  }

  /**
   * Attention scores with a mask added: the scores keep their range, the mask keeps its meaning.
   */
  @ParameterizedTest
  @ValueSource(floats = {-1e4f, -1e9f, -3.4e38f, Float.NEGATIVE_INFINITY})
  void masksNeitherDestroyTheRangeNorGainAMeaning(float mask) {
    float[] scores = normal(5);
    for (int i = 0; i < scores.length; i += 3) {
      scores[i] += mask;
    }
    for (RangeMethod method :
        List.of(
            new RangeMethod.MinMax(),
            RangeMethod.Percentile.of(99.99),
            new RangeMethod.Mse(),
            new RangeMethod.Entropy(),
            new RangeMethod.Sigma(4),
            new RangeMethod.Auto())) {
      RangeChoice choice = RangeSearch.choose("t", TensorStats.of(scores), method, UINT8);
      assertEquals((scores.length + 2) / 3, choice.masked(), method.id());
      QParams q = UINT8.qparams(choice.range().min(), choice.range().max());
      // Of scores within 10, a step of at most a tenth.
      assertTrue(q.scale() < 0.12, method + " " + q);
      assertTrue(Math.exp(q.fakeQuantize(mask) - q.fakeQuantize(-4)) < 1e-6, method + " " + q);
    }
  }

  /** One infinity, as of log 0, is no mask; the error is that of the range with the mask's room. */
  @Test
  void fewInfinitiesAreNoMask() {
    float[] values = normal(3);
    values[9] = Float.NEGATIVE_INFINITY;
    RangeChoice choice =
        RangeSearch.choose("t", TensorStats.of(values), new RangeMethod.MinMax(), UINT8);
    assertEquals(0, choice.masked());
    assertTrue(choice.range().min() > -6, choice.range().toString());
    for (int i = 0; i < values.length; i += 2) {
      values[i] = -1e4f;
    }
    values[9] = 0;
    RangeChoice masked =
        RangeSearch.choose("t", TensorStats.of(values), new RangeMethod.Mse(), UINT8);
    QParams q = UINT8.qparams(masked.range().min(), masked.range().max());
    double sum = 0;
    int scores = 0;
    for (float value : values) {
      if (value > -100) {
        sum += Math.pow(value - (double) q.fakeQuantize(value), 2);
        scores++;
      }
    }
    assertEquals(sum / scores, masked.expectedError(), 0.05 * sum / scores);
    TensorStats stats = TensorStats.of(values);
    Range literal =
        RangeSearch.chooseForColumn("t", stats, new RangeMethod.MinMax(), UINT8).range();
    assertEquals(-1e4f, literal.min());
    assertEquals(masked, RangeSearch.chooseForColumn("t", stats, new RangeMethod.Mse(), UINT8));
  }

  /**
   * Powers of large values do not overflow, nor do ranges that end on a bucket's edge become NaN.
   */
  @ParameterizedTest
  @ValueSource(doubles = {1, 3, 8, 16})
  void powersHaveAnAnswerForAllValues(double p) {
    RangeMethod method = new RangeMethod.Lp(p);
    float[] pixels = new float[256];
    for (int i = 0; i < 256; i++) {
      pixels[i] = i;
    }
    Range exact = range(method, UINT8, pixels);
    assertTrue(exact.min() == 0 && exact.max() > 200 && exact.max() <= 255, exact.toString());
    Range wide = range(method, UINT8, 0, -3e38f, 1e38f, 2e38f);
    assertTrue(wide.min() < 0 && wide.max() > 0, wide.toString());
    Range tiny = range(method, UINT8, 0, 1e-38f, 2e-38f, 3e-38f);
    assertTrue(tiny.max() > 0, tiny.toString());
  }

  /** The value below the greatest counts whole where the greatest begins a bucket. */
  @Test
  void everyValueCountsOnce() {
    BucketTable table = new BucketTable(TensorStats.of(0.999f, 1f, -0.999f, -1f));
    QParams q = UINT8.qparams(-0.5f, 0.5f);
    double expected = 0;
    for (float value : new float[] {0.999f, 1f, -0.999f, -1f}) {
      expected += Math.pow(value - (double) q.fakeQuantize(value), 2) / 4;
    }
    assertEquals(expected, table.meanSquaredError(q), 0.01 * expected);
  }

  @Test
  void entropyOfManyLevelsIsMinMax() {
    QuantSpec int16 = QParamsRule.ONNXRUNTIME.spec(DType.INT16, true);
    float[] values = normal(12);
    Range minMax = range(new RangeMethod.MinMax(), UINT16, values);
    assertEquals(minMax, range(new RangeMethod.Entropy(), UINT16, values));
    assertEquals(minMax, range(new RangeMethod.Entropy(), int16, values));
  }

  @Test
  void twoKindsOfMaskAreBothSetApart() {
    float[] scores = normal(5);
    for (int i = 0; i < scores.length; i += 3) {
      scores[i] = i % 2 == 0 ? -3.4e38f : -1e4f;
    }
    RangeChoice choice =
        RangeSearch.choose("t", TensorStats.of(scores), new RangeMethod.MinMax(), UINT8);
    assertEquals((scores.length + 2) / 3, choice.masked());
    assertTrue(choice.range().min() > -25, choice.range().toString());
  }

  /** The mask by itself, and outliers that are none, keep their whole range. */
  @Test
  void whatIsNoMaskIsKept() {
    assertEquals(new Range(-1e4f, 0), range(new RangeMethod.MinMax(), UINT8, 0, -1e4f, 0));
    float lowest = -3.4028235e38f;
    Range mask = range(new RangeMethod.Auto(), UINT8, 0, lowest, 0);
    assertEquals(lowest, UINT8.qparams(mask.min(), mask.max()).fakeQuantize(lowest), 1e33f);
    assertEquals(0f, UINT8.qparams(mask.min(), mask.max()).fakeQuantize(0f));
    // Activations as large as a mask, but spread: massive activations of a language model.
    assertEquals(
        new Range(-30000, 3),
        range(new RangeMethod.MinMax(), UINT8, -30000, -9000, -14000, 1, 2, 3));
    // Positive ones are never a mask.
    assertEquals(new Range(-1, 1e30f), range(new RangeMethod.MinMax(), UINT8, -1, 0, 1e30f));
  }

  @Test
  void autoSaysWhichAndByHowMuch() {
    float[] values = normal(9);
    values[0] = 40;
    RangeChoice choice =
        RangeSearch.choose("t", TensorStats.of(values), new RangeMethod.Auto(), UINT8);
    assertEquals("mse", choice.method());
    assertTrue(choice.expectedError() < choice.minMaxError());
    // With 16 bits there is nothing to gain by clipping.
    assertEquals(
        "minmax",
        RangeSearch.choose("t", TensorStats.of(normal(9)), new RangeMethod.Auto(), UINT16)
            .method());
  }

  @Test
  void entropyCutsOutliersAndKeepsUniformData() {
    float[] values = normal(2);
    values[0] = 100;
    Range range = range(new RangeMethod.Entropy(), INT8, values);
    assertTrue(range.max() < 20, range.toString());
    assertEquals(-range.max(), range.min());
    float[] uniform = new float[200_000];
    for (int i = 0; i < uniform.length; i++) {
      uniform[i] = i / 200_000f;
    }
    // Nothing to gain by cutting: more than nine tenths stay.
    assertTrue(range(new RangeMethod.Entropy(), UINT8, uniform).max() > 0.9);
  }

  /** Against the definition, bin by bin: KL of the clipped distribution and its levels. */
  @Test
  void entropyIsThatOfTheDefinition() {
    float[] values = normal(4);
    values[7] = 9;
    TensorStats stats = TensorStats.of(values);
    float greatest = 9;
    double[] bins = LinearBins.ofMagnitudes(stats, 2048, 0, greatest, false).counts();
    int best = 0;
    double least = Double.POSITIVE_INFINITY;
    for (int i = 128; i <= 2048; i++) {
      double[] p = java.util.Arrays.copyOf(bins, i);
      double[] q = new double[i];
      for (int j = i; j < 2048; j++) {
        p[i - 1] += bins[j];
      }
      for (int level = 0; level < 128; level++) {
        int from = (int) ((long) level * i / 128);
        int to = (int) ((long) (level + 1) * i / 128);
        double sum = 0;
        int filled = 0;
        for (int j = from; j < to; j++) {
          sum += bins[j];
          filled += p[j] > 0 ? 1 : 0;
        }
        for (int j = from; j < to; j++) {
          q[j] = p[j] > 0 ? Math.max(sum, 1e-4) / filled : 0;
        }
      }
      double pSum = java.util.Arrays.stream(p).sum();
      double qSum = java.util.Arrays.stream(q).sum();
      double kl = 0;
      for (int j = 0; j < i; j++) {
        if (p[j] > 0) {
          kl +=
              q[j] > 0
                  ? p[j] / pSum * Math.log(p[j] / pSum / (q[j] / qSum))
                  : Double.POSITIVE_INFINITY;
        }
      }
      if (kl < least - 1e-12) {
        least = kl;
        best = i;
      }
    }
    Range found = RangeSearch.range("t", stats, new RangeMethod.Entropy(), INT8);
    assertEquals((best + 0.5) * greatest / 2048, found.max(), greatest / 2048 * 1.01);
  }

  @Test
  void lpOfTwoIsMseAndLargerPowersReachFurther() {
    float[] values = normal(6);
    Range two = range(new RangeMethod.Lp(2), UINT8, values);
    assertEquals(range(new RangeMethod.Mse(), UINT8, values), two);
    assertTrue(range(new RangeMethod.Lp(8), UINT8, values).max() > two.max());
    assertTrue(range(new RangeMethod.Lp(0.5), UINT8, values).max() < two.max());
  }

  /** The expected |error|^p against that of the values. */
  @ParameterizedTest
  @ValueSource(doubles = {1, 2, 3, 4.5})
  void expectedPowersAreThoseOfTheValues(double p) {
    float[] values = normal(8);
    BucketTable table = new BucketTable(TensorStats.of(values));
    for (float max : new float[] {1.5f, 3f, 4.5f}) {
      QParams q = UINT8.qparams(-max, max);
      double sum = 0;
      for (float value : values) {
        sum += Math.pow(Math.abs(value - (double) q.fakeQuantize(value)), p);
      }
      // Powers other than two are in units of the greatest magnitude.
      float greatest = 0;
      for (float value : values) {
        greatest = Math.max(greatest, Math.abs(value));
      }
      double expected = sum / values.length / (p == 2 ? 1 : Math.pow(greatest, p));
      assertEquals(expected, table.error(p).mean(q), 0.05 * expected, "p " + p + " max " + max);
    }
  }

  @Test
  void sigmaIsMeanAndDeviations() {
    float[] values = normal(10);
    double mean = 0;
    double square = 0;
    for (float value : values) {
      mean += value / values.length;
      square += (double) value * value / values.length;
    }
    double deviation = Math.sqrt(square - mean * mean);
    Range range = range(new RangeMethod.Sigma(2), UINT8, values);
    assertEquals(mean + 2 * deviation, range.max(), 0.01);
    assertEquals(mean - 2 * deviation, range.min(), 0.01);
  }

  @Test
  void fixedNeedsNoValues() {
    assertEquals(new Range(-2, 6), range(new RangeMethod.Fixed(-2, 6), UINT8, Float.NaN));
  }

  @Test
  void movingAverageIsReadFromTheState() {
    TensorStats stats = TensorStats.of(-9, 9).with(MovingAverage.at(0, 0.5f, 1));
    stats.average().orElseThrow().observe(-2, 2);
    stats.average().orElseThrow().observe(-4, 8);
    RangeMethod method = new RangeMethod.MovingAverageMinMax(0.5f);
    assertEquals(new Range(-3, 5), RangeSearch.range("t", stats, method, UINT8));
    RangeMethod slower = new RangeMethod.MovingAverageMinMax(0.1f);
    TareException other =
        assertThrows(TareException.class, () -> RangeSearch.range("t", stats, slower, UINT8));
    assertTrue(other.getMessage().contains("was made with constant 0.5, not 0.1"));
    TareException e =
        assertThrows(
            TareException.class, () -> RangeSearch.range("t", TensorStats.of(1), method, UINT8));
    assertTrue(e.getMessage().contains("the state holds no moving average"), e.getMessage());
  }

  /** On a merged state ONNX Runtime's calibrators come as near as a bucket is wide. */
  @Test
  void onnxRuntimesMethodsOnStatesAreNearTheOriginals() {
    float[] values = normal(11);
    OnnxRuntimeHistogram magnitudes = OnnxRuntimeHistogram.ofMagnitudes(2048);
    magnitudes.collect(values);
    OnnxRuntimeHistogram signed = OnnxRuntimeHistogram.ofValues(2048);
    signed.collect(values);
    for (double percentile : new double[] {99, 99.9}) {
      RangeMethod method = new RangeMethod.OnnxRuntimePercentile(percentile, 2048);
      Range symmetric = OnnxRuntimeRanges.percentile(magnitudes, percentile, true);
      assertEquals(symmetric.max(), range(method, INT8, values).max(), symmetric.max() / 100);
      Range affine = OnnxRuntimeRanges.percentile(signed, percentile, false);
      assertEquals(affine.min(), range(method, UINT8, values).min(), -affine.min() / 100);
    }
  }

  @Test
  void methodsAreReadFromText() {
    assertEquals(RangeMethod.Percentile.of(99), RangeMethod.parse("percentile(percentile=99)"));
    assertEquals(
        new RangeMethod.Percentile(0.5, 100), RangeMethod.parse("percentile(lower = 0.5)"));
    assertEquals(new RangeMethod.Fixed(-1, 2), RangeMethod.parse("fixed(min=-1, max=2)"));
    assertEquals(new RangeMethod.Sigma(3), RangeMethod.parse("sigma"));
    assertEquals(
        new RangeMethod.MovingAverageMinMax(0.5f),
        RangeMethod.parse("moving_average(constant=0.5)"));
    assertSays("Unknown range method \"best\": it is one of auto, entropy, fixed, lp", "best");
    assertSays("k: 3.0 has no meaning with method \"mse\"", "mse(k=3)");
    assertSays("Missing p: method \"lp\" takes it", "lp");
    assertSays("it lacks the closing )", "lp(p=3");
    assertSays("\"p\" is not one name=number", "lp(p)");
    assertSays("is not one name=number", "lp(p=3,p=2)");
    assertSays("100.7 bins or levels cannot be used", "onnxruntime-percentile(bins=100.7)");
    assertSays("p cannot be 99.0: it is from 0.5 to 16", "lp(p=99)");
    assertSays("give either percentile, or lower and upper", "percentile(percentile=9,lower=1)");
    assertEquals(RangeMethod.parse("mse"), RangeMethod.parse("MSE", Map.of()), "names in any case");
  }

  private static void assertSays(String part, String text) {
    TareException e = assertThrows(TareException.class, () -> RangeMethod.parse(text));
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }
}
