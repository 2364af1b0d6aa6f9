package org.tare.drift;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.tare.stats.Samples;
import org.tare.stats.TensorStats;

/** The distances: their laws, a direct computation, and what SciPy makes of the same values. */
class DistancesTest {
  private static final double SMOOTHING = 1e-4;

  private static Distances between(float[] reference, float[] current) {
    return between(TensorStats.of(reference), TensorStats.of(current));
  }

  private static Distances between(TensorStats reference, TensorStats current) {
    Cells cells = Cells.of(reference, current);
    return Distances.of(cells, Bins.of(cells), SMOOTHING);
  }

  private static JsonNode recorded() throws IOException {
    try (InputStream in = DistancesTest.class.getResourceAsStream("/cases/drift/scipy.json")) {
      return new ObjectMapper().readTree(in);
    }
  }

  private static double[] doubles(JsonNode array) {
    double[] values = new double[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asDouble();
    }
    return values;
  }

  private static float[] floats(JsonNode array) {
    float[] values = new float[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) array.get(i).asDouble();
    }
    return values;
  }

  /** The recorded values are the middles of buckets, so nothing of them is lost. */
  @Test
  void cumulatedDistancesAreThoseOfSciPy() throws IOException {
    JsonNode samples = recorded().get("samples");
    assertEquals(6, samples.size());
    for (JsonNode one : samples) {
      String name = one.get("name").asText();
      Distances found = between(floats(one.get("reference")), floats(one.get("current")));
      double w1 = one.get("wasserstein").asDouble();
      double std = one.get("std").asDouble();
      assertEquals(
          one.get("kolmogorov_smirnov").asDouble(), found.kolmogorovSmirnov(), 1e-12, name);
      assertEquals(w1, found.wasserstein(), 1e-12 * w1, name);
      assertEquals(std, found.std(), 1e-12 * std, name);
      assertEquals(w1 / std, found.scaledWasserstein(), 1e-11 * w1 / std, name);
    }
  }

  @Test
  void distancesOfSharesAreThoseOfSciPy() throws IOException {
    JsonNode shares = recorded().get("shares");
    assertEquals(20, shares.size());
    for (JsonNode one : shares) {
      double[] p = doubles(one.get("p"));
      double[] q = doubles(one.get("q"));
      assertEquals(one.get("psi").asDouble(), Distances.psi(p, q, SMOOTHING), 1e-10);
      assertEquals(one.get("jensen_shannon").asDouble(), Distances.jensenShannon(p, q), 1e-10);
      assertEquals(one.get("hellinger").asDouble(), Distances.hellinger(p, q), 1e-10);
    }
  }

  private static double[] shares(Random random, int size) {
    double[] shares = new double[size];
    double sum = 0;
    for (int i = 0; i < size; i++) {
      shares[i] = random.nextInt(3) == 0 ? 0 : Math.exp(4 * random.nextGaussian());
      sum += shares[i];
    }
    if (sum == 0) {
      shares[0] = 1;
      sum = 1;
    }
    for (int i = 0; i < size; i++) {
      shares[i] /= sum;
    }
    return shares;
  }

  private interface OfShares {
    double distance(double[] p, double[] q);
  }

  @Test
  void distancesOfSharesAreMetrics() {
    Random random = new Random(1);
    List<OfShares> metrics = List.of(Distances::jensenShannon, Distances::hellinger);
    for (int seed = 0; seed < 2000; seed++) {
      int size = 1 + random.nextInt(20);
      double[] p = shares(random, size);
      double[] q = shares(random, size);
      double[] r = shares(random, size);
      assertEquals(0, Distances.psi(p, p, SMOOTHING));
      assertTrue(Distances.psi(p, q, SMOOTHING) >= 0);
      assertEquals(Distances.psi(p, q, SMOOTHING), Distances.psi(q, p, SMOOTHING), 1e-12);
      for (OfShares metric : metrics) {
        double direct = metric.distance(p, q);
        assertEquals(0, metric.distance(p, p), 1e-7);
        assertTrue(direct >= 0 && direct <= 1, "in bounds: " + direct);
        assertEquals(direct, metric.distance(q, p), 1e-12);
        double over = metric.distance(p, r) + metric.distance(r, q);
        assertTrue(direct <= over + 1e-12, direct + " > " + over + ", draw " + seed);
      }
    }
  }

  @Test
  void sharesWithNothingInCommonAreFurthestApart() {
    double[] p = {0.5, 0.5, 0, 0};
    double[] q = {0, 0, 0.25, 0.75};
    assertEquals(1, Distances.jensenShannon(p, q), 1e-15);
    assertEquals(1, Distances.hellinger(p, q), 1e-15);
    double psi = Distances.psi(p, q, SMOOTHING);
    assertTrue(psi > 10 && psi < 20, "smoothing keeps it finite: " + psi);
  }

  @Test
  void cumulatedDistancesAreMetrics() {
    for (int seed = 0; seed < 300; seed++) {
      Random random = new Random(seed);
      float[] x = some(random);
      float[] y = some(random);
      float[] z = some(random);
      Distances xy = between(x, y);
      Distances yx = between(y, x);
      Distances xz = between(x, z);
      Distances zy = between(z, y);
      assertEquals(xy.kolmogorovSmirnov(), yx.kolmogorovSmirnov(), "seed " + seed);
      double w = xy.wasserstein();
      assertEquals(w, yx.wasserstein(), 1e-12 * w, "seed " + seed);
      assertTrue(xy.kolmogorovSmirnov() <= 1 && xy.kolmogorovSmirnov() >= 0);
      assertTrue(
          xy.kolmogorovSmirnov() <= xz.kolmogorovSmirnov() + zy.kolmogorovSmirnov() + 1e-12,
          "seed " + seed);
      double over = xz.wasserstein() + zy.wasserstein();
      assertTrue(w <= over * (1 + 1e-12), w + " > " + over + ", seed " + seed);
    }
  }

  private static float[] some(Random random) {
    float[] values = Samples.wild(random, 1 + random.nextInt(60));
    values[0] = random.nextFloat();
    return values;
  }

  @Test
  void equalStatesAreAtNoDistance() {
    for (int seed = 0; seed < 100; seed++) {
      float[] values = some(new Random(seed));
      Distances found = between(values, values);
      assertEquals(0, found.psi());
      assertEquals(0, found.jensenShannon());
      assertEquals(0, found.hellinger());
      assertEquals(0, found.kolmogorovSmirnov());
      assertEquals(0, found.wasserstein());
      assertEquals(0, found.scaledWasserstein());
    }
  }

  /** Each value is at most half a bucket from where it stands: 2^-8 of itself. */
  @Test
  void cumulatedDistancesAreThoseOfTheValuesToABucketsWidth() {
    for (int seed = 0; seed < 50; seed++) {
      Random random = new Random(seed);
      float[] x = Samples.normal(random, 500);
      float[] y = Samples.normal(random, 400);
      for (int i = 0; i < y.length; i++) {
        y[i] = 0.5f * y[i] + 0.3f;
      }
      Distances found = between(x, y);
      double tolerance = (meanMagnitude(x) + meanMagnitude(y)) / 256;
      assertEquals(wasserstein(x, y), found.wasserstein(), tolerance, "seed " + seed);
      double ks = kolmogorovSmirnov(x, y);
      assertTrue(found.kolmogorovSmirnov() <= ks + 1e-12, "seed " + seed);
      // No more than the values of one bucket are missed.
      assertTrue(found.kolmogorovSmirnov() >= ks - 0.03, "seed " + seed);
    }
  }

  private static double meanMagnitude(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += Math.abs(value);
    }
    return sum / values.length;
  }

  private static double share(float[] values, double limit) {
    int below = 0;
    for (float value : values) {
      below += value <= limit ? 1 : 0;
    }
    return (double) below / values.length;
  }

  private static double wasserstein(float[] x, float[] y) {
    float[] all = Arrays.copyOf(x, x.length + y.length);
    System.arraycopy(y, 0, all, x.length, y.length);
    Arrays.sort(all);
    double sum = 0;
    for (int i = 0; i + 1 < all.length; i++) {
      sum += Math.abs(share(x, all[i]) - share(y, all[i])) * ((double) all[i + 1] - all[i]);
    }
    return sum;
  }

  private static double kolmogorovSmirnov(float[] x, float[] y) {
    double greatest = 0;
    for (float[] values : List.of(x, y)) {
      for (float value : values) {
        greatest = Math.max(greatest, Math.abs(share(x, value) - share(y, value)));
      }
    }
    return greatest;
  }

  @Test
  void orderAndGroupingOfMergesDoNotMatter() {
    Random random = new Random(3);
    List<TensorStats> parts = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      parts.add(TensorStats.of(some(random)));
    }
    TensorStats reference = TensorStats.of(some(random));
    TensorStats up = TensorStats.empty();
    parts.forEach(up::merge);
    TensorStats halves = TensorStats.empty();
    for (int i = 7; i >= 0; i -= 2) {
      halves.merge(TensorStats.empty().merge(parts.get(i)).merge(parts.get(i - 1)));
    }
    assertEquals(between(reference, up), between(reference, halves));
  }

  @Test
  void constantsStandWhereTheyAre() {
    Distances found = between(new float[] {3f, 3f}, new float[] {3.001f});
    assertEquals(3.001f - 3.0, found.wasserstein(), 1e-12, "within one bucket");
    assertEquals(0, found.kolmogorovSmirnov(), "which the shares of buckets do not see");
    assertEquals(0, found.std());
    assertTrue(Double.isNaN(found.scaledWasserstein()), "there is no unit");
    Distances apart = between(new float[] {3f}, new float[] {-3f, -3f});
    assertEquals(6, apart.wasserstein());
    assertEquals(1, apart.kolmogorovSmirnov());
    assertEquals(1, apart.hellinger());
  }

  @Test
  void zerosOfBothSignsAreOneAndSubnormalsAreNone() {
    float[] zeros = {0f, -0f, 0f, 0f};
    assertEquals(0, between(zeros, new float[] {-0f}).hellinger());
    Distances up = between(zeros, new float[] {Float.MIN_VALUE});
    assertEquals(1, up.kolmogorovSmirnov());
    assertEquals(1, up.hellinger());
    assertEquals(Float.MIN_VALUE, up.wasserstein());
    assertEquals(1, between(zeros, new float[] {-Float.MIN_VALUE}).hellinger());
    Distances both =
        between(new float[] {-Float.MIN_VALUE, 0, 0}, new float[] {0, 0, Float.MIN_VALUE});
    assertEquals(1.0 / 3, both.kolmogorovSmirnov(), 1e-12);
  }

  @Test
  void valuesThatAreNotFiniteTakeNoPart() {
    float[] some = {1, 2, 3};
    float[] more = {1, 2, 3, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
    assertEquals(between(some, some), between(some, more));
  }

  @Test
  void theLargestFloatsDoNotOverflow() {
    Distances found = between(new float[] {-Float.MAX_VALUE, 0}, new float[] {Float.MAX_VALUE, 0});
    assertEquals(Float.MAX_VALUE, found.wasserstein(), Float.MAX_VALUE / 256);
    assertEquals(0.5, found.kolmogorovSmirnov());
  }

  @Test
  void binsHoldEqualSharesOfTheReferenceAndZerosStandApart() {
    float[] reference = new float[4000];
    Random random = new Random(5);
    for (int i = 0; i < reference.length; i++) {
      reference[i] = Math.max(0, (float) random.nextGaussian());
    }
    TensorStats stats = TensorStats.of(reference);
    Bins bins = Bins.of(Cells.of(stats, stats));
    assertEquals(11, bins.count());
    assertEquals((double) stats.zeros() / 4000, bins.reference()[0], 1e-12);
    double rest = 1 - bins.reference()[0];
    for (int i = 1; i < 11; i++) {
      assertEquals(rest / 10, bins.reference()[i], rest / 40, "bin " + i);
    }
  }

  /** Nothing of the reference lies there, but of a constant there is no bin to join. */
  @Test
  void whatIsBeyondTheReferenceJoinsTheOutermostBins() {
    float[] reference = new float[1000];
    for (int i = 0; i < reference.length; i++) {
      reference[i] = 1 + i / 1000f;
    }
    Cells beyond = Cells.of(TensorStats.of(reference), TensorStats.of(-5, 0.5f, 1.55f, 7, 90));
    Bins bins = Bins.of(beyond);
    assertEquals(10, bins.count());
    assertEquals(0.4, bins.current()[0], 1e-12);
    assertEquals(0.4, bins.current()[9], 1e-12);
    Bins constant = Bins.of(Cells.of(TensorStats.of(2, 2), TensorStats.of(1, 1.5f, 2, 9)));
    assertEquals(3, constant.count());
    assertEquals(List.of(0.5, 0.25, 0.25), Arrays.stream(constant.current()).boxed().toList());
  }

  /** Between days that are held against one reference, Hellinger and Jensen-Shannon are metrics. */
  @Test
  void binsDependOnTheReferenceAlone() {
    Random random = new Random(9);
    float[] reference = Samples.normal(random, 2000);
    float[] low = Samples.normal(random, 500);
    float[] both = Arrays.copyOf(low, 1000);
    System.arraycopy(Samples.normal(random, 500), 0, both, 500, 500);
    Bins one = Bins.of(Cells.of(TensorStats.of(reference), TensorStats.of(low)));
    Bins other = Bins.of(Cells.of(TensorStats.of(reference), TensorStats.of(both)));
    assertEquals(
        Arrays.stream(one.reference()).boxed().toList(),
        Arrays.stream(other.reference()).boxed().toList());
    assertEquals(1, Arrays.stream(other.current()).sum(), 1e-12);
  }
}
