package org.tare.spark.rows;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.TensorType;
import org.tare.spark.SessionSettings;

/**
 * What a job needs of a table: columns for a model's inputs, and others.
 *
 * @param action what is to be done, for messages
 * @param model what to call the model
 * @param inputs of the model
 * @param specs what the settings say of inputs
 * @param batch rows per run, unless the model fixes it
 * @param label the column of labels
 * @param slicedBy columns to sort by, so that slices stand together
 * @param along names of columns that go along as they are
 */
public record TableNeeds(
    String action,
    String model,
    Map<String, TensorType> inputs,
    Map<String, InputSpec> specs,
    int batch,
    BadRows badRows,
    Optional<String> label,
    List<String> slicedBy,
    List<String> along) {

  /** The inputs alone. */
  public static TableNeeds of(
      String action,
      String model,
      Map<String, TensorType> inputs,
      Map<String, InputSpec> specs,
      int batch,
      BadRows badRows) {
    return new TableNeeds(
        action, model, inputs, specs, batch, badRows, Optional.empty(), List.of(), List.of());
  }

  /** With a column of labels, if one is named. */
  public TableNeeds withLabel(Optional<String> column) {
    return new TableNeeds(action, model, inputs, specs, batch, badRows, column, slicedBy, along);
  }

  /** With rows that stand together by these columns. */
  public TableNeeds slicedBy(List<String> columns) {
    return new TableNeeds(action, model, inputs, specs, batch, badRows, label, columns, along);
  }

  /** With these columns besides. */
  public TableNeeds along(List<String> columns) {
    return new TableNeeds(action, model, inputs, specs, batch, badRows, label, slicedBy, columns);
  }

  /**
   * Binds a table.
   *
   * @param settings of the session, as they are until the rows have been read
   * @throws org.tare.TareException if the table lacks a column, or one does not fit its input
   */
  public BoundTable bind(SessionSettings settings, DataSource data) {
    return BoundTable.bind(settings, data, this);
  }
}
