package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.stats.CalibrationState;

/**
 * Finds the assignment of types to layers that takes the fewest bytes and keeps a target (mixed
 * precision).
 *
 * <p>Each layer is measured alone in each type. From all layers in the narrowest type, the step
 * that saves most error for each byte is taken again and again, as if errors of layers added: that
 * is a path from the smallest model to the float one. The target's place on it is found by
 * measuring: where the measured error is off the predicted one, the prediction is corrected by
 * their ratio. Then single layers step back to narrower types as long as the target holds.
 */
public final class MixRun {
  /** After so many guided guesses the middle of what is open is as good a guess. */
  private static final int GUIDED = 3;

  /** How many steps back are measured at once, and how often. */
  private static final int STEPS_BACK = 6;

  private static final int ROUNDS_BACK = 8;

  private final JobContext context;
  private final Options options;
  private final Optional<SearchCheckpoints> checkpoints;

  private List<Layer> layers;
  private Trials trials;

  /** The error of each layer alone, by layer and type. */
  private double[][] alone;

  /**
   * What is asked for.
   *
   * @param types from narrow to wide; float comes last whether it is named or not
   * @param metric what the target is about
   * @param target the least figure of the form; of {@link Metric#KL} the greatest
   * @param isDrop whether the target is a distance from the float model's own figure
   */
  public record Options(List<LayerType> types, Criterion metric, double target, boolean isDrop) {
    public Options {
      List<LayerType> all = new ArrayList<>(types);
      all.remove(LayerType.FLOAT);
      all.add(LayerType.FLOAT);
      types = List.copyOf(all);
      if (types.size() < 2) {
        throw TareException.usage("Nothing to choose from: name a type besides float");
      }
    }
  }

  /**
   * An assignment that was measured.
   *
   * @param bytes of its weights, scales aside
   */
  public record Point(Assignment assignment, long bytes, double metric, boolean isMet) {}

  /**
   * What was found.
   *
   * @param chosen the smallest that keeps the target
   * @param points all assignments of the path that were measured, by bytes
   * @param evaluations how often a whole model was judged, layers alone included
   */
  public record Result(
      List<Layer> layers,
      Point chosen,
      List<Map<String, Object>> overrides,
      List<Point> points,
      double floatMetric,
      int evaluations,
      long rows,
      double seconds) {

    /** The points that none beats in both bytes and metric, by bytes. */
    public List<Point> front(Criterion metric) {
      List<Point> front = new ArrayList<>();
      double best = Double.NaN;
      for (Point point : points) {
        double own = metric.isGreaterBetter() ? point.metric() : -point.metric();
        if (Double.isNaN(best) || own > best) {
          front.add(point);
          best = own;
        }
      }
      return front;
    }
  }

  /**
   * The layers whose types a search would choose.
   *
   * @throws TareException if there is none
   */
  public static List<Layer> layers(FloatModel model) {
    return Layers.of(model);
  }

  public MixRun(JobContext context, Options options) {
    this(context, options, Optional.empty());
  }

  /** One that writes down what it measured, and goes on from what was written down. */
  public MixRun(JobContext context, Options options, Optional<SearchCheckpoints> checkpoints) {
    this.context = context;
    this.options = options;
    this.checkpoints = checkpoints;
  }

  /**
   * Searches.
   *
   * @param state what calibration observed of this model
   * @param rows to judge on
   * @param label the column of class numbers, for the metric top1
   * @throws TareException if not even all layers in float keep the target
   */
  public Result run(
      FloatModel model, CalibrationState state, DataSource rows, Optional<String> label) {
    layers = Layers.of(model);
    trials =
        new Trials(
            context,
            model,
            layers,
            state,
            rows,
            label,
            options.types(),
            options.metric(),
            checkpoints);
    measureAlone();
    List<Assignment> path = path();
    int last = path.size() - 1;
    Figures floats = trials.measure(List.of(path.get(last))).get(0);
    double floatMetric = options.metric().of(floats);
    if (!isMet(floatMetric, floatMetric)) {
      throw TareException.usage(
          "No types of layers keep the target %s %s: with all %d layers in float it is %s",
          options.metric().id(), options.target(), layers.size(), floatMetric);
    }
    Assignment found = path.get(firstThatHolds(path, floatMetric));
    found = stepBack(found, floatMetric);
    List<Point> points = points(path, found, floatMetric);
    Point chosen = point(found, floatMetric);
    return new Result(
        layers,
        chosen,
        found.overrides(layers, model.mapping()),
        points,
        floatMetric,
        trials.count(),
        trials.rows(),
        trials.seconds());
  }

  private void measureAlone() {
    List<LayerType> types = options.types();
    List<Assignment> all = new ArrayList<>();
    for (int t = 0; t < types.size() - 1; t++) {
      for (int i = 0; i < layers.size(); i++) {
        all.add(Assignment.all(layers, LayerType.FLOAT).with(i, types.get(t)));
      }
    }
    List<Figures> measured = trials.measure(all);
    alone = new double[layers.size()][types.size()];
    for (int t = 0; t < types.size() - 1; t++) {
      for (int i = 0; i < layers.size(); i++) {
        alone[i][t] = OutputMetrics.error(measured.get(t * layers.size() + i).outputs());
      }
    }
  }

