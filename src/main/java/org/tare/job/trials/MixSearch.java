package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;

/**
 * Looks for the assignment that costs least and keeps a target, and judges few.
 *
 * <p>The first way from the cheapest types to float is by cost, with what is to be expected of
 * types; a few forms on it say about where the target is. Around the one that is nearest to it,
 * each layer alone gets the next cheaper and the next dearer type, in the model as it is there: the
 * errors that this adds and saves make a better way, on which the target's place is found. Then
 * layers are exchanged, a few at a time, as {@link Exchanges} has it.
 *
 * <p>The answer is the cheapest of all that was judged and keeps the target.
 */
final class MixSearch {
  /** After so many guided guesses the middle of what is open is as good a guess. */
  private static final int GUIDED = 3;

  /** How often effects are measured: again only if the first way led far away. */
  private static final int ROUNDS = 2;

  /** How many exchanges are judged at once, and how often in vain. */
  private static final int AT_ONCE = 3;

  private static final int FAILURES = 4;

  /** The fewest forms that exchanges may bring the search to. */
  private static final int FEW = 24;

  /** Forms whose error is so many times the target's, or its part, say something about it. */
  private static final double NEAR = 4;

  /** Measures forms. */
  interface Judge {
    List<Judged> judge(List<Assignment> forms);
  }

  /**
   * What is known of a form.
   *
   * @param error finite and not negative: what roughly adds up over layers, and is less in a better
   *     form
   * @param margin by how much the target is kept; negative if it is not
   */
  record Judged(double error, double margin) {
    boolean isMet() {
      return margin >= 0;
    }
  }

  private final List<LayerType> types;
  private final int layers;
  private final Costs costs;
  private final Judge judge;
  private final OptionalDouble limit;
  private final Map<Assignment, Judged> judged = new LinkedHashMap<>();
  private final Set<Assignment> walked = new LinkedHashSet<>();

  /**
   * @param types float is the last
   * @param limit the greatest error that keeps the target, if the error is what it is about
   */
  MixSearch(List<LayerType> types, int layers, Costs costs, Judge judge, OptionalDouble limit) {
    this.types = types;
    this.layers = layers;
    this.costs = costs;
    this.judge = judge;
    this.limit = limit;
  }

  /** The answer; all layers in float must keep the target. */
  Assignment run() {
    types.forEach(type -> walked.add(Assignment.all(layers, type)));
    judge(List.copyOf(walked));
    Effects effects = Effects.expected(types, layers);
    List<Assignment> path = effects.path(costs);
    visit(path.subList(0, 1));
    if (judged.get(path.get(0)).isMet()) {
      return named(path.get(0));
    }
    walkRoughly(path);
    for (int round = 0; round < ROUNDS; round++) {
      Assignment at = round > 0 && isOnLadders(best()) ? best() : nearest();
      effects = around(at);
      walk(effects);
      if (3 * best().distance(at) <= layers) {
        break;
      }
    }
    exchange(effects);
    return named(best());
  }

  /** What was judged on the way: single steps for effects, and exchanges in vain, aside. */
  List<Assignment> walked() {
    return List.copyOf(walked);
  }

  private void visit(List<Assignment> forms) {
    walked.addAll(forms);
    judge(forms);
  }

  private void judge(List<Assignment> forms) {
    List<Assignment> open = new ArrayList<>(new LinkedHashSet<>(forms));
    open.removeAll(judged.keySet());
    if (open.isEmpty()) {
      return;
    }
    List<Judged> found = judge.judge(open);
    for (int i = 0; i < open.size(); i++) {
      judged.put(open.get(i), found.get(i));
    }
  }

  /** The cheapest that keeps the target; of equal ones that with the least error. */
  private Assignment best() {
    return judged.keySet().stream()
        .filter(one -> judged.get(one).isMet())
        .min(
            Comparator.<Assignment>comparingDouble(costs::of)
                .thenComparingDouble(one -> judged.get(one).error()))
        .orElseThrow();
  }

  /** That of the way whose figure is nearest to the target. */
  private Assignment nearest() {
    return walked.stream()
        .filter(this::isOnLadders)
        .min(Comparator.comparingDouble(one -> Math.abs(judged.get(one).margin())))
        .orElseThrow();
  }

