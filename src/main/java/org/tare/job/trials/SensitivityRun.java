package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.stats.CalibrationState;

/** Measures what each layer costs by itself: one layer at a time is quantized, or is left float. */
public final class SensitivityRun {
  private final JobContext context;
  private final Options options;
  private final Optional<SearchCheckpoints> checkpoints;

  /** Which form a layer is judged by. */
  public enum Direction {
    /**
     * Only the layer has the type, and what comes after it to the next layer; the others are float.
     */
    ONLY,
    /** The layer alone is float; all others have the type. */
    ALL_BUT
  }

  /**
   * What is tried.
   *
   * @param metric that layers are ordered by
   */
  public record Options(List<LayerType> types, Direction direction, Criterion metric) {
    public Options {
      types = List.copyOf(types);
    }
  }

  /**
   * One form.
   *
   * @param layer empty for all layers of this type
   * @param outputs its figures, by output
   * @param metric the one asked for
   */
  public record Trial(
      Optional<Layer> layer, LayerType type, Map<String, OutputMetrics> outputs, double metric) {}

  /**
   * What was found.
   *
   * @param trials of layers, the most sensitive first; of equal ones in the order of the graph
   * @param whole all layers of each type
   */
  public record Result(List<Trial> trials, List<Trial> whole, long rows, double seconds) {}

  public SensitivityRun(JobContext context, Options options) {
    this(context, options, Optional.empty());
  }

  /** One that writes down what it measured, and goes on from what was written down. */
  public SensitivityRun(
      JobContext context, Options options, Optional<SearchCheckpoints> checkpoints) {
    this.context = context;
    this.options = options;
    this.checkpoints = checkpoints;
  }

  /**
   * Measures.
   *
   * @param state what calibration observed of this model
   * @param rows to measure on
   * @param label the column of class numbers, for the metric top1
   */
  public Result run(
      FloatModel model, CalibrationState state, DataSource rows, Optional<String> label) {
    List<Layer> layers = Layers.of(model);
    Trials trials =
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
    List<Assignment> assignments = new ArrayList<>();
    for (LayerType type : options.types()) {
      assignments.add(Assignment.all(layers, type));
    }
    for (LayerType type : options.types()) {
      for (int i = 0; i < layers.size(); i++) {
        assignments.add(assignment(layers, i, type));
      }
    }
    List<Figures> measured = trials.measure(assignments);
    List<Trial> whole = new ArrayList<>();
    List<Trial> found = new ArrayList<>();
    int at = 0;
    for (LayerType type : options.types()) {
      whole.add(trial(Optional.empty(), type, measured.get(at++)));
    }
    for (LayerType type : options.types()) {
      for (Layer layer : layers) {
        found.add(trial(Optional.of(layer), type, measured.get(at++)));
      }
    }
    // Without a layer that matters, the others do well.
    boolean worstFirst =
        options.metric().isGreaterBetter() == (options.direction() == Direction.ONLY);
    Comparator<Trial> order = Comparator.comparingDouble(Trial::metric);
    found.sort(worstFirst ? order : order.reversed());
    return new Result(found, whole, trials.rows(), trials.seconds());
  }

  private Assignment assignment(List<Layer> layers, int layer, LayerType type) {
    return options.direction() == Direction.ONLY
        ? Assignment.all(layers, LayerType.FLOAT).with(layer, type)
        : Assignment.all(layers, type).with(layer, LayerType.FLOAT);
  }

  private Trial trial(Optional<Layer> layer, LayerType type, Figures figures) {
    return new Trial(layer, type, figures.outputs(), options.metric().of(figures));
  }
}
