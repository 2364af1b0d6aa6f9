package org.tare.job;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.TensorType;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.TableNeeds;

/** A row from the head of a table, as a model's inputs. */
final class FirstRow {
  private FirstRow() {}

  /**
   * The row.
   *
   * @return empty if no row of the head is good, or the model takes more than one row at once
   */
  static Optional<Map<String, InputTensor>> of(
      JobContext context, FloatModel model, DataSource data) {
    Map<String, TensorType> inputs = model.original().inputTypes(model.types());
    boolean takesMore =
        inputs.values().stream().anyMatch(type -> type.rank() > 0 && type.shape()[0] > 1);
    if (takesMore) {
      return Optional.empty();
    }
    AtomicReference<Map<String, InputTensor>> row = new AtomicReference<>();
    try (SessionSettings settings = new SessionSettings(context.spark().get())) {
      TableNeeds.of(
              "quantize",
              model.name(),
              inputs,
              context.rows().inputs(),
              1,
              context.rows().badRows())
          .bind(settings, data)
          .probe(batch -> row.compareAndSet(null, batch.inputs(1)));
    }
    return Optional.ofNullable(row.get());
  }
}
