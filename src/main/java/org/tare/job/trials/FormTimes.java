package org.tare.job.trials;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicReference;
import org.tare.TareException;
import org.tare.infer.KernelTimes;
import org.tare.infer.KernelTimes.Kernel;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.onnx.TensorType;
import org.tare.onnx.beside.LayerNames;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.TableNeeds;

/**
 * How long forms take on the machine that this runs on: the model that is written for a form runs
 * on a batch from the head of the table, on one thread. Each form is timed once.
 */
final class FormTimes {
  private final JobContext context;
  private final FloatModel model;
  private final List<String> layers;
  private final Trials trials;
  private final Map<String, InputTensor> inputs;
  private final int rows;
  private final Map<Assignment, double[]> timed = new HashMap<>();

  private FormTimes(
      JobContext context,
      FloatModel model,
      List<Layer> layers,
      Trials trials,
      Map<String, InputTensor> inputs,
      int rows) {
    this.context = context;
    this.model = model;
    this.layers = layers.stream().map(Layer::output).toList();
    this.trials = trials;
    this.inputs = inputs;
    this.rows = rows;
  }

  /**
   * Reads the batch.
   *
   * @throws TareException if no row of the table's head is good
   */
  static FormTimes of(
      JobContext context, FloatModel model, List<Layer> layers, Trials trials, DataSource data) {
    Map<String, TensorType> types = new LinkedHashMap<>();
    for (String input : model.original().graph().inputNames()) {
      types.put(input, model.types().get(input));
    }
    AtomicReference<Map<String, InputTensor>> inputs = new AtomicReference<>();
    int rows;
    try (SessionSettings settings = new SessionSettings(context.spark().get())) {
      BoundTable table =
          TableNeeds.of(
                  "time",
                  model.name(),
                  types,
                  context.rows().inputs(),
                  context.rows().batch(),
                  context.rows().badRows())
              .bind(settings, data);
      rows = table.source().batch().size();
      table.probe(rows, batch -> inputs.compareAndSet(null, batch.inputs(rows)));
    }
    if (inputs.get() == null) {
      throw TareException.badInput(
          "Cannot time %s: none of the first rows of %s can be decoded",
          model.name(), data.label());
    }
    return new FormTimes(context, model, layers, trials, inputs.get(), rows);
  }

  /**
   * Seconds for a row, by layer: of the kernels of its node, of what comes after it up to the next
   * one, and of the roundings of what it reads. They add up to the time of the model.
   */
  double[] layers(Assignment assignment) {
    return timed.computeIfAbsent(assignment, this::time).clone();
  }

  /** Seconds for a row. */
  double of(Assignment assignment) {
    double sum = 0;
    for (double one : layers(assignment)) {
      sum += one;
    }
    return sum;
  }

  private double[] time(Assignment assignment) {
    context.progress().accept("Timing forms of " + model.name());
    List<Kernel> kernels =
        KernelTimes.of(
            LayerNames.of(trials.base(), layers, trials.form(assignment)), model.name(), inputs);
    double[] seconds = new double[layers.size()];
    int at = 0;
    for (Kernel kernel : kernels) {
      // What the runtime adds by itself, such as another layout, belongs to what ran before it.
      OptionalInt named = LayerNames.layer(kernel.name());
      at = named.orElse(at);
      seconds[at] += kernel.seconds() / rows;
    }
    return seconds;
  }
}
