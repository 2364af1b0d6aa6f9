package org.tare.job;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
   * Does nothing if all is well.
   *
   * @param by the columns that name slices of the calibration data
   * @throws org.tare.TareException that says what does not fit
   */
  public static void check(
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
    data.ifPresent(rows -> check(context, "calibrate", model, inputs, rows, Optional.empty(), by));
    validation.ifPresent(
        rows -> check(context, "evaluate", model, inputs, rows, label, List.of()));
  }

  private static void check(
      JobContext context,
      String action,
      FloatModel model,
      Map<String, TensorType> inputs,
      DataSource rows,
      Optional<String> label,
      List<String> by) {
    try (SessionSettings settings = new SessionSettings(context.spark().get())) {
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
            context.rows().badRows())
          .checkHead(rows.label());
    }
  }
}
