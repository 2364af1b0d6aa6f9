package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.stats.CalibrationState;

/**
 * Finds the assignment of types to layers that costs least and keeps a target (mixed precision).
 * The cost is bytes, or time.
 *
 * <p>Each layer is measured alone in each type. From all layers in their cheapest types, the step
 * that saves most error for its cost is taken again and again, as if errors of layers added: that
 * is a path from the cheapest model to the float one. The target's place on it is found by
 * measuring: where the measured error is off the predicted one, the prediction is corrected by
 * their ratio. Then single layers step back to cheaper types as long as the target holds.
 *
 * <p>Times of layers are those in models of one type each. What stands at the border of two types
 * is not in them, so that in the end the whole models are timed that were measured on the way, and
 * the fastest that keeps the target is the answer.
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

  private Costs costs;

  /** Those of whole models, if time is what counts. */
  private Optional<FormTimes> times;

  /** The error of each layer alone, by layer and type. */
  private double[][] alone;

  /**
   * What is asked for.
   *
   * @param types from narrow to wide; float comes last whether it is named or not
   * @param metric what the target is about
   * @param target the least figure of the form; of {@link Metric#KL} the greatest
   * @param isDrop whether the target is a distance from the float model's own figure
   * @param cost what is to be small
   */
  public record Options(
      List<LayerType> types, Criterion metric, double target, boolean isDrop, Cost cost) {
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
   * @param seconds for a row, if time is what counts
   */
  public record Point(
      Assignment assignment, long bytes, OptionalDouble seconds, double metric, boolean isMet) {
    /** Seconds for a row, or else bytes. */
    public double cost() {
      return seconds.orElse((double) bytes);
    }
  }

  /**
   * What was found.
   *
   * @param times of each layer, by type, seconds for a row; empty unless time is what counts
   * @param chosen the cheapest that keeps the target
   * @param points all assignments of the path that were measured, the cheapest first
   * @param evaluations how often a whole model was judged, layers alone included
   */
  public record Result(
      List<Layer> layers,
      List<Map<LayerType, Double>> times,
      Point chosen,
      List<Map<String, Object>> overrides,
      List<Point> points,
      double floatMetric,
      int evaluations,
      long rows,
      double seconds) {

    /** The points that none beats in both cost and metric, the cheapest first. */
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
    times =
        options.cost() == Cost.TIME
            ? Optional.of(FormTimes.of(context, model, layers, trials, rows))
            : Optional.empty();
    costs = times.map(this::ofSeconds).orElseGet(() -> Costs.ofBytes(layers, options.types()));
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
    Point chosen =
        times.isEmpty()
            ? point(found, floatMetric)
            : points.stream().filter(Point::isMet).findFirst().orElseThrow();
    return new Result(
        layers,
        layerTimes(),
        chosen,
        chosen.assignment().overrides(layers, model.mapping()),
        points,
        floatMetric,
        trials.count(),
        trials.rows(),
        trials.seconds());
  }

  private Costs ofSeconds(FormTimes timed) {
    List<double[]> seconds = new ArrayList<>();
    options.types().forEach(type -> seconds.add(timed.layers(Assignment.all(layers, type))));
    return Costs.ofSeconds(seconds, options.types());
  }

  private List<Map<LayerType, Double>> layerTimes() {
    List<Map<LayerType, Double>> all = new ArrayList<>();
    for (int i = 0; times.isPresent() && i < layers.size(); i++) {
      Map<LayerType, Double> own = new LinkedHashMap<>();
      for (int t = 0; t < options.types().size(); t++) {
        own.put(options.types().get(t), costs.of(i, t));
      }
      all.add(own);
    }
    return all;
  }

  private void measureAlone() {
    List<LayerType> types = options.types();
    Map<Assignment, int[]> places = new LinkedHashMap<>();
    for (int t = 0; t < types.size() - 1; t++) {
      for (int i = 0; i < layers.size(); i++) {
        if (costs.ladder(i).contains(t)) {
          Assignment one = Assignment.all(layers, LayerType.FLOAT).with(i, types.get(t));
          places.put(one, new int[] {i, t});
        }
      }
    }
    List<Figures> measured = trials.measure(List.copyOf(places.keySet()));
    alone = new double[layers.size()][types.size()];
    int at = 0;
    for (int[] place : places.values()) {
      alone[place[0]][place[1]] = OutputMetrics.error(measured.get(at++).outputs());
    }
  }

  /** From the cheapest types to float, by the error saved for the cost. */
  private List<Assignment> path() {
    List<LayerType> types = options.types();
    int[] now = new int[layers.size()];
    Assignment last = Assignment.all(layers, types.get(0));
    for (int i = 0; i < now.length; i++) {
      last = last.with(i, types.get(costs.ladder(i).get(0)));
    }
    List<Assignment> path = new ArrayList<>(List.of(last));
    while (true) {
      int layer = -1;
      int to = -1;
      double best = Double.NEGATIVE_INFINITY;
      for (int i = 0; i < now.length; i++) {
        List<Integer> ladder = costs.ladder(i);
        int from = ladder.get(now[i]);
        for (int k = now[i] + 1; k < ladder.size(); k++) {
          int t = ladder.get(k);
          double paid = Math.max(costs.step(), costs.of(i, t) - costs.of(i, from));
          double gain = (alone[i][from] - alone[i][t]) / paid;
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
      last = last.with(layer, types.get(costs.ladder(layer).get(to)));
      path.add(last);
    }
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

  /** Makes single layers cheaper as long as the target holds. */
  private Assignment stepBack(Assignment start, double floatMetric) {
    Assignment found = start;
    for (int round = 0; round < ROUNDS_BACK; round++) {
      List<Assignment> cheaper = cheaper(found);
      trials.measure(cheaper);
      Optional<Assignment> best =
          cheaper.stream()
              .filter(one -> isMet(one, floatMetric))
              .min(Comparator.comparingDouble(costs::of));
      if (best.isEmpty()) {
        return found;
      }
      found = best.get();
    }
    return found;
  }

  /** Steps back that save most of the cost for the error that they are predicted to add. */
  private List<Assignment> cheaper(Assignment from) {
    List<LayerType> types = options.types();
    Map<Double, Assignment> byWorth = new TreeMap<>(Comparator.reverseOrder());
    for (int i = 0; i < layers.size(); i++) {
      int now = types.indexOf(from.types().get(i));
      for (int t : costs.ladder(i)) {
        double saved = costs.of(i, now) - costs.of(i, t);
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
    OptionalDouble seconds =
        times.isPresent() ? OptionalDouble.of(times.get().of(assignment)) : OptionalDouble.empty();
    return new Point(
        assignment, assignment.bytes(layers), seconds, figure, isMet(figure, floatMetric));
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
        Comparator.comparingDouble(Point::cost)
            .thenComparing(options.metric().isGreaterBetter() ? byMetric.reversed() : byMetric));
    return sorted;
  }
}
