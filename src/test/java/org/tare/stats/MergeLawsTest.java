package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.TareException;
import org.tare.stats.StateSamples.Part;

/**
 * Merging of states: its laws with lineage, what it refuses, and that a refusal changes nothing.
 */
class MergeLawsTest {
  private static final String SUM = " are above 2^63 - 1, which no count passes";

  @ParameterizedTest
  @EnumSource(Part.class)
  void mergingIsAssociativeAndCommutativeWithAnIdentity(Part part) {
    for (int seed = 0; seed < 50; seed++) {
      CalibrationState a = StateSamples.withLineage(part, seed, 1);
      CalibrationState b = StateSamples.withLineage(part, seed + 100, 2);
      CalibrationState c = StateSamples.withLineage(part, seed + 200, 6);
      CalibrationState none = new CalibrationState("ab", "country=DE", 0, new TreeMap<>());
      byte[] left = a.merge(b).merge(c).encodeFile();
      assertArrayEquals(left, a.merge(b.merge(c)).encodeFile(), "seed " + seed);
      assertArrayEquals(left, c.merge(b).merge(a).encodeFile(), "seed " + seed);
      assertArrayEquals(a.encodeFile(), a.merge(none).encodeFile(), "seed " + seed);
      assertArrayEquals(a.encodeFile(), none.merge(a).encodeFile(), "seed " + seed);
      assertEquals(3, a.merge(b).merge(c).lineage().sources().size());
    }
  }

  @Test
  void valuesThatWereDividedByDifferentFactorsDoNotMerge() {
    TensorStats one = TensorStats.of(1, 2).with(new Smoothing(0.5f, new int[] {1, 0}));
    TensorStats same = TensorStats.of(1, 2).with(new Smoothing(0.5f, new int[] {1, 0}));
    TensorStats other = TensorStats.of(3).with(new Smoothing(0.5f, new int[] {1, 1}));
    TareException e = assertThrows(TareException.class, () -> one.merge(other));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    assertEquals(
        "Cannot merge stats: their values were divided by different factors of SmoothQuant",
        e.getMessage());
    assertEquals(same, one);
  }

  @Test
  void theLineageIsNoPartOfWhatAStateIs() {
    CalibrationState without = StateSamples.state(Part.ALL, 3, 1);
    CalibrationState with = StateSamples.withLineage(Part.ALL, 3, 1);
    assertEquals(without, with);
    assertEquals(without.hashCode(), with.hashCode());
    assertEquals(without.digest(), with.digest());
    assertArrayEquals(without.encode(), with.encode());
    assertArrayEquals(without.encode(), without.encodeFile());
    assertNotEquals(without.encodeFile().length, with.encodeFile().length);
    assertEquals(with.lineage(), with.ofSlice("x").lineage());
  }

  @Test
  void theSameNumbersOfTheSameDataCountTwiceOnlyWhereAsked() {
    CalibrationState state = StateSamples.withLineage(Part.PLAIN, 3, 1);
    CalibrationState sum = StateSamples.withLineage(Part.PLAIN, 4, 2).merge(state);
    TareException e = assertThrows(TareException.class, () -> sum.merge(state));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    assertEquals(
        "Cannot merge calibration states: both hold data /data/1, snapshot v3, slice country=DE,"
            + " sample 100 rows, seed 7 (4 rows, 2026-11-24T10:15:30Z); allow duplicates to count it"
            + " twice",
        e.getMessage());
    CalibrationState twice = sum.merge(state, Duplicates.ALLOW);
    assertEquals(sum.rows() + state.rows(), twice.rows());
    assertEquals(3, twice.lineage().sources().size(), "what was counted twice stands twice");
    CalibrationState unknown = state.withLineage(Lineage.NONE);
    assertEquals(2 * state.rows(), state.merge(unknown).rows(), "nothing is known of it");
  }

  /** Each part of the identity alone makes another source. */
  @Test
  void otherDataSnapshotSliceSampleOrNumbersAreAnotherSource() {
    CalibrationState state = StateSamples.state(Part.PLAIN, 3, 1);
    Lineage.Source source = StateSamples.source("d", state);
    Lineage.Origin o = source.origin();
    Lineage.Source[] others = {
      of(source, new Lineage.Origin("e", o.snapshot(), o.slice(), o.sample(), o.columns()), "x"),
      of(source, new Lineage.Origin("d", "v4", o.slice(), o.sample(), o.columns()), "x"),
      of(source, new Lineage.Origin("d", o.snapshot(), "", o.sample(), o.columns()), "x"),
      of(source, new Lineage.Origin("d", o.snapshot(), o.slice(), "", o.columns()), "x"),
      of(source, o, "y")
    };
    CalibrationState ours = state.withLineage(Lineage.of(of(source, o, "x")));
    for (Lineage.Source other : others) {
      assertEquals(2 * state.rows(), ours.merge(state.withLineage(Lineage.of(other))).rows());
    }
    Lineage.Source columns =
        of(source, new Lineage.Origin("d", "v3", o.slice(), o.sample(), List.of("z")), "x");
    assertThrows(TareException.class, () -> ours.merge(state.withLineage(Lineage.of(columns))));
  }

  private static Lineage.Source of(Lineage.Source source, Lineage.Origin origin, String digest) {
    return new Lineage.Source(origin, source.rows(), digest, source.run());
  }

