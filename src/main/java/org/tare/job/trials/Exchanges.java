package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Forms that cost less than the best one so far, a few layers away from it: some get cheaper types,
 * and others dearer ones in exchange. They are ordered by what they save times the chance that they
 * keep the target.
 */
final class Exchanges {
  /** How many steps to cheaper types are combined, and as many to dearer ones. */
  private static final int STEPS = 24;

  /** From how many forms steps are taken, again and again. */
  private static final int BEAM = 3;

  private static final int DEPTH = 3;

  /** How many of those from one form are kept. */
  private static final int KEPT = 300;

  /** A type that costs as much has to save that share of the error. */
  private static final double GAIN = 0.002;

  private static final Comparator<Candidate> BEST_FIRST =
      Comparator.comparingDouble(Candidate::score).reversed();

  private final Costs costs;
  private final Effects effects;
  private final Surrogate surrogate;
  private final Predicate<Assignment> isMeasured;
  private final double most;

  private record Candidate(Assignment form, double saved, double predicted, double score) {}

  /** A layer gets another type. */
  private record Step(int layer, LayerType type, double change, double cost) {}

  /**
   * @param surrogate guesses by how much forms keep the target, over the logarithm of one by what
   *     effects predict
   * @param most what a form has to cost less than
   */
  Exchanges(
      Costs costs,
      Effects effects,
      Surrogate surrogate,
      Predicate<Assignment> isMeasured,
      double most) {
    this.costs = costs;
    this.effects = effects;
    this.surrogate = surrogate;
    this.isMeasured = isMeasured;
    this.most = most;
  }

  /** The best ones that were not measured, no two of them neighbours of each other. */
  List<Assignment> best(Assignment start, int count) {
    List<Candidate> sorted =
        around(start).stream()
            .map(one -> scored(one, surrogate.of(one.form(), Surrogate.place(one.predicted()))))
            .sorted(BEST_FIRST)
            .toList();
    List<Assignment> found = new ArrayList<>();
    for (Candidate one : sorted) {
      if (found.size() < count
          && found.stream().allMatch(other -> other.distance(one.form()) > 1)) {
        found.add(one.form());
      }
    }
    return found;
  }

  private static Candidate scored(Candidate one, Surrogate.Guess guess) {
    return new Candidate(one.form(), one.saved(), one.predicted(), one.saved() * guess.chance());
  }

  private List<Candidate> around(Assignment start) {
    Map<Assignment, Candidate> all = new LinkedHashMap<>();
    Set<Assignment> left = new LinkedHashSet<>();
    List<Assignment> open = List.of(start);
    for (int depth = 0; depth < DEPTH; depth++) {
      for (Assignment from : open) {
        left.add(from);
        stepsFrom(from).forEach(one -> all.putIfAbsent(one.form(), one));
      }
      open =
          all.values().stream()
              .sorted(BEST_FIRST)
              .map(Candidate::form)
              .filter(one -> !left.contains(one))
              .limit(BEAM)
              .toList();
    }
    return List.copyOf(all.values());
  }

  /** One to three steps from a form. */
  private List<Candidate> stepsFrom(Assignment from) {
    List<Step> steps = steps(from);
    double predicted = effects.predicted(from);
    double cost = costs.of(from);
    List<Candidate> all = new ArrayList<>();
    for (int a = 0; a < steps.size(); a++) {
      add(all, from, predicted, cost, List.of(steps.get(a)));
      for (int b = a + 1; b < steps.size(); b++) {
        add(all, from, predicted, cost, List.of(steps.get(a), steps.get(b)));
        for (int c = b + 1; c < steps.size(); c++) {
          add(all, from, predicted, cost, List.of(steps.get(a), steps.get(b), steps.get(c)));
        }
      }
    }
    return all.stream().sorted(BEST_FIRST).limit(KEPT).toList();
  }

  /** Those that save most of the cost for the error they add, or of the error for the cost. */
  private List<Step> steps(Assignment from) {
    List<LayerType> types = effects.types();
    List<Step> cheaper = new ArrayList<>();
    List<Step> dearer = new ArrayList<>();
    for (int i = 0; i < from.types().size(); i++) {
      int now = types.indexOf(from.types().get(i));
      for (int t = 0; t < types.size(); t++) {
        double change = effects.changes()[i][t] - effects.changes()[i][now];
        double cost = costs.of(i, t) - costs.of(i, now);
        boolean isOfUse = cost != 0 || change < -GAIN * effects.error();
        if (t != now && isOfUse && !Double.isNaN(change)) {
          (cost < 0 ? cheaper : dearer).add(new Step(i, types.get(t), change, cost));
        }
      }
    }
    cheaper.sort(
        Comparator.comparingDouble(step -> Math.max(step.change(), Effects.TINY) / -step.cost()));
    dearer.sort(
        Comparator.comparingDouble(step -> step.change() / Math.max(step.cost(), costs.step())));
    List<Step> steps = new ArrayList<>(cheaper.subList(0, Math.min(STEPS, cheaper.size())));
    steps.addAll(dearer.subList(0, Math.min(STEPS, dearer.size())));
    return steps;
  }

  private void add(
      List<Candidate> all, Assignment from, double predicted, double cost, List<Step> steps) {
    double error = predicted;
    double saved = most - cost;
    for (int i = 0; i < steps.size(); i++) {
      error += steps.get(i).change();
      saved -= steps.get(i).cost();
      for (int k = 0; k < i; k++) {
        if (steps.get(k).layer() == steps.get(i).layer()) {
          return;
        }
      }
    }
    if (saved < costs.step() / 2) {
      return;
    }
    Assignment form = from;
    for (Step step : steps) {
      form = form.with(step.layer(), step.type());
    }
    if (!isMeasured.test(form)) {
      error = Math.max(error, Effects.TINY);
      Candidate one = new Candidate(form, saved, error, 0);
      all.add(scored(one, surrogate.ofLine(Surrogate.place(error))));
    }
  }
}
