package org.tare.range;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;
import org.tare.quant.QuantSpec;
import org.tare.stats.Samples;
import org.tare.stats.TensorStats;

class RangeSearchTest {
  private static final QuantSpec UINT8 = QParamsRule.ONNXRUNTIME.spec(DType.UINT8, false);

  private static double error(float[] values, QParams q) {
    double sum = 0;
    for (float value : values) {
      double d = value - (double) q.fakeQuantize(value);
      sum += d * d;
    }
    return sum / values.length;
  }

  private static float[] values(String distribution) {
    Random random = new Random(7);
    float[] values = Samples.normal(random, 20_000);
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (distribution) {
            case "relu" -> Math.max(0, values[i]);
            case "laplace" ->
                (float) ((random.nextBoolean() ? 1 : -1) * Math.log(1 - random.nextDouble()));
            case "student" -> {
              double chi = 0;
              for (int k = 0; k < 3; k++) {
                chi += Math.pow(random.nextGaussian(), 2);
              }
              yield (float) (values[i] / Math.sqrt(chi / 3));
            }
            case "outliers" -> i < 4 ? 1000 : values[i];
            case "skewed" -> values[i] < 0 ? values[i] / 20 : values[i];
            default -> values[i];
          };
    }
    return values;
  }

  /** The best of a fine grid on the raw values, ends shrunk independently. */
  private static double bruteForce(float[] values, QuantSpec target) {
    float min = 0;
    float max = 0;
    for (float value : values) {
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    double best = Double.POSITIVE_INFINITY;
    double step = target.symmetric() || min == 0 ? 1.005 : 1.06;
    for (double a = 1; a > 1 / 64.0; a /= step) {
      for (double b = target.symmetric() || min == 0 ? a : 1; b > 1 / 64.0; b /= step) {
        QParams q = target.qparams((float) (min * a), (float) (max * b));
        best = Math.min(best, error(values, q));
        if (target.symmetric() || min == 0) {
          break;
        }
      }
    }
    return best;
  }

  @ParameterizedTest
  @CsvSource({
    "normal, uint8, false",
    "normal, int8, true",
    "relu, uint8, false",
    "laplace, uint8, false",
    "laplace, int8, true",
    "student, uint8, false",
    "outliers, uint8, false",
    "skewed, uint8, false",
    "normal, uint4, false",
    "laplace, int4, true"
  })
  void leastSquaredErrorIsThatOfBruteForce(String distribution, String dtype, boolean symmetric) {
    float[] values = values(distribution);
    QuantSpec target = QParamsRule.ONNXRUNTIME.spec(DType.of(dtype), symmetric);
    Range range = RangeSearch.range("t", TensorStats.of(values), new RangeMethod.Mse(), target);
    double found = error(values, target.qparams(range.min(), range.max()));
    double best = bruteForce(values, target);
    // 1.001 of the histogram's resolution, and what 20,000 samples scatter around it.
    assertTrue(found <= best * 1.004, found / best + " of brute force's");
  }

  @Test
  void expectedErrorIsTheErrorOfTheValues() {
    for (String distribution : new String[] {"normal", "relu", "laplace", "student"}) {
      float[] values = values(distribution);
      TensorStats stats = TensorStats.of(values);
      for (float max : new float[] {1f, 2.5f, 4f}) {
        QParams q = UINT8.qparams(-max, max);
        double expected = error(values, q);
        assertEquals(
            expected, RangeSearch.expectedSquaredError(stats, q), 0.02 * expected, distribution);
      }
    }
  }

  @Test
  void minMaxIsExact() {
    TensorStats stats = TensorStats.of(-1.25f, 7.5f, Float.NaN, Float.POSITIVE_INFINITY);
    assertEquals(
        new Range(-1.25f, 7.5f), RangeSearch.range("t", stats, new RangeMethod.MinMax(), UINT8));
  }

  @Test
  void percentileIsThatOfTheSortedValuesWithinABucket() {
    float[] values = values("normal");
    TensorStats stats = TensorStats.of(values);
    float[] sorted = values.clone();
    Arrays.sort(sorted);
    for (double percentile : new double[] {60, 90, 99, 99.9, 100}) {
      Range range = RangeSearch.range("t", stats, RangeMethod.Percentile.of(percentile), UINT8);
      double cut = (100 - percentile) / 200;
      assertNear(sorted, 1 - cut, range.max());
      assertNear(sorted, cut, range.min());
    }
  }

  private static void assertNear(float[] sorted, double share, float found) {
    double position = (sorted.length - 1) * share;
    int lower = (int) position;
    int upper = Math.min(lower + 1, sorted.length - 1);
    double expected = sorted[lower] + (position - lower) * (sorted[upper] - sorted[lower]);
    // A bucket is 2^-7 of its value wide, and both ranks are off by less than one.
    assertEquals(expected, found, Math.abs(expected) / 128 + 1e-6, "share " + share);
  }

  @Test
  void symmetricPercentileIsOfTheMagnitudes() {
    float[] values = values("laplace");
    float[] magnitudes = values.clone();
    for (int i = 0; i < magnitudes.length; i++) {
      magnitudes[i] = Math.abs(magnitudes[i]);
    }
    Arrays.sort(magnitudes);
    QuantSpec target = QParamsRule.ONNXRUNTIME.spec(DType.INT8, true);
    Range range =
        RangeSearch.range("t", TensorStats.of(values), RangeMethod.Percentile.of(99), target);
    assertNear(magnitudes, 0.99, range.max());
    assertEquals(-range.max(), range.min());
  }

  @Test
  void percentileKeepsBothSidesOfAnOutlier() {
    float[] values = values("normal");
    values[0] = 5000;
    Range range =
        RangeSearch.range("t", TensorStats.of(values), RangeMethod.Percentile.of(99.9), UINT8);
    assertTrue(range.max() > 2.5 && range.max() < 4, range.toString());
    assertTrue(range.min() < -2.5 && range.min() > -4, range.toString());
  }

  @Test
  void specialTensorsHaveDefinedRanges() {
    for (RangeMethod method :
        new RangeMethod[] {
          new RangeMethod.MinMax(), new RangeMethod.Mse(), RangeMethod.Percentile.of(99.99)
        }) {
      assertEquals(new Range(3, 3), RangeSearch.range("t", TensorStats.of(3, 3), method, UINT8));
      assertEquals(new Range(0, 0), RangeSearch.range("t", TensorStats.of(0, -0f), method, UINT8));
      assertEquals(new Range(-2, -2), RangeSearch.range("t", TensorStats.of(-2), method, UINT8));
      float tiny = Float.MIN_VALUE;
      assertEquals(
          new Range(tiny, tiny), RangeSearch.range("t", TensorStats.of(tiny), method, UINT8));
      TareException e =
          assertThrows(
              TareException.class,
              () -> RangeSearch.range("t", TensorStats.of(Float.NaN), method, UINT8));
      assertEquals(
          "Cannot choose a range for tensor \"t\": no finite value was observed (1 NaN, 0"
              + " infinite)",
          e.getMessage());
    }
  }

  @Test
  void allCoresChooseWhatOneDoes() {
    Random random = new Random(4);
    List<RangeSearch.Wanted> wanted = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      TensorStats stats = TensorStats.of(Samples.normal(random, 1000));
      RangeMethod method = i % 2 == 0 ? new RangeMethod.Auto() : new RangeMethod.Mse();
      wanted.add(new RangeSearch.Wanted("t" + i, stats, method, UINT8));
    }
    List<RangeChoice> choices = RangeSearch.chooseAll(wanted);
    for (int i = 0; i < wanted.size(); i++) {
      RangeSearch.Wanted one = wanted.get(i);
      assertEquals(
          RangeSearch.choose(one.tensor(), one.stats(), one.method(), UINT8), choices.get(i));
    }
    assertEquals(List.of(), RangeSearch.chooseAll(List.of()));
  }

  /** Whichever core comes to its tensor first. */
  @Test
  void theFirstOfManyWithoutValuesIsNamed() {
    List<RangeSearch.Wanted> wanted = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      TensorStats stats = i < 17 ? TensorStats.of(1, 2) : TensorStats.of(Float.NaN);
      wanted.add(new RangeSearch.Wanted("t" + i, stats, new RangeMethod.Mse(), UINT8));
    }
    TareException e = assertThrows(TareException.class, () -> RangeSearch.chooseAll(wanted));
    assertTrue(e.getMessage().contains("tensor \"t17\""), e.getMessage());
  }

  @Test
  void rangeNeverLeavesWhatWasObserved() {
    Random random = new Random(3);
    for (int i = 0; i < 200; i++) {
      TensorStats stats = TensorStats.of(Samples.wild(random, 1 + random.nextInt(200)));
      if (stats.finiteCount() > 0 && Mask.of(stats).count() == 0) {
        Range range = RangeSearch.range("t", stats, new RangeMethod.Mse(), UINT8);
        assertTrue(range.min() >= Math.min(0, stats.min()), range + " of " + stats);
        assertTrue(range.max() <= Math.max(0, stats.max()), range + " of " + stats);
      }
    }
  }
}
