package org.tare.job;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.TareException;
import org.tare.infer.ModelSession;
import org.tare.infer.Opening;
import org.tare.infer.TemporaryModel;
import org.tare.onnx.TensorType;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.Batches;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.TableNeeds;
import org.tare.spark.tasks.EvaluationJob;

/**
 * Looks at everything that a run will need before anything is computed: opens the tables, binds
 * inputs, labels, masks and slices to their columns, decodes a row of each, and runs the model on
 * two rows.
 */
public final class Preflight {
  private Preflight() {}

  /**
   * What was seen.
   *
   * @param context for the run: with one row at a time if the model takes no more
   * @param notes what is worth a warning
   */
  public record Checked(JobContext context, List<String> notes) {}

  /**
   * Looks.
   *
   * @param by the columns that name slices of the calibration data
   * @throws org.tare.TareException that says what does not fit
   */
  public static Checked check(
      JobContext context,
      FloatModel model,
      Optional<DataSource> data,
      Optional<DataSource> validation,
      Optional<String> label,
      List<String> by) {
    Map<String, TensorType> inputs = inputs(context, model);
    Set<String> notes = new LinkedHashSet<>();
    if (validation.isPresent()) {
      EvaluationJob.checkComparable(model.name(), model.original(), model.types());
    }
    JobContext checked = context;
    if (data.isPresent()) {
      checked = check(checked, "calibrate", model, inputs, data.get(), Optional.empty(), by, notes);
    }
    if (validation.isPresent()) {
      checked =
          check(checked, "evaluate", model, inputs, validation.get(), label, List.of(), notes);
    }
    return new Checked(checked, List.copyOf(notes));
  }

  /**
   * Looks at rows on which models are compared.
   *
   * @param by the columns that name slices of the rows
   * @throws org.tare.TareException that says what does not fit
   */
  public static Checked ofComparison(
      JobContext context, FloatModel model, DataSource rows, List<String> by) {
    Set<String> notes = new LinkedHashSet<>();
    JobContext checked =
        check(context, "compare", model, inputs(context, model), rows, Optional.empty(), by, notes);
    return new Checked(checked, List.copyOf(notes));
  }

  private static Map<String, TensorType> inputs(JobContext context, FloatModel model) {
    Map<String, TensorType> inputs = model.original().inputTypes(model.types());
    context.rows().mask(List.copyOf(inputs.keySet()));
    return inputs;
  }

  private static JobContext check(
      JobContext context,
      String action,
      FloatModel model,
      Map<String, TensorType> inputs,
      DataSource rows,
      Optional<String> label,
      List<String> by,
      Set<String> notes) {
    try (Opening<ModelSession> session = opening(model);
        SessionSettings settings = new SessionSettings(context.spark().get())) {
      boolean mayBeOpen =
          context.rows().batch() > 1
              && inputs.values().stream().anyMatch(type -> type.rank() > 0 && type.shape()[0] < 0);
      if (mayBeOpen) {
        // While Spark plans and reads the first rows.
        session.begin();
      }
      BoundTable table =
          TableNeeds.of(
                  action,
                  model.name(),
                  inputs,
                  context.rows().inputs(),
                  context.rows().batch(),
                  context.rows().badRows())
              .withLabel(label)
              .slicedBy(by)
              .bind(settings, rows);
      table.checkHead(rows.label());
      notes.addAll(table.notes());
      if (table.source().isRowByRow()) {
        String said = model.name() + " has no axis for the rows of a batch: it runs row by row";
        if (context.rows().batch() > 1) {
          context.progress().accept(said);
        }
        return context.with(context.rows().withBatch(1));
      }
      boolean isOpen = !table.source().batch().isFixed() && table.source().batch().size() > 1;
      return isOpen ? probed(context, model, table, session.get()) : context;
    }
  }

  private static Opening<ModelSession> opening(FloatModel model) {
    return Opening.of(
        () -> {
          try (TemporaryModel temporary = TemporaryModel.of(model.prepared())) {
            return ModelSession.openBriefly(temporary.file(), model.name());
          }
        },
        ModelSession::close);
  }

  /** A free batch axis may be declared where the model was traced with one row. */
  private static JobContext probed(
      JobContext context, FloatModel model, BoundTable table, ModelSession session) {
    try {
      table.probe(batch -> run(session, batch, 2));
      return context;
    } catch (TareException ofTwo) {
      table.probe(batch -> run(session, batch, 1));
      context
          .progress()
          .accept(
              model.name()
                  + " fails on two rows at once, though it declares any number of them, and runs"
                  + " on one: it runs row by row");
      return context.with(context.rows().withBatch(1));
    }
  }

  private static void run(ModelSession session, Batches.Batch batch, int rows) {
    if (!session.outputs().isEmpty()) {
      session.run(batch.inputs(rows), session.outputs().keySet(), (name, tensor) -> {});
    }
  }
}
