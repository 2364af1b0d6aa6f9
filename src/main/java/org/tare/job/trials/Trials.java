package org.tare.job.trials;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeMap;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.beside.SwitchedModel;
import org.tare.plan.ChosenRanges;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.OpsetUpgrade;
import org.tare.rewrite.Quantization;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.RowsDigest;
import org.tare.spark.tasks.SqlMetric;
import org.tare.spark.tasks.TrialsJob;
import org.tare.stats.CalibrationState;

/** Measures assignments on rows, each once. Not thread-safe. */
final class Trials {
  /**
   * How many forms are measured at once: what is lost at most if the search is killed. It is fixed,
   * so that a search that goes on makes the same models as one that was not killed.
   */
  private static final int FORMS = 30;

  /** How many forms are enough for a model of their own: it takes time to load one. */
  private static final int GROUP = 4;

  private final JobContext context;
  private final FloatModel model;
  private final OnnxModel base;
  private final List<Layer> layers;
  private final ChosenRanges ranges;
  private final DataSource rows;
  private final Optional<String> label;
  private final Optional<SqlMetric> own;
  private final Map<Assignment, Figures> measured = new HashMap<>();
  private final Optional<SearchCheckpoints> checkpoints;

  /** What an interrupted search measured. */
  private final Optional<SearchCheckpoint> before;

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
      List<LayerType> types,
      Criterion criterion,
      Optional<SearchCheckpoints> checkpoints) {
    this.context = context;
    this.model = model;
    this.layers = layers;
    QuantizationPlan plan = model.plan().orElseThrow();
    this.ranges = new ChosenRanges(state).with(plan);
    this.rows = rows;
    this.label = label;
    this.own = criterion.sql(context, model, rows);
    boolean needsNewTypes =
        types.stream()
            .anyMatch(
                type ->
                    Assignment.all(layers, type).mapping(layers, model.mapping()).usesTypesOf21());
    this.base = needsNewTypes ? raised(model) : model.prepared();
    this.checkpoints = checkpoints;
    this.before =
        checkpoints.map(
            one ->
                one.find(
                    List.of(
                        model.original().digest(),
                        base.digest(),
                        state.digest(),
                        RowsDigest.of(context.spark().get(), rows),
                        own.toString(),
                        label.toString()),
                    context.progress()));
  }

  private static OnnxModel raised(FloatModel model) {
    OnnxModel raised = model.prepared().copy();
    OpsetUpgrade.raise(raised, OnnxModel.BLOCKED_OPSET, model.types());
    return raised;
  }

  /** The figures of each assignment. What was measured before is not measured again. */
  List<Figures> measure(List<Assignment> assignments) {
    Set<Assignment> asked = new LinkedHashSet<>(assignments);
    asked.removeAll(measured.keySet());
    before.ifPresent(found -> take(found, asked));
    List<Assignment> open = List.copyOf(asked);
    for (int from = 0; from < open.size(); from += FORMS) {
      int to = Math.min(open.size(), from + FORMS);
      measureNow(open.subList(from, to));
      if (checkpoints.isPresent()) {
        checkpoints.get().write(reached());
      }
      if (open.size() > FORMS) {
        context.progress().accept(String.format("Tried %d of %d forms", to, open.size()));
      }
    }
    return assignments.stream().map(measured::get).toList();
  }

  private void take(SearchCheckpoint found, Set<Assignment> asked) {
    for (Assignment assignment : List.copyOf(asked)) {
      Figures figures = found.forms().get(assignment);
      if (figures != null) {
        measured.put(assignment, figures);
        asked.remove(assignment);
        rowCount = found.rows();
      }
    }
  }

  /** All that is measured, also what was before and is not asked for yet. */
  private SearchCheckpoint reached() {
    Map<Assignment, Figures> all = new LinkedHashMap<>(before.orElseThrow().forms());
    all.putAll(measured);
    return new SearchCheckpoint(before.get().search(), rowCount, all);
  }

  /**
   * Forms that are float up to nearly the same layer, since what comes before is computed once for
   * a group. All that are not float from the beginning on are one group.
   */
  private static List<List<Assignment>> grouped(List<Assignment> open) {
    Map<Integer, List<Assignment>> byStart = new TreeMap<>();
    for (Assignment one : open) {
      byStart.computeIfAbsent(one.start(), start -> new ArrayList<>()).add(one);
    }
    List<List<Assignment>> groups = new ArrayList<>();
    List<Assignment> last = List.of();
    for (List<Assignment> some : byStart.values()) {
      if (last.isEmpty() || last.get(0).start() == 0 || last.size() >= GROUP) {
        last = new ArrayList<>();
        groups.add(last);
      }
      last.addAll(some);
    }
    return groups;
  }

  private void measureNow(List<Assignment> open) {
    List<Assignment> ordered = new ArrayList<>();
    List<TrialsJob.Group> groups = new ArrayList<>();
    for (List<Assignment> some : grouped(open)) {
      List<OnnxModel> forms = some.parallelStream().map(this::form).toList();
      SwitchedModel switched = SwitchedModel.of(base, model.types(), forms);
      groups.add(new TrialsJob.Group(switched, forms.size()));
      ordered.addAll(some);
    }
    TrialsJob.Result result =
        TrialsJob.run(
            context.spark().get(),
            new TrialsJob.Request(
                model.name(),
                model.original(),
                groups,
                model.types(),
                rows,
                label,
                context.rows().mask(model.original().graph().inputNames()),
                context.rows().inputs(),
                context.rows().batch(),
                context.rows().badRows(),
                own),
            context.progress());
    seconds += result.seconds();
    rowCount = result.rows();
    for (int i = 0; i < ordered.size(); i++) {
      OptionalDouble figure =
          own.isPresent() ? OptionalDouble.of(result.own().get(i)) : OptionalDouble.empty();
      measured.put(ordered.get(i), new Figures(result.forms().get(i), figure));
    }
  }

  /** The float model that forms are made of. */
  OnnxModel base() {
    return base;
  }

  /** What the quantizer writes for an assignment. */
  OnnxModel form(Assignment assignment) {
    return Quantization.quantizeWith(
            base,
            model.types(),
            assignment.mapping(layers, model.mapping()),
            Quantization.Form.QDQ,
            Optional.of(ranges),
            new LinkedHashMap<>())
        .model();
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