  private boolean isOnLadders(Assignment one) {
    for (int i = 0; i < layers; i++) {
      if (!costs.ladder(i).contains(types.indexOf(one.types().get(i)))) {
        return false;
      }
    }
    return true;
  }

  /** The error at the target; where it isn't known, between what keeps it and what does not. */
  private double threshold() {
    if (limit.isPresent()) {
      return Math.max(Effects.TINY, limit.getAsDouble());
    }
    double held = Effects.TINY;
    double failed = Double.MAX_VALUE;
    for (Judged one : judged.values()) {
      if (one.isMet()) {
        held = Math.max(held, one.error());
      } else {
        failed = Math.min(failed, Math.max(Effects.TINY, one.error()));
      }
    }
    return Math.sqrt(held) * Math.sqrt(failed);
  }

  /** What is open of a way: the last place that fails, and the first that holds or is too dear. */
  private int[] open(List<Assignment> path) {
    double most = costs.of(best());
    int fails = -1;
    int holds = 0;
    while (holds < path.size() && costs.of(path.get(holds)) < most) {
      Judged one = judged.get(path.get(holds));
      if (one != null && !one.isMet()) {
        fails = holds;
      }
      holds++;
    }
    return new int[] {fails, holds};
  }

  /** Looks for the target's place, but does not say exactly where, since the way is a rough one. */
  private void walkRoughly(List<Assignment> path) {
    int[] open = open(path);
    int fails = open[0];
    int holds = open[1];
    double right = placeOf(best());
    while (holds - fails > Math.max(1, layers / 7)) {
      double left = placeOf(path.get(fails));
      double share = (Surrogate.place(threshold()) - left) / Math.max(Effects.TINY, right - left);
      int next = fails + (int) Math.round((holds - fails) * Math.max(0.25, Math.min(0.75, share)));
      next = Math.max(fails + 1, Math.min(holds - 1, next));
      Assignment one = path.get(next);
      visit(List.of(one));
      if (judged.get(one).isMet()) {
        holds = next;
        right = placeOf(one);
      } else {
        fails = next;
      }
    }
  }

  private double placeOf(Assignment one) {
    return Surrogate.place(Math.max(Effects.TINY, judged.get(one).error()));
  }

  /** Finds the first place that keeps the target, as far as places behind it do too. */
  private void walk(Effects effects) {
    List<Assignment> path = effects.path(costs);
    int[] open = open(path);
    int fails = open[0];
    int holds = open[1];
    double factor = 1;
    for (int guesses = 0; holds - fails > 1; guesses++) {
      int next = guesses < GUIDED ? crossing(path, effects, factor) : (fails + holds) / 2;
      next = Math.max(fails + 1, Math.min(holds - 1, next));
      Assignment one = path.get(next);
      visit(List.of(one));
      factor = judged.get(one).error() / effects.predicted(one);
      if (judged.get(one).isMet()) {
        holds = next;
      } else {
        fails = next;
      }
    }
  }

  /**
   * Where a way is predicted to keep the target.
   *
   * @param factor what the last prediction was off by
   */
  private int crossing(List<Assignment> path, Effects effects, double factor) {
    double most = threshold();
    for (int i = 0; i < path.size(); i++) {
      if (effects.predicted(path.get(i)) * factor <= most) {
        return i;
      }
    }
    return path.size() - 1;
  }

  /**
   * Measures what single steps do to a form. Steps so dear that the best form so far costs less,
   * whatever the other layers get, are left out; and so are those beyond the cheapest type that
   * cannot save more than others for their cost, as models of one type say.
   */
  private Effects around(Assignment at) {
    double room = costs.of(best());
    for (int i = 0; i < layers; i++) {
      room -= costs.of(i, costs.ladder(i).get(0));
    }
    List<Assignment> steps = new ArrayList<>();
    Map<Assignment, Double> doubtful = new LinkedHashMap<>();
    for (int i = 0; i < layers; i++) {
      List<Integer> ladder = costs.ladder(i);
      int now = types.indexOf(at.types().get(i));
      int rung = ladder.indexOf(now);
      for (int t = 0; t < types.size(); t++) {
        if (t != now && costs.of(i, t) == costs.of(i, now)) {
          steps.add(at.with(i, types.get(t)));
        }
      }
      if (rung > 0) {
        steps.add(at.with(i, types.get(ladder.get(rung - 1))));
      }
      if (rung + 1 == ladder.size()) {
        continue;
      }
      int next = ladder.get(rung + 1);
      Assignment dearer = at.with(i, types.get(next));
      if (costs.of(i, next) - costs.of(i, ladder.get(0)) < room) {
        if (rung == 0) {
          steps.add(dearer);
        } else {
          double paid = Math.max(costs.step(), costs.of(i, next) - costs.of(i, now));
          doubtful.put(dearer, (errorOfAll(now) - errorOfAll(next)) / paid);
        }
      }
    }
    double needed = price(measured(at, steps));
    doubtful.forEach(
        (form, most) -> {
          if (most > needed) {
            steps.add(form);
          }
        });
    return measured(at, steps);
  }

