package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How the error of one form changes if one layer of it alone gets another type. Changes are taken
 * to add.
 *
 * @param at the form
 * @param error its own
 * @param changes by layer and type; NaN where none is known
 */
record Effects(List<LayerType> types, Assignment at, double error, double[][] changes) {
  /** An error that stands for none where a logarithm is taken. */
  static final double TINY = 1e-30;

  /** What is to be expected of types, before anything is measured: no layer is like another. */
  static Effects expected(List<LayerType> types, int layers) {
    double[][] changes = new double[layers][];
    for (int i = 0; i < layers; i++) {
      changes[i] = types.stream().mapToDouble(LayerType::noise).toArray();
    }
    return new Effects(types, Assignment.all(layers, LayerType.FLOAT), 0, changes);
  }

  /** Those of a form of which no change is known yet. */
  static Effects none(List<LayerType> types, Assignment at, double error) {
    double[][] changes = new double[at.types().size()][types.size()];
    for (int i = 0; i < changes.length; i++) {
      Arrays.fill(changes[i], Double.NaN);
      changes[i][types.indexOf(at.types().get(i))] = 0;
    }
    return new Effects(types, at, error, changes);
  }

  /** Takes in what was measured of a form that differs in one layer. */
  void put(Assignment other, double measured) {
    for (int i = 0; i < changes.length; i++) {
      if (!other.types().get(i).equals(at.types().get(i))) {
        changes[i][types.indexOf(other.types().get(i))] = measured - error;
      }
    }
  }

  /** The error of another form; NaN if a change is not known. */
  double predicted(Assignment other) {
    double sum = error;
    for (int i = 0; i < changes.length; i++) {
      sum += changes[i][types.indexOf(other.types().get(i))];
    }
    return Math.max(sum, TINY);
  }

  /** From the cheapest types that are known to the dearest, by the error saved for the cost. */
  List<Assignment> path(Costs costs) {
    List<List<Integer>> ladders = new ArrayList<>();
    Assignment last = at;
    for (int i = 0; i < changes.length; i++) {
      ladders.add(costs.ladder(i, changes[i]));
      last = last.with(i, types.get(ladders.get(i).get(0)));
    }
    int[] now = new int[changes.length];
    List<Assignment> path = new ArrayList<>(List.of(last));
    while (true) {
      int layer = -1;
      int to = -1;
      double best = Double.NEGATIVE_INFINITY;
      for (int i = 0; i < now.length; i++) {
        List<Integer> ladder = ladders.get(i);
        int from = ladder.get(now[i]);
        for (int k = now[i] + 1; k < ladder.size(); k++) {
          int t = ladder.get(k);
          double paid = Math.max(costs.step(), costs.of(i, t) - costs.of(i, from));
          double gain = (changes[i][from] - changes[i][t]) / paid;
          if (gain > best) {
            best = gain;
            layer = i;
            to = k;
          }
        }
      }
      if (layer < 0) {
        return path;
      }
      now[layer] = to;
      last = last.with(layer, types.get(ladders.get(layer).get(to)));
      path.add(last);
    }
  }
}
