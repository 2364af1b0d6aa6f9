package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** What each layer costs in each type; costs of layers add. */
final class Costs {
  /** What is to be small. */
  enum Unit {
    /** Bytes of the weight, its scales aside. */
    BYTES,
    /** Seconds a row, on this machine. */
    SECONDS
  }

  private final Unit unit;
  private final List<LayerType> types;
  private final double[][] costs;

  private Costs(Unit unit, List<LayerType> types, double[][] costs) {
    this.unit = unit;
    this.types = types;
    this.costs = costs;
  }

  /** By bytes. */
  static Costs ofBytes(List<Layer> layers, List<LayerType> types) {
    double[][] costs = new double[layers.size()][types.size()];
    for (int i = 0; i < layers.size(); i++) {
      for (int t = 0; t < types.size(); t++) {
        costs[i][t] = types.get(t).bytes(layers.get(i).weights());
      }
    }
    return new Costs(Unit.BYTES, types, costs);
  }

  /**
   * By time.
   *
   * @param seconds of each layer, by type
   */
  static Costs ofSeconds(List<double[]> seconds, List<LayerType> types) {
    double[][] costs = new double[seconds.get(0).length][types.size()];
    for (int i = 0; i < costs.length; i++) {
      for (int t = 0; t < types.size(); t++) {
        costs[i][t] = seconds.get(t)[i];
      }
    }
    return new Costs(Unit.SECONDS, types, costs);
  }

  double of(int layer, int type) {
    return costs[layer][type];
  }

  /** Of all layers. */
  double of(Assignment assignment) {
    double sum = 0;
    for (int i = 0; i < costs.length; i++) {
      sum += costs[i][types.indexOf(assignment.types().get(i))];
    }
    return sum;
  }

  /**
   * The types that a layer may get, the cheapest first and float last. What costs no less than a
   * type that is taken to be more precise gains nothing.
   */
  List<Integer> ladder(int layer) {
    return ladder(layer, types.stream().mapToDouble(LayerType::noise).toArray());
  }

  /**
   * The same by errors that are known.
   *
   * @param errors by type; NaN for types that are left out
   */
  List<Integer> ladder(int layer, double[] errors) {
    List<Integer> ladder = new ArrayList<>();
    for (int t = 0; t < types.size(); t++) {
      int own = t;
      if (!Double.isNaN(errors[t])
          && IntStream.range(0, types.size()).noneMatch(one -> beats(layer, one, own, errors))) {
        ladder.add(t);
      }
    }
    ladder.sort(Comparator.comparingDouble(t -> costs[layer][t]));
    return ladder;
  }

  private boolean beats(int layer, int better, int own, double[] errors) {
    return costs[layer][better] <= costs[layer][own]
        && (errors[better] < errors[own] || (errors[better] == errors[own] && better < own));
  }

  /** The smallest difference that counts. */
  double step() {
    return unit == Unit.BYTES ? 1 : 1e-12;
  }
}
