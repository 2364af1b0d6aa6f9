package org.tare.job.trials;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.beside.SwitchedModel;
import org.tare.plan.ChosenRanges;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.OpsetUpgrade;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.spark.tasks.TrialsJob;
import org.tare.stats.CalibrationState;

/** Measures assignments on rows, each once. Not thread-safe. */
final class Trials {
  private final JobContext context;
  private final FloatModel model;
  private final OnnxModel base;
  private final List<Layer> layers;
  private final ChosenRanges ranges;
  private final DataSource rows;
  private final Optional<String> label;
  private final Map<Assignment, Map<String, OutputMetrics>> measured = new HashMap<>();
  private double seconds;
  private long rowCount;

  /**
   * @param types that assignments may have: they decide the operator set of all forms
   */
  Trials(
      JobContext context,
      FloatModel model,
      List<Layer> layers,
      CalibrationState state,
      DataSource rows,
      Optional<String> label,
      List<LayerType> types) {
    this.context = context;
    this.model = model;
    this.layers = layers;
    QuantizationPlan plan = model.plan().orElseThrow();
    this.ranges = new ChosenRanges(state).with(plan);
    this.rows = rows;
    this.label = label;
    boolean needsNewTypes =
        types.stream()
            .anyMatch(
                type ->
                    Assignment.all(layers, type).mapping(layers, model.mapping()).usesTypesOf21());
    this.base = needsNewTypes ? raised(model) : model.prepared();
  }

  private static OnnxModel raised(FloatModel model) {
    OnnxModel raised = model.prepared().copy();
    OpsetUpgrade.raise(raised, OnnxModel.BLOCKED_OPSET, model.types());
    return raised;
  }

  /** The figures of each assignment. What was measured before is not measured again. */
  List<Map<String, OutputMetrics>> measure(List<Assignment> assignments) {
    Set<Assignment> open = new LinkedHashSet<>(assignments);
    open.removeAll(measured.keySet());
    if (!open.isEmpty()) {
      List<OnnxModel> forms = new ArrayList<>();
      for (Assignment assignment : open) {
        forms.add(quantized(assignment.mapping(layers, model.mapping())));
      }
      SwitchedModel switched = SwitchedModel.of(base, model.types(), forms);
      TrialsJob.Result result =
          TrialsJob.run(
              context.spark().get(),
              new TrialsJob.Request(
                  model.name(),
                  model.original(),
                  switched,
                  forms.size(),
                  model.types(),
                  rows,
                  label,
                  context.rows().mask(model.original().graph().inputNames()),
                  context.rows().inputs(),
                  context.rows().batch(),
                  context.rows().badRows()),
              context.progress());
      seconds += result.seconds();
      rowCount = result.rows();
      int i = 0;
      for (Assignment assignment : open) {
        measured.put(assignment, result.forms().get(i++));
      }
    }
    return assignments.stream().map(measured::get).toList();
  }

  private OnnxModel quantized(QConfigMapping mapping) {
    return Quantization.quantizeWith(
            base,
            model.types(),
            mapping,
            Quantization.Form.QDQ,
            Optional.of(ranges),
            new LinkedHashMap<>())
        .model();
  }

  boolean isMeasured(Assignment assignment) {
    return measured.containsKey(assignment);
  }

  /** How many assignments were measured. */
  int count() {
    return measured.size();
  }

  /** How many rows each was measured on. */
  long rows() {
    return rowCount;
  }

  double seconds() {
    return seconds;
  }
}