  private double errorOfAll(int type) {
    return judged.get(Assignment.all(layers, types.get(type))).error();
  }

  private Effects measured(Assignment at, List<Assignment> steps) {
    judge(steps);
    Effects effects = Effects.none(types, at, judged.get(at).error());
    steps.forEach(one -> effects.put(one, judged.get(one).error()));
    return effects;
  }

  /** The error that the last step saves for its cost before the target is predicted to be kept. */
  private double price(Effects effects) {
    List<Assignment> path = effects.path(costs);
    int last = crossing(path, effects, 1);
    if (last == 0) {
      return 0;
    }
    Assignment before = path.get(last - 1);
    Assignment after = path.get(last);
    double paid = Math.max(costs.step(), costs.of(after) - costs.of(before));
    return Math.max(0, effects.predicted(before) - effects.predicted(after)) / paid;
  }

  /** Judges exchanges of layers, the most promising first, until too many of them were in vain. */
  private void exchange(Effects effects) {
    int most = Math.max(Math.max(FEW, 2 * layers), judged.size() + layers - layers / 4);
    for (int failures = 0; failures < FAILURES && judged.size() < most; ) {
      Assignment best = best();
      Exchanges exchanges =
          new Exchanges(costs, effects, surrogate(effects), judged::containsKey, costs.of(best));
      Assignment start = Double.isNaN(effects.predicted(best)) ? effects.at() : best;
      List<Assignment> tried = exchanges.best(start, Math.min(AT_ONCE, most - judged.size()));
      if (tried.isEmpty()) {
        return;
      }
      judge(tried);
      tried.stream().filter(one -> judged.get(one).isMet()).forEach(walked::add);
      failures = best().equals(best) ? failures + 1 : 0;
    }
  }

  /** Of the margin, or of the logarithm of the error that may be over the one that is. */
  private Surrogate surrogate(Effects effects) {
    double target = threshold();
    List<Assignment> forms = new ArrayList<>();
    List<Double> places = new ArrayList<>();
    List<Double> figures = new ArrayList<>();
    judged.forEach(
        (form, found) -> {
          double predicted = effects.predicted(form);
          if (predicted > target / NEAR && predicted < target * NEAR) {
            forms.add(form);
            places.add(Surrogate.place(predicted));
            figures.add(
                limit.isPresent()
                    ? placeOf(form) - Surrogate.place(target)
                    : (Double) found.margin());
          }
        });
    return new Surrogate(forms, places, figures);
  }

  /**
   * The same with the types that were named first among those that cost the same, in as many layers
   * from the last one on as keep the target so.
   */
  private Assignment named(Assignment found) {
    List<Assignment> path = new ArrayList<>(List.of(found));
    for (int i = layers - 1; i >= 0; i--) {
      int now = types.indexOf(found.types().get(i));
      int first = 0;
      while (costs.of(i, first) != costs.of(i, now)) {
        first++;
      }
      if (first < now) {
        path.add(path.get(path.size() - 1).with(i, types.get(first)));
      }
    }
    int holds = 0;
    int fails = path.size();
    while (fails - holds > 1) {
      int next = fails == path.size() ? fails - 1 : (holds + fails) / 2;
      visit(List.of(path.get(next)));
      if (judged.get(path.get(next)).isMet()) {
        holds = next;
      } else {
        fails = next;
      }
    }
    return path.get(holds);
  }
}
