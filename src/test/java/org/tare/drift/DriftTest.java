package org.tare.drift;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.range.ExpectedFidelity;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelObserver;
import org.tare.stats.ChannelStats;
import org.tare.stats.Samples;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

/** What drift is and what chance is, tensor by tensor. */
class DriftTest {
  private static CalibrationState state(long rows, Object... namesAndStats) {
    TreeMap<String, TensorStats> tensors = new TreeMap<>();
    for (int i = 0; i < namesAndStats.length; i += 2) {
      tensors.put((String) namesAndStats[i], (TensorStats) namesAndStats[i + 1]);
    }
    return new CalibrationState("ab", rows, tensors);
  }

  private static CalibrationState column(float... values) {
    return state(values.length, "x", TensorStats.of(values));
  }

  private static TensorDrift drift(CalibrationState reference, CalibrationState current) {
    return between(reference, current).tensors().get(0);
  }

  private static DriftReport between(CalibrationState reference, CalibrationState current) {
    return Drift.between(reference, current, Map.of(), DriftThresholds.STANDARD);
  }

  private static float[] shifted(float[] values, double factor, double shift) {
    float[] out = new float[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) (factor * values[i] + shift);
    }
    return out;
  }

  /** The unit of effects: whichever measure sees it, a shift by half a deviation is about 0.5. */
  @Test
  void theEffectOfAShiftIsTheShiftInStandardDeviations() {
    float[] then = Samples.normal(new Random(1), 200_000);
    float[] now = Samples.normal(new Random(2), 200_000);
    for (double shift : new double[] {0.1, 0.2, 0.35, 0.5}) {
      TensorDrift found = drift(column(then), column(shifted(now, 1, shift)));
      assertEquals(shift, found.effect(), 0.03, "shift " + shift);
      Distances distances = found.distances().orElseThrow();
      assertEquals(shift, Math.sqrt(distances.psi()), 0.04 * shift + 0.01);
      double js = Math.sqrt(8 * Math.log(2)) * distances.jensenShannon();
      assertEquals(shift, js, 0.06 * shift + 0.01);
      assertEquals(shift, Math.sqrt(8) * distances.hellinger(), 0.06 * shift + 0.01);
      double ks = Math.sqrt(2 * Math.PI) * distances.kolmogorovSmirnov();
      assertEquals(shift, ks, 0.06 * shift + 0.01);
      assertEquals(shift, distances.scaledWasserstein(), 0.01);
    }
  }

  @Test
  void verdictsFollowTheLimits() {
    float[] then = Samples.normal(new Random(1), 100_000);
    float[] now = Samples.normal(new Random(2), 100_000);
    assertEquals(Verdict.STABLE, drift(column(then), column(shifted(now, 1, 0.1))).verdict());
    TensorDrift little = drift(column(then), column(shifted(now, 1, 0.3)));
    assertEquals(Verdict.MOVED_A_LITTLE, little.verdict());
    assertEquals(1, little.reasons().size());
    TensorDrift much = drift(column(then), column(shifted(now, 1, 0.7)));
    assertEquals(Verdict.MOVED, much.verdict());
    DriftThresholds strict =
        new DriftThresholds(
            new Band(0.01, 0.05),
            new Band(0.01, 0.05),
            new Band(1, 3),
            new Band(1, 1),
            new Band(1, 1));
    assertEquals(
        Verdict.MOVED,
        Drift.between(column(then), column(shifted(now, 1, 0.1)), Map.of(), strict).verdict());
  }

  /** The bound on chance holds for one value a row, where it is tightest: seeded, both small. */
  @Test
  void chanceAloneIsNoDrift() {
    for (int rows : new int[] {1, 2, 5, 20, 100, 1000, 10_000}) {
      int drifts = 0;
      for (int seed = 0; seed < 200; seed++) {
        Random random = new Random(seed);
        TensorDrift found =
            drift(column(Samples.normal(random, rows)), column(Samples.normal(random, 3 * rows)));
        drifts += found.verdict() == Verdict.STABLE ? 0 : 1;
      }
      assertTrue(drifts <= 2, rows + " rows: " + drifts + " of 200");
    }
  }

  /** All values of a row are alike: as a million values of a hundred rows, it is a hundred. */
  @Test
  void rowsCountAndNotTheirValues() {
    Random random = new Random(4);
    int perRow = 1000;
    for (int draw = 0; draw < 50; draw++) {
      TensorStats[] stats = {TensorStats.empty(), TensorStats.empty()};
      for (TensorStats one : stats) {
        for (int row = 0; row < 100; row++) {
          one.mergeTimes(TensorStats.of((float) random.nextGaussian()), perRow);
        }
      }
      TensorDrift found = drift(state(100, "x", stats[0]), state(100, "x", stats[1]));
      assertEquals(Verdict.STABLE, found.verdict(), "draw " + draw);
      assertTrue(found.distances().orElseThrow().psi() > 0.01, "though there is a distance");
    }
  }

  @Test
  void theMeanPsiOfTwoSamplesIsWhatTheFormulaSays() {
    int n = 2000;
    int m = 1000;
    double sum = 0;
    int draws = 300;
    for (int seed = 0; seed < draws; seed++) {
      Random random = new Random(seed);
      sum +=
          drift(column(Samples.normal(random, n)), column(Samples.normal(random, m)))
              .distances()
              .orElseThrow()
              .psi();
    }
    double expected = 9 * (1.0 / n + 1.0 / m);
    assertEquals(expected, sum / draws, 0.1 * expected);
  }

  @Test
  void fewRowsTellOnlyLargeEffects() {
    float[] then = Samples.normal(new Random(1), 30);
    float[] now = Samples.normal(new Random(2), 30);
    assertEquals(0, drift(column(then), column(shifted(now, 1, 0.3))).effect());
    assertTrue(drift(column(then), column(shifted(now, 1, 3))).effect() > 1);
    assertTrue(drift(column(then), column(now)).noise() > 0.5);
  }

  @Test
  void tensorsStandGravestFirst() {
    float[] then = Samples.normal(new Random(1), 20_000);
    float[] now = Samples.normal(new Random(2), 20_000);
    TensorStats base = TensorStats.of(then);
    CalibrationState reference =
        state(20_000, "a", base, "b", base, "c", base, "d", base, "e", base);
    CalibrationState current =
        state(
            20_000,
            "a",
            TensorStats.of(now),
            "b",
            TensorStats.of(shifted(now, 1, 0.3)),
            "c",
            TensorStats.of(shifted(now, 1, 1)),
            "d",
            TensorStats.of(shifted(now, 1, 0.35)),
            "f",
            TensorStats.of(now));
    DriftReport report = between(reference, current);
    assertEquals(Verdict.MOVED, report.verdict());
    assertEquals(
        List.of("c", "d", "b", "a"), report.tensors().stream().map(TensorDrift::name).toList());
    assertEquals(List.of("e"), report.onlyInReference());
    assertEquals(List.of("f"), report.onlyInCurrent());
    assertEquals(2, report.count(Verdict.MOVED_A_LITTLE));
    assertEquals(1.0, report.effect(), 0.1);
  }

  @Test
  void valuesThatAreNotFiniteAreADriftOfTheirOwn() {
    float[] then = Samples.normal(new Random(1), 10_000);
    float[] now = Samples.normal(new Random(2), 10_000);
    float[] one = now.clone();
    one[7] = Float.NaN;
    TensorDrift little = drift(column(then), column(one));
    assertEquals(Verdict.MOVED_A_LITTLE, little.verdict());
    assertEquals(List.of("0.0100 % NaN or infinite"), little.reasons());
    Arrays.fill(now, 0, 100, Float.NEGATIVE_INFINITY);
    assertEquals(Verdict.MOVED, drift(column(then), column(now)).verdict());
    assertEquals(Verdict.STABLE, drift(column(now), column(now)).verdict(), "as it was");
  }

  @Test
  void tensorsWithoutFiniteValuesHaveNoDistance() {
    CalibrationState some = column(1, 2, 3);
    CalibrationState nans = column(Float.NaN, Float.NaN);
    TensorDrift gone = drift(some, nans);
    assertEquals(Verdict.MOVED, gone.verdict());
    assertTrue(gone.distances().isEmpty());
    assertEquals(List.of("100 % NaN or infinite", "no finite value any more"), gone.reasons());
    assertEquals(List.of("no finite value before"), drift(nans, some).reasons());
    assertEquals(Verdict.STABLE, drift(nans, nans).verdict());
    CalibrationState empty = state(3, "x", TensorStats.empty(), "y", TensorStats.of(1, 2, 3));
    CalibrationState full = state(3, "x", TensorStats.of(4), "y", TensorStats.of(1, 2, 3));
    assertEquals(List.of("no finite value any more"), drift(full, empty).reasons());
    assertEquals(Verdict.STABLE, between(empty, empty).verdict());
  }

  @Test
  void constantsAreStableUntilTheyChange() {
    float[] threes = new float[2000];
    Arrays.fill(threes, 3);
    assertEquals(Verdict.STABLE, drift(column(threes), column(threes)).verdict());
    TensorDrift moved = drift(column(threes), column(shifted(threes, 1, 1)));
    assertEquals(Verdict.MOVED, moved.verdict());
    assertTrue(moved.effect() > 2 && Double.isFinite(moved.effect()), "" + moved.effect());
    float[] zeros = new float[2000];
    assertEquals(Verdict.STABLE, drift(column(zeros), column(shifted(zeros, -1, 0))).verdict());
    assertEquals(Verdict.MOVED, drift(column(zeros), column(threes)).verdict());
  }

  private static TensorStats channels(Random random, int rows, double... means) {
    int count = means.length;
    float[] values = new float[rows * count];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() + means[i % count]);
    }
    TensorStats stats = TensorStats.of(values).with(ChannelStats.of(count));
    new ChannelObserver(new StatsObserver())
        .observe(stats.channels().orElseThrow(), values, 0, values.length, rows, 1);
    return stats;
  }

  @Test
  void channelsThatChangePlacesAreSeenThoughTheTensorLooksTheSame() {
    Random random = new Random(6);
    int rows = 4000;
    CalibrationState then = state(rows, "x", channels(random, rows, 0, 1, 2, 3));
    CalibrationState same = state(rows, "x", channels(random, rows, 0, 1, 2, 3));
    CalibrationState swapped = state(rows, "x", channels(random, rows, 0, 2, 1, 3));
    assertEquals(Verdict.STABLE, drift(then, same).verdict());
    TensorDrift found = drift(then, swapped);
    assertEquals(Verdict.MOVED, found.verdict());
    assertTrue(found.distances().orElseThrow().psi() < 0.01);
    ChannelShift channel = found.channel().orElseThrow();
    assertTrue(channel.channel() == 1 || channel.channel() == 2, "" + channel);
    assertEquals(1 / Math.sqrt(2.25), Math.abs(channel.shift()), 0.06);
    assertTrue(found.reasons().get(0).startsWith("mean of channel "), "" + found.reasons());
  }

  /**
   * Ten classes, and of each a channel that is on for it: without one of them the tensor looks the
   * same, and the mean of its channel is lower by a third of a deviation at most.
   */
  @Test
  void aClassThatIsMissingMovesTheMeanOfItsChannel() {
    Random random = new Random(9);
    CalibrationState then = state(5000, "x", classes(random, 5000, 10));
    assertEquals(
        Verdict.STABLE, drift(then, state(2000, "x", classes(random, 2000, 10))).verdict());
    TensorDrift found = drift(then, state(2000, "x", classes(random, 2000, 9)));
    assertEquals(Verdict.MOVED, found.verdict());
    ChannelShift channel = found.channel().orElseThrow();
    assertEquals(9, channel.channel());
    assertEquals(-1 / 3.0, channel.shift(), 0.03);
    assertEquals(
        List.of(String.format("mean of channel 9 moved %.2f std", channel.shift())),
        found.reasons());
    assertEquals(channel.effect(), found.effect());
  }

  /** Rows of ten channels, of the first classes. */
  private static TensorStats classes(Random random, int rows, int classes) {
    float[] values = new float[rows * 10];
    for (int row = 0; row < rows; row++) {
      values[10 * row + random.nextInt(classes)] = 1;
    }
    TensorStats stats = TensorStats.of(values).with(ChannelStats.of(10));
    new ChannelObserver(new StatsObserver())
        .observe(stats.channels().orElseThrow(), values, 0, values.length, rows, 1);
    return stats;
  }

  @Test
  void whatTheDeployedRangeClipsIsCounted() {
    QParams qparams = QParams.of(4f / 255, 0, DType.UINT8);
    float[] then = new float[1000];
    float[] now = new float[1000];
    for (int i = 0; i < 1000; i++) {
      then[i] = 4f * i / 1000;
      now[i] = 5f * i / 1000;
    }
    assertEquals(0, ExpectedFidelity.of(TensorStats.of(then), qparams).clipped(), 1e-12);
    // Half a step beyond 4 still rounds to it.
    double expected = 1 - (4 + 2.0 / 255) / 5;
    assertEquals(expected, ExpectedFidelity.of(TensorStats.of(now), qparams).clipped(), 0.002);
    DriftReport report =
        Drift.between(
            column(then),
            column(now),
            Map.of("x", qparams, "y", qparams),
            DriftThresholds.STANDARD);
    TensorDrift found = report.tensors().get(0);
    DeployedRange range = found.deployed().orElseThrow();
    assertEquals(expected, range.moreClipped(), 0.002);
    assertTrue(range.sqnrLoss() > 10, "" + range.sqnrLoss());
    assertEquals(Verdict.MOVED, found.verdict());
    assertTrue(found.reasons().toString().contains("% clipped"), "" + found.reasons());
    assertTrue(found.reasons().toString().contains("dB lower"), "" + found.reasons());
  }

  @Test
  void theExpectedSqnrIsThatOfTheValues() {
    for (int seed = 0; seed < 20; seed++) {
      float[] values = Samples.normal(new Random(seed), 20_000);
      QParams qparams = QParams.of(0.02f + 0.002f * seed, 3 * seed - 30, DType.INT8);
      double signal = 0;
      double error = 0;
      int clipped = 0;
      for (float value : values) {
        signal += (double) value * value;
        double miss = value - (double) qparams.fakeQuantize(value);
        error += miss * miss;
        double integer = Math.rint(value / qparams.scale()) + qparams.zeroPoint();
        clipped += integer < -128 || integer > 127 ? 1 : 0;
      }
      ExpectedFidelity found = ExpectedFidelity.of(TensorStats.of(values), qparams);
      assertEquals(10 * Math.log10(signal / error), found.sqnr(), 0.05, "seed " + seed);
      assertEquals(clipped / 20_000.0, found.clipped(), 0.002, "seed " + seed);
    }
    ExpectedFidelity none =
        ExpectedFidelity.of(TensorStats.of(Float.NaN), QParams.of(1, 0, DType.INT8));
    assertEquals(0, none.clipped());
    assertTrue(Double.isNaN(none.sqnr()));
  }

  @Test
  void theOrderOfMergesDoesNotMatter() {
    Random random = new Random(8);
    List<CalibrationState> days = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      days.add(column(Samples.wild(random, 50)));
    }
    CalibrationState reference = column(Samples.normal(random, 300));
    DriftReport first = between(reference, merged(days));
    for (int seed = 0; seed < 10; seed++) {
      Collections.shuffle(days, new Random(seed));
      assertEquals(first, between(reference, merged(days)));
    }
  }

  private static CalibrationState merged(List<CalibrationState> days) {
    CalibrationState sum = days.get(0);
    for (CalibrationState day : days.subList(1, days.size())) {
      sum = sum.merge(day);
    }
    return sum;
  }

  @Test
  void statesThatCannotBeComparedAreRefused() {
    CalibrationState some = column(1, 2);
    CalibrationState other = new CalibrationState("cd", 2, some.tensors());
    CalibrationState columns = new CalibrationState("", 2, some.tensors());
    refused("Cannot compare calibration states of different models: ab and cd", some, other);
    refused(
        "Cannot compare calibration states of different models: none (columns of a table) and ab",
        columns,
        some);
    refused(
        "Cannot compare calibration states: the current state holds no values (0 rows, 0 tensors)",
        some,
        state(0));
    refused(
        "Cannot compare calibration states: the reference state holds no values (0 rows, 1 tensors)",
        state(0, "x", TensorStats.empty()),
        some);
    refused(
        "Cannot compare calibration states: they have no tensor in common; the reference holds"
            + " \"x\", the current state \"y\" and 1 more",
        some,
        state(1, "y", TensorStats.of(1), "z", TensorStats.of(2)));
    assertFalse(between(columns, columns).tensors().isEmpty());
  }

  private static void refused(String message, CalibrationState one, CalibrationState other) {
    TareException e = assertThrows(TareException.class, () -> between(one, other));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    assertEquals(message, e.getMessage());
  }

  @Test
  void limitsMustMakeSense() {
    assertThrows(IllegalArgumentException.class, () -> new Band(0, 1));
    assertThrows(IllegalArgumentException.class, () -> new Band(2, 1));
    assertThrows(IllegalArgumentException.class, () -> new Band(Double.NaN, 1));
    assertEquals(Verdict.STABLE, new Band(1, 2).verdict(Double.NaN));
    assertEquals(Verdict.MOVED_A_LITTLE, new Band(1, 2).verdict(1));
    assertEquals(Verdict.MOVED, new Band(1, 2).verdict(2));
    assertEquals("moved-a-little", Verdict.MOVED_A_LITTLE.id());
  }
}
