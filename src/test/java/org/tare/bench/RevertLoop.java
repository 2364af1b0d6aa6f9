package org.tare.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.Tare;
import org.tare.job.trials.Layer;
import org.tare.job.trials.LayerType;
import org.tare.spark.tasks.OutputMetrics;

/**
 * The loop of NNCF's quantization with accuracy control, as a yardstick for {@code mix}: all layers
 * are narrow; layers are ranked by what the model gains if one alone is reverted to the wider type;
 * the first of the ranking is reverted and the model measured, until the target holds. Where a
 * revert makes the model worse, it is taken back, and what is left is ranked anew.
 */
final class RevertLoop {
  private static final LayerType NARROW = LayerType.of("w4a8");
  private static final LayerType WIDE = LayerType.of("w8a8");

  private final Tare tare;
  private final String model;
  private final String state;
  private final Dataset<Row> rows;
  private final Map<String, Object> settings;
  private final List<Layer> layers;
  private final Map<Set<Integer>, OutputMetrics> measured = new HashMap<>();

  RevertLoop(
      Tare tare,
      String model,
      String state,
      Dataset<Row> rows,
      Map<String, Object> settings,
      List<Layer> layers) {
    this.tare = tare;
    this.model = model;
    this.state = state;
    this.rows = rows;
    this.settings = settings;
    this.layers = layers;
  }

  /** Runs until top-1 is not lower than the float model's by more than the drop. */
  String run(double drop) {
    long begun = System.nanoTime();
    Set<Integer> reverted = new HashSet<>();
    double target = measure(reverted).floatTop1() - drop;
    List<Integer> ranked = rank(reverted);
    int rankings = 1;
    while (top1(reverted) < target && !ranked.isEmpty()) {
      int next = ranked.remove(0);
      double before = top1(reverted);
      reverted.add(next);
      if (top1(reverted) < before && !ranked.isEmpty()) {
        reverted.remove(next);
        ranked = rank(reverted);
        rankings++;
        // The ranking begins with the best there is: it stays, even if it gains nothing.
        reverted.add(ranked.remove(0));
      }
    }
    long bytes = 0;
    for (int i = 0; i < layers.size(); i++) {
      bytes += (reverted.contains(i) ? WIDE : NARROW).bytes(layers.get(i).weights());
    }
    return String.format(
        Locale.ROOT,
        "rank and revert: %d forms, %d rankings, %.1f s: %d bytes, %d layers w8a8, top-1 %.4f, target %.4f",
        measured.size(),
        rankings,
        (System.nanoTime() - begun) / 1e9,
        bytes,
        reverted.size(),
        top1(reverted),
        target);
  }

  /** The layers that are narrow, that first whose reverting alone gains most; ties by SQNR. */
  private List<Integer> rank(Set<Integer> reverted) {
    List<Integer> open = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      if (!reverted.contains(i)) {
        open.add(i);
      }
    }
    Comparator<Integer> byGain = Comparator.comparingDouble(i -> top1(with(reverted, i)));
    open.sort(byGain.thenComparingDouble(i -> measure(with(reverted, i)).sqnr()).reversed());
    return open;
  }

  private static Set<Integer> with(Set<Integer> reverted, int layer) {
    Set<Integer> more = new HashSet<>(reverted);
    more.add(layer);
    return more;
  }

  private double top1(Set<Integer> reverted) {
    return measure(reverted).quantizedTop1();
  }

  private OutputMetrics measure(Set<Integer> reverted) {
    return measured.computeIfAbsent(Set.copyOf(reverted), this::measureNow);
  }

  private OutputMetrics measureNow(Set<Integer> reverted) {
    List<Map<String, Object>> rules = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      if (!reverted.contains(i)) {
        Map<String, Object> narrow = Map.of("dtype", "int4", "method", "mse");
        rules.add(Map.of("name", layers.get(i).output(), "weight", narrow));
      }
    }
    return LayerTrials.written(tare, model, tare.readState(state), rows, settings, rules);
  }
}
