package org.tare.spark.tasks;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.spark.rows.BatchRows;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.InputSpec;

/**
 * What running a few rows on the driver shows, before a calibration.
 *
 * @param layouts of the observed tensors
 * @param rowBytes what each tensor that the model computes holds of one row; empty if no row is
 *     good
 * @param secondsPerRow that the model takes, on one thread
 */
public record Probed(
    Map<String, TensorLayout> layouts, Map<String, Long> rowBytes, double secondsPerRow) {

  /**
   * Finds the layouts by running one row, and that row with another: what grows twofold and begins
   * with the same values is batch-major.
   *
   * @param session of the model whose outputs are the computed ones of the observed tensors
   * @param inputs of the model
   */
  public static Probed of(
      BoundTable table, ModelSession session, Collection<String> observed, Set<String> inputs) {
    Map<String, TensorLayout> layouts = new LinkedHashMap<>();
    observed.forEach(tensor -> layouts.put(tensor, TensorLayout.BATCH_MAJOR));
    BatchRows batchRows = table.source().batch();
    boolean isOpen = !batchRows.isFixed() && batchRows.size() > 1;
    for (String input : isOpen ? inputs : Set.<String>of()) {
      int axis = table.source().axis(input);
      if (axis != 0) {
        layouts.replace(
            input, axis == InputSpec.NO_AXIS ? TensorLayout.PER_BATCH : TensorLayout.MIXED);
      }
    }
    Map<String, Long> bytes = new LinkedHashMap<>();
    double[] seconds = {0};
    int rows = batchRows.size();
    if (isOpen) {
      table.probe(
          batch -> {
            Map<String, float[]> one = values(session, batch.inputs(1), inputs);
            long begun = System.nanoTime();
            Map<String, float[]> two = values(session, batch.inputs(2), inputs);
            seconds[0] = (System.nanoTime() - begun) / 2e9;
            one.forEach(
                (tensor, alone) -> {
                  layouts.replace(tensor, layout(alone, two.get(tensor)));
                  bytes.put(tensor, (long) Float.BYTES * alone.length);
                });
          });
    } else if (!inputs.containsAll(observed)) {
      table.probe(
          rows,
          batch -> {
            long begun = System.nanoTime();
            session.run(
                batch.inputs(rows),
                session.outputs().keySet(),
                (tensor, values) -> bytes.put(tensor, Float.BYTES * values.size() / rows));
            seconds[0] = (System.nanoTime() - begun) / 1e9 / rows;
          });
    }
    return new Probed(layouts, bytes, seconds[0]);
  }

  /** Whether the state depends on which rows stand together in a batch. */
  boolean dependsOnBatches(ObservedParts parts) {
    return !parts.averages().isEmpty() || layouts.containsValue(TensorLayout.MIXED);
  }

  /**
   * The rows that are run at once: where it makes no difference, no more than fit memory.
   *
   * @param copies how many more tensors of the size of one of these are observed
   */
  public BatchRows batch(ObservedParts parts, Collection<String> copies, BatchRows wanted) {
    if (dependsOnBatches(parts)) {
      return wanted;
    }
    List<String> growing = new ArrayList<>(rowBytes.keySet());
    growing.addAll(copies);
    return wanted.within(
        growing.stream()
            .filter(tensor -> layouts.get(tensor) != TensorLayout.PER_BATCH)
            .mapToLong(tensor -> rowBytes.getOrDefault(tensor, 0L))
            .sum());
  }

  private static Map<String, float[]> values(
      ModelSession session, Map<String, InputTensor> given, Set<String> inputs) {
    Map<String, float[]> values = new HashMap<>();
    Set<String> wanted = new LinkedHashSet<>(session.outputs().keySet());
    wanted.removeAll(inputs);
    session.run(
        given,
        wanted,
        (name, tensor) -> {
          FloatBuffer floats = tensor.floats();
          float[] copy = new float[floats.remaining()];
          floats.get(copy);
          values.put(name, copy);
        });
    return values;
  }

  static TensorLayout layout(float[] alone, float[] withAnother) {
    if (alone.length == withAnother.length) {
      return TensorLayout.PER_BATCH;
    }
    if (2 * alone.length != withAnother.length) {
      return TensorLayout.MIXED;
    }
    float largest = 0;
    for (float value : alone) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < alone.length; i++) {
      // Kernels round differently for other sizes, by far less than this.
      boolean differs = Math.abs(alone[i] - withAnother[i]) > 1e-3f * largest;
      if (differs) {
        return TensorLayout.MIXED;
      }
    }
    return TensorLayout.BATCH_MAJOR;
  }
}
