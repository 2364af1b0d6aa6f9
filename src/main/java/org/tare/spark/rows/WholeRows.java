package org.tare.spark.rows;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.tare.TareException;
import org.tare.onnx.TensorType;

/**
 * Whether each row is all of the model's inputs. An input {@code [256]} takes one row of 256 values
 * or 256 rows of one: the model does not show which, the first rows of the table do.
 */
final class WholeRows {
  private final String action;
  private final String model;
  private final Map<String, TensorType> inputs;
  private final Map<String, InputSpec> specs;
  private final ColumnNames table;

  WholeRows(
      String action,
      String model,
      Map<String, TensorType> inputs,
      Map<String, InputSpec> specs,
      ColumnNames table) {
    this.action = action;
    this.model = model;
    this.inputs = inputs;
    this.specs = specs;
    this.table = table;
  }

  /**
   * Binds the inputs in both ways.
   *
   * @param together the rows of a batch in one run of the model; if that is not possible, whole
   *     rows
   * @param whole one row in each run, if that is possible too
   */
  record Ways(List<InputBinding> together, BatchRows rows, Optional<List<InputBinding>> whole) {}

  /**
   * @param batch rows per run, unless the model fixes it
   */
  Ways bind(int batch) {
    InputBinding.checkNames(action, model, inputs, specs);
    BatchAxes axes = BatchAxes.of("Cannot " + action + " " + model, inputs, specs);
    BatchRows rows = new BatchRows(axes.size().orElse(batch), axes.size().isPresent());
    Optional<List<InputBinding>> whole =
        axes.isRowByRow() ? Optional.empty() : whole().filter(this::isThinkable);
    try {
      List<InputBinding> together = InputBinding.bind(action, model, inputs, specs, table, axes);
      return new Ways(together, rows, whole);
    } catch (TareException e) {
      return new Ways(whole.orElseThrow(() -> e), new BatchRows(1, true), Optional.empty());
    }
  }

  private Optional<List<InputBinding>> whole() {
    try {
      BatchAxes axes = BatchAxes.rowByRow(inputs);
      return Optional.of(InputBinding.bind(action, model, inputs, specs, table, axes));
    } catch (TareException e) {
      return Optional.empty();
    }
  }

  /** Where the first size of an input is free, rows of arrays as deep as the input are whole. */
  private boolean isThinkable(List<InputBinding> whole) {
    for (InputBinding binding : whole) {
      TensorType type = inputs.get(binding.input());
      boolean isSaid = specs.getOrDefault(binding.input(), InputSpec.derived()).axis().isPresent();
      boolean isFree = binding.hasColumn() && type.rank() > 0 && type.shape()[0] < 0;
      boolean isDeep =
          isFree
              && !BatchAxes.isBatch(type.names().get(0))
              && depth(binding.found().type()) == type.rank();
      if (isSaid || (isFree && !isDeep)) {
        return false;
      }
    }
    return true;
  }

  private static int depth(DataType type) {
    boolean isFlat = type.equals(DataTypes.BinaryType) || ColumnForm.isVector(type);
    return isFlat ? 1 : ColumnForm.depth(type);
  }

  /** Whether one of the rows can be read. */
  static boolean takesAny(List<InputBinding> bindings, List<Row> rows) {
    RowDecoder decoder = new RowDecoder(bindings);
    for (Row row : rows) {
      try {
        decoder.decode(row);
        return true;
      } catch (RowDecoder.BadRow e) {
        // The next one may do.
      }
    }
    return false;
  }
}