  /** From the narrowest types to float, by the error saved for each byte. */
  private List<Assignment> path() {
    List<LayerType> types = options.types();
    int[] now = new int[layers.size()];
    List<Assignment> path = new ArrayList<>();
    path.add(Assignment.all(layers, types.get(0)));
    while (true) {
      int layer = -1;
      int to = -1;
      double best = Double.NEGATIVE_INFINITY;
      for (int i = 0; i < now.length; i++) {
        for (int t = now[i] + 1; t < types.size(); t++) {
          long bytes = bytes(i, t) - bytes(i, now[i]);
          double gain = (alone[i][now[i]] - alone[i][t]) / Math.max(1, bytes);
          if (gain > best) {
            best = gain;
            layer = i;
            to = t;
          }
        }
      }
      if (layer < 0) {
        return path;
      }
      now[layer] = to;
      path.add(path.get(path.size() - 1).with(layer, types.get(to)));
    }
  }

  private long bytes(int layer, int type) {
    return options.types().get(type).bytes(layers.get(layer).weights());
  }

  /** The first place on the path that keeps the target, as far as places behind it do too. */
  private int firstThatHolds(List<Assignment> path, double floatMetric) {
    int holds = path.size() - 1;
    if (isMet(path.get(0), floatMetric)) {
      return 0;
    }
    int fails = 0;
    double ratio = ratio(path.get(0));
    int guesses = 0;
    while (holds - fails > 1) {
      int next = (fails + holds) / 2;
      if (options.metric().is(Metric.SQNR) && guesses < GUIDED) {
        next = Math.max(fails + 1, Math.min(holds - 1, predicted(path, ratio, floatMetric)));
        guesses++;
      }
      if (isMet(path.get(next), floatMetric)) {
        holds = next;
      } else {
        fails = next;
      }
      ratio = ratio(path.get(next));
    }
    return holds;
  }

  /** Measured error over the sum of the errors of layers alone. */
  private double ratio(Assignment assignment) {
    double sum = sum(assignment);
    double error = OutputMetrics.error(trials.measure(List.of(assignment)).get(0).outputs());
    return sum > 0 && Double.isFinite(error) ? error / sum : 1;
  }

  private double sum(Assignment assignment) {
    double sum = 0;
    for (int i = 0; i < layers.size(); i++) {
      sum += alone[i][options.types().indexOf(assignment.types().get(i))];
    }
    return sum;
  }

  /** Where the path is predicted to keep a target of the SQNR. */
  private int predicted(List<Assignment> path, double ratio, double floatMetric) {
    double decibels = options.isDrop() ? floatMetric - options.target() : options.target();
    double error = Math.pow(10, decibels / -10);
    for (int i = 0; i < path.size(); i++) {
      if (sum(path.get(i)) * ratio <= error) {
        return i;
      }
    }
    return path.size() - 1;
  }

  /** Narrows single layers as long as the target holds. */
  private Assignment stepBack(Assignment start, double floatMetric) {
    Assignment found = start;
    for (int round = 0; round < ROUNDS_BACK; round++) {
      List<Assignment> narrower = narrower(found);
      trials.measure(narrower);
      Optional<Assignment> best =
          narrower.stream()
              .filter(one -> isMet(one, floatMetric))
              .min(Comparator.comparingLong(one -> one.bytes(layers)));
      if (best.isEmpty()) {
        return found;
      }
      found = best.get();
    }
    return found;
  }

  /** Steps back that save most bytes for the error that they are predicted to add. */
  private List<Assignment> narrower(Assignment from) {
    List<LayerType> types = options.types();
    Map<Double, Assignment> byWorth = new TreeMap<>(Comparator.reverseOrder());
    for (int i = 0; i < layers.size(); i++) {
      int now = types.indexOf(from.types().get(i));
      for (int t = 0; t < now; t++) {
        long saved = bytes(i, now) - bytes(i, t);
        double added = Math.max(alone[i][t] - alone[i][now], Double.MIN_NORMAL);
        if (saved > 0) {
          byWorth.put(saved / added, from.with(i, types.get(t)));
        }
      }
    }
    return byWorth.values().stream().limit(STEPS_BACK).toList();
  }

  private boolean isMet(Assignment assignment, double floatMetric) {
    return isMet(options.metric().of(trials.measure(List.of(assignment)).get(0)), floatMetric);
  }

  private boolean isMet(double figure, double floatMetric) {
    boolean isGreaterBetter = options.metric().isGreaterBetter();
    double bound = options.target();
    if (options.isDrop()) {
      bound = isGreaterBetter ? floatMetric - options.target() : floatMetric + options.target();
    }
    return isGreaterBetter ? figure >= bound : figure <= bound;
  }

  private Point point(Assignment assignment, double floatMetric) {
    double figure = options.metric().of(trials.measure(List.of(assignment)).get(0));
    return new Point(assignment, assignment.bytes(layers), figure, isMet(figure, floatMetric));
  }

  /** What was measured of the path, of uniform types, and what was chosen. */
  private List<Point> points(List<Assignment> path, Assignment found, double floatMetric) {
    List<Assignment> all = new ArrayList<>();
    options.types().forEach(type -> all.add(Assignment.all(layers, type)));
    all.addAll(path);
    all.add(found);
    trials.measure(all.subList(0, options.types().size()));
    Map<Assignment, Point> points = new LinkedHashMap<>();
    for (Assignment one : all) {
      if (trials.isMeasured(one)) {
        points.computeIfAbsent(one, assignment -> point(assignment, floatMetric));
      }
    }
    List<Point> sorted = new ArrayList<>(points.values());
    Comparator<Point> byMetric = Comparator.comparingDouble(Point::metric);
    sorted.sort(
        Comparator.comparingLong(Point::bytes)
            .thenComparing(options.metric().isGreaterBetter() ? byMetric.reversed() : byMetric));
    return sorted;
  }
}