  @Test
  void countsThatPassTheLargestAreRefusedBeforeAnyChange() {
    TensorStats huge = TensorStats.empty().mergeTimes(TensorStats.of(1, -2, 0), 1L << 61);
    TensorStats target = TensorStats.empty().merge(huge);
    TensorStats sum = TensorStats.empty().merge(huge);
    String message =
        "Cannot merge stats: 6917529027641081856 values and then 6917529027641081856 more" + SUM;
    TareException e = assertThrows(TareException.class, () -> target.merge(huge));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    assertEquals(message, e.getMessage());
    assertEquals(sum, target);
    byte[] bytes = StatsCodec.encode(huge);
    TareException coded =
        assertThrows(TareException.class, () -> StatsCodec.mergeInto(target, bytes));
    assertEquals(message, coded.getMessage());
    assertEquals(sum, target);
    assertArrayEquals(bytes, StatsCodec.encode(target), "not even a page was left");
    CalibrationState state = new CalibrationState("", 1, new TreeMap<>());
    state.tensors().put("t", huge);
    TareException named = assertThrows(TareException.class, () -> state.merge(state));
    assertEquals("Tensor \"t\": " + message, named.getMessage());
  }

  @Test
  void countsOfChannelsThatPassTheLargestAreRefusedBeforeAnyChange() {
    ChannelStats once = ChannelStats.of(2);
    new ChannelObserver(new StatsObserver()).observe(once, new float[] {1, Float.NaN}, 0, 2, 1, 1);
    ChannelStats huge = ChannelStats.of(2).mergeTimes(once, Long.MAX_VALUE);
    TensorStats target = TensorStats.of(1).with(ChannelStats.of(2).merge(huge));
    TensorStats other = TensorStats.of(2).with(once);
    TareException e = assertThrows(TareException.class, () -> target.merge(other));
    assertEquals(
        "Cannot merge stats: 9223372036854775807 values and then 1 more" + SUM, e.getMessage());
    assertEquals(TensorStats.of(1).with(huge), target);
    assertEquals(target, StatsCodec.decode(StatsCodec.encode(target)));
  }

  @Test
  void partsThatDoNotMergeLeaveAllAsItWas() {
    TensorStats target = StateSamples.stats(Part.ALL, 1, 4);
    TensorStats before = StateSamples.stats(Part.ALL, 1, 4);
    TensorStats samePlace = StateSamples.stats(Part.ALL, 2, 4);
    assertThrows(TareException.class, () -> target.merge(samePlace));
    assertEquals(before, target);
  }

  /** In order, and from the last on; it took six minutes when it was quadratic. */
  @ParameterizedTest
  @ValueSource(ints = {1, -1})
  void manyBatchesOfOneAreRecordedAndMergedQuickly(int step) {
    int batches = 65_536;
    assertTimeout(
        Duration.ofSeconds(30),
        () -> {
          Recording observed = Recording.of(batches / 2);
          TensorStats merged = TensorStats.empty();
          for (int i = 0; i < batches; i++) {
            int place = step > 0 ? i : batches - 1 - i;
            observed.observe(place, place);
            Recording one = Recording.of(batches / 2);
            one.observe(place, place);
            merged.merge(TensorStats.empty().with(one));
          }
          assertEquals(batches / 2, observed.batches().size());
          assertEquals(batches / 2, observed.end());
          assertEquals(observed, merged.recording().orElseThrow());
        });
  }

  /** Every second place first: no run joins before the end. */
  @Test
  void manyRunsOfAnAverageMergeQuickly() {
    int places = 32_768;
    assertTimeout(
        Duration.ofSeconds(30),
        () -> {
          TensorStats merged = TensorStats.empty();
          for (int i = 0; i < places; i++) {
            int place = 2 * i % places + 2 * i / places;
            MovingAverage one = MovingAverage.at(place, 0.5f, 1);
            one.observe(-place, place);
            merged.merge(TensorStats.empty().with(one));
          }
          assertEquals(1, merged.average().orElseThrow().runs().size());
          assertEquals(places, merged.average().orElseThrow().batches());
        });
  }

  /** As the sums of years of slices are; merging them one by one took minutes. */
  @Test
  void manyStatesWithLineagesAndSlicesAddUpQuickly() {
    int states = 20_000;
    assertTimeout(
        Duration.ofSeconds(10),
        () -> {
          StateSum sum = new StateSum(Duplicates.REFUSE);
          for (int i = 0; i < states; i++) {
            int place = (int) (i * 7919L % states);
            sum.add(ofOneDay(place));
          }
          CalibrationState all = sum.state();
          assertEquals(states, all.rows());
          assertEquals(states, all.lineage().sources().size());
          assertTrue(all.slice().startsWith("day=0 + day=1 + day=10 + "), "in order");
          TareException e = assertThrows(TareException.class, () -> sum.add(ofOneDay(17)));
          assertTrue(e.getMessage().contains("both hold data rows, slice day=17 (1 rows, 1970"));
          // Sums of sums are the same.
          StateSum halves = new StateSum(Duplicates.REFUSE);
          for (int half = 1; half >= 0; half--) {
            StateSum part = new StateSum(Duplicates.REFUSE);
            for (int i = half; i < states; i += 2) {
              part.add(ofOneDay(i));
            }
            halves.add(part.state());
          }
          assertArrayEquals(all.encodeFile(), halves.state().encodeFile());
          assertEquals(all.lineage(), CalibrationState.decode(all.encodeFile(), "all").lineage());
        });
  }

  private static final TensorStats ONE_VALUE = TensorStats.of(1);

  private static CalibrationState ofOneDay(int day) {
    String slice = "day=" + day;
    Lineage.Run run = new Lineage.Run("settings", Instant.EPOCH, new TreeMap<>());
    Lineage.Origin origin = new Lineage.Origin("rows", "", slice, "", List.of("x"));
    return new CalibrationState(
        "",
        slice,
        1,
        new TreeMap<>(Map.of("x", ONE_VALUE)),
        Lineage.of(new Lineage.Source(origin, 1, "digest", run)));
  }
}
