package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
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
 * <p>{@link MixSearch} says which forms are measured. What it takes to add over layers is the error
 * of {@link #error}: a smooth one, since a step of one layer often leaves the share of right
 * answers as it is.
 *
 * <p>Times of layers are those in models of one type each. What stands at the border of two types
 * is not in them, so that in the end the whole models are timed that were measured on the way, and
 * the fastest that keeps the target is the answer.
 */
public final class MixRun {
  private static final double MOST_ERROR = 1e12;

  private final JobContext context;
  private final Options options;
  private final Optional<SearchCheckpoints> checkpoints;

  private List<Layer> layers;
  private Trials trials;

  private Costs costs;

  /** Those of whole models, if time is what counts. */
  private Optional<FormTimes> times;

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
   * @param points the assignments on the way of the search, the cheapest first
   * @param evaluations how often a whole model was judged
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
    List<Assignment> uniform =
        options.types().stream().map(type -> Assignment.all(layers, type)).toList();
    double floatMetric = options.metric().of(trials.measure(uniform).get(uniform.size() - 1));
    if (!isMet(floatMetric, floatMetric)) {
      throw TareException.usage(
          "No types of layers keep the target %s %s: with all %d layers in float it is %s",
          options.metric().id(), options.target(), layers.size(), floatMetric);
    }
    MixSearch search =
        new MixSearch(
            options.types(),
            layers.size(),
            costs,
            forms -> trials.measure(forms).stream().map(one -> judged(one, floatMetric)).toList(),
            limit(floatMetric));
    Assignment found = search.run();
    List<Point> points = points(search.walked(), found, floatMetric);
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

  /** What a search sees of a form. Without a figure the error is as great as any. */
  private MixSearch.Judged judged(Figures figures, double floatMetric) {
    double error = error(figures.outputs());
    return new MixSearch.Judged(
        error <= MOST_ERROR ? Math.max(error, 0) : MOST_ERROR,
        margin(options.metric().of(figures), floatMetric));
  }

  /** The error that the metric is about; of a share of rows, the divergence of the classes. */
  private double error(Map<String, OutputMetrics> outputs) {
    if (options.metric().is(Metric.COSINE)) {
      return 1 - Metric.COSINE.of(outputs);
    }
    if (!options.metric().is(Metric.SQNR)
        && outputs.values().stream().anyMatch(OutputMetrics::hasClasses)) {
      return Metric.KL.of(outputs);
    }
    return OutputMetrics.error(outputs);
  }

  /** The greatest error that keeps the target, if that is known beforehand. */
  private OptionalDouble limit(double floatMetric) {
    double bound = bound(floatMetric);
    if (options.metric().is(Metric.SQNR)) {
      return OptionalDouble.of(Math.pow(10, bound / -10));
    }
    if (options.metric().is(Metric.COSINE)) {
      return OptionalDouble.of(1 - bound);
    }
    return options.metric().is(Metric.KL) ? OptionalDouble.of(bound) : OptionalDouble.empty();
  }

  private boolean isMet(double figure, double floatMetric) {
    return margin(figure, floatMetric) >= 0;
  }

  /** By how much a figure is better than the target asks for. */
  private double margin(double figure, double floatMetric) {
    double bound = bound(floatMetric);
    return options.metric().isGreaterBetter() ? figure - bound : bound - figure;
  }

  /** The worst figure that keeps the target. */
  private double bound(double floatMetric) {
    if (!options.isDrop()) {
      return options.target();
    }
    return options.metric().isGreaterBetter()
        ? floatMetric - options.target()
        : floatMetric + options.target();
  }

  private Point point(Assignment assignment, double floatMetric) {
    double figure = options.metric().of(trials.measure(List.of(assignment)).get(0));
    OptionalDouble seconds =
        times.isPresent() ? OptionalDouble.of(times.get().of(assignment)) : OptionalDouble.empty();
    return new Point(
        assignment, assignment.bytes(layers), seconds, figure, isMet(figure, floatMetric));
  }

  /** What was measured on the way, and what was chosen. */
  private List<Point> points(List<Assignment> walked, Assignment found, double floatMetric) {
    List<Assignment> all = new ArrayList<>(walked);
    all.add(found);
    Map<Assignment, Point> points = new LinkedHashMap<>();
    for (Assignment one : all) {
      points.computeIfAbsent(one, assignment -> point(assignment, floatMetric));
    }
    List<Point> sorted = new ArrayList<>(points.values());
    Comparator<Point> byMetric = Comparator.comparingDouble(Point::metric);
    sorted.sort(
        Comparator.comparingDouble(Point::cost)
            .thenComparing(options.metric().isGreaterBetter() ? byMetric.reversed() : byMetric));
    return sorted;
  }
}
