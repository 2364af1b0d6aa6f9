package org.tare.job.trials;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.job.trials.MixSearch.Judged;

/** The search on nets that are formulas: errors of layers add, but for what neighbours share. */
class MixSearchTest {
  private static final LayerType NARROW = LayerType.of("w4a8");
  private static final LayerType WIDE = LayerType.of("w8a8");
  private static final int LAYERS = 24;

  /**
   * A net.
   *
   * @param sensitivities of layers: what their noise counts
   * @param thresholds the error that makes each row wrong
   * @param isSmooth whether the target is one of the error, and not of the share of wrong rows
   */
  private record Net(
      List<Layer> layers,
      double[] sensitivities,
      double[] thresholds,
      double target,
      boolean isSmooth,
      Map<Assignment, Judged> judged) {

    static Net of(long seed, boolean isSmooth) {
      Random random = new Random(seed);
      List<Layer> layers = new ArrayList<>();
      double[] sensitivities = new double[LAYERS];
      for (int i = 0; i < LAYERS; i++) {
        long weights = (long) Math.exp(5 + 6 * random.nextDouble());
        layers.add(new Layer("layer " + i, "t" + i, "Conv", weights));
        sensitivities[i] = Math.exp(1.5 * random.nextGaussian());
      }
      double[] thresholds = new double[1000];
      for (int i = 0; i < thresholds.length; i++) {
        thresholds[i] = Math.exp(2 + 1.5 * random.nextGaussian());
      }
      Net net = new Net(layers, sensitivities, thresholds, 0, isSmooth, new LinkedHashMap<>());
      double worst = net.error(Assignment.all(LAYERS, NARROW));
      double target = isSmooth ? worst / 5 : net.wrong(worst / 5);
      return new Net(layers, sensitivities, thresholds, target, isSmooth, new LinkedHashMap<>());
    }

    double error(Assignment form) {
      double sum = 0;
      double before = 0;
      for (int i = 0; i < LAYERS; i++) {
        double own = sensitivities[i] * form.types().get(i).noise() * 256;
        sum += own + 0.3 * Math.sqrt(own * before);
        before = own;
      }
      return sum;
    }

    /** The share of rows that such an error makes wrong. */
    double wrong(double error) {
      int wrong = 0;
      for (double threshold : thresholds) {
        wrong += error > threshold ? 1 : 0;
      }
      return (double) wrong / thresholds.length;
    }

    List<Judged> judge(List<Assignment> forms) {
      return forms.stream().map(form -> judged.computeIfAbsent(form, this::judgeNow)).toList();
    }

    private Judged judgeNow(Assignment form) {
      double error = error(form);
      return new Judged(error, target - (isSmooth ? error : wrong(error)));
    }

    Assignment mix(List<LayerType> types) {
      return new MixSearch(
              types,
              LAYERS,
              Costs.ofBytes(layers, types),
              this::judge,
              isSmooth ? OptionalDouble.of(target) : OptionalDouble.empty())
          .run();
    }

    /** The loop of NNCF: ranks layers by what reverting one alone gains, and reverts the first. */
    Assignment loop() {
      Set<Integer> reverted = new HashSet<>();
      List<Integer> ranked = rank(reverted);
      while (!judged(reverted).isMet()) {
        double before = judged(reverted).margin();
        int next = ranked.remove(0);
        reverted.add(next);
        if (judged(reverted).margin() < before) {
          reverted.remove(next);
          ranked = rank(reverted);
          reverted.add(ranked.remove(0));
        }
      }
      return form(reverted);
    }

    private List<Integer> rank(Set<Integer> reverted) {
      List<Integer> open = new ArrayList<>();
      for (int i = 0; i < LAYERS; i++) {
        if (!reverted.contains(i)) {
          open.add(i);
        }
      }
      Comparator<Integer> byMargin = Comparator.comparingDouble(i -> -with(reverted, i).margin());
      open.sort(byMargin.thenComparingDouble(i -> with(reverted, i).error()));
      return open;
    }

    private Judged with(Set<Integer> reverted, int layer) {
      Set<Integer> more = new HashSet<>(reverted);
      more.add(layer);
      return judged(more);
    }

    private Judged judged(Set<Integer> reverted) {
      return judge(List.of(form(reverted))).get(0);
    }

    private static Assignment form(Set<Integer> reverted) {
      Assignment form = Assignment.all(LAYERS, NARROW);
      for (int layer : reverted) {
        form = form.with(layer, WIDE);
      }
      return form;
    }
  }

  static Stream<Arguments> nets() {
    return Stream.iterate(1L, seed -> seed + 1)
        .limit(30)
        .flatMap(seed -> Stream.of(true, false).map(isSmooth -> Arguments.of(seed, isSmooth)));
  }

  @ParameterizedTest
  @MethodSource("nets")
  void typesOfTheSameCostMakeNoAnswerLarger(long seed, boolean isSmooth) {
    Net net = Net.of(seed, isSmooth);
    Assignment found = net.mix(List.of(NARROW, LayerType.of("w4a16"), WIDE, LayerType.FLOAT));
    assertTrue(net.judged().get(found).isMet(), "it keeps the target");
    long two =
        Net.of(seed, isSmooth).mix(List.of(NARROW, WIDE, LayerType.FLOAT)).bytes(net.layers());
    assertTrue(found.bytes(net.layers()) <= 1.02 * two, found.bytes(net.layers()) + " of " + two);
  }

  @ParameterizedTest
  @MethodSource("nets")
  void theAnswerKeepsTheTargetAndIsNoLargerThanThatOfALoopWhichReverts(
      long seed, boolean isSmooth) {
    Net net = Net.of(seed, isSmooth);
    Assignment found = net.mix(List.of(NARROW, WIDE, LayerType.FLOAT));
    assertTrue(net.judged().containsKey(found), "it was measured");
    assertTrue(net.judged().get(found).isMet(), "it keeps the target");
    assertTrue(net.judged().size() <= 4 * LAYERS, net.judged().size() + " forms");
    Net other = Net.of(seed, isSmooth);
    long most = other.loop().bytes(net.layers());
    assertTrue(found.bytes(net.layers()) <= most, () -> found.bytes(net.layers()) + " of " + most);
    assertEquals(found, Net.of(seed, isSmooth).mix(List.of(NARROW, WIDE, LayerType.FLOAT)));
  }
}
