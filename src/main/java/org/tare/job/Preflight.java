package org.tare.job;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.TensorType;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;

/**
 * Looks at everything that a run will need before anything is computed: opens the tables, binds
 * inputs, labels, masks and slices to their columns, and decodes a row of each.
 */
public final class Preflight {
  private Preflight() {}

  /**
   * What is worth a warning, if all is well.
   *
   * @param by the columns that name slices of the calibration data
   * @throws org.tare.TareException that says what does not fit
   */
  public static List<String> check(
      JobContext context,
      FloatModel model,
      Optional<DataSource> data,
      Optional<DataSource> validation,
      Optional<String> label,
      List<String> by) {
    Map<String, TensorType> inputs = new LinkedHashMap<>();
    for (String input : model.original().graph().inputNames()) {
      inputs.put(input, model.types().get(input));
    }
    context.rows().mask(List.copyOf(inputs.keySet()));
    Set<String> notes = new LinkedHashSet<>();
    data.ifPresent(
        rows ->
            notes.addAll(check(context, "calibrate", model, inputs, rows, Optional.empty(), by)));
    validation.ifPresent(
        rows -> notes.addAll(check(context, "evaluate", model, inputs, rows, label, List.of())));
    return List.copyOf(notes);
  }

  private static List<String> check(
      JobContext context,
      String action,
      FloatModel model,
      Map<String, TensorType> inputs,
      DataSource rows,
      Optional<String> label,
      List<String> by) {
    try (SessionSettings settings = new SessionSettings(context.spark().get())) {
      BoundTable table =
          BoundTable.bind(
              settings,
              action,
              model.name(),
              rows,
              inputs,
              context.rows().inputs(),
              label,
              by,
              context.rows().batch(),
              context.rows().badRows());
      table.checkHead(rows.label());
      return table.notes();
    }
  }
}
