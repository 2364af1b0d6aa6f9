package org.tare.spark;

import java.nio.FloatBuffer;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.TaskCompletionListener;
import org.tare.TareException;
import org.tare.graph.OnnxModel;
import org.tare.graph.TensorType;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.infer.SessionPool;
import org.tare.infer.TemporaryModel;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/**
 * Runs a float model over a table on the executors and merges what was observed.
 *
 * <p>A task holds the stats of every tensor and emits each once; Spark merges them by tensor with
 * {@link StatsAggregator}. Results of tasks count exactly once under retries and speculation, so
 * the state does. It does not depend on how the table is partitioned, as far as the runtime's
 * kernels give a row the same values at any place in a batch of one size.
 */
public final class CalibrationJob {
  private CalibrationJob() {}

  /**
   * What a calibration gives.
   *
   * @param state of all rows
   * @param slices the state of each slice by its name, if slices were asked for
   * @param skipped rows that could not be decoded, with one reason
   */
  public record Result(
      CalibrationState state,
      SortedMap<String, CalibrationState> slices,
      long skipped,
      String reason,
      int partitions,
      double seconds) {}

  /**
   * What is to be done, in terms of the caller.
   *
   * @param mask the input whose zeros say which places of a sequence are filling: of tensors that
   *     begin with its shape, what stands there is not observed
   * @param by columns: each combination of their values gets a state of its own, in the same pass
   */
  public record Request(
      String label,
      OnnxModel prepared,
      Map<String, TensorType> types,
      List<String> observed,
      DataSource data,
      Map<String, InputSpec> inputs,
      int batch,
      BadRows badRows,
      ObservedParts parts,
      Optional<String> mask,
      List<String> by) {}

  /**
   * Calibrates.
   *
   * @param progress gets a line every few seconds
   * @throws TareException if the table does not fit the model, or rows do not and are not to be
   *     skipped
   */
  public static Result run(SparkSession spark, Request request, Consumer<String> progress) {
    long started = System.nanoTime();
    if (request.observed().isEmpty()) {
      throw TareException.badInput(
          "Cannot calibrate %s: no operator of it can be quantized with ranges from data%s",
          request.label(),
          request.prepared().graph().hasSubgraphs()
              ? "; what is inside of If, Loop and Scan can without: set quantize.mode=dynamic"
              : "");
    }
    Map<String, TensorType> inputs = new LinkedHashMap<>();
    for (String input : request.prepared().graph().inputNames()) {
      inputs.put(input, request.types().get(input));
    }
    BoundTable table =
        BoundTable.bind(
            spark,
            "calibrate",
            request.label(),
            request.data(),
            inputs,
            request.inputs(),
            Optional.empty(),
            request.by(),
            request.batch(),
            request.badRows());
    if (table.head().isEmpty()) {
      table.source().check(request.data().label(), 0, 0, "");
    }
    List<String> computed =
        request.observed().stream().filter(tensor -> !inputs.containsKey(tensor)).toList();
    OnnxModel exposed =
        request
            .prepared()
            .withOutputs(computed.isEmpty() ? request.prepared().graph().outputNames() : computed);
    Map<String, TensorLayout> layouts = layouts(table, exposed, request, inputs.keySet());
    ShippedModel model = ShippedModel.ship(spark, exposed, request.label());

    SliceColumn.checkNumber("calibrate " + request.label(), request.by(), table.rows());
    Dataset<Row> partials =
        table
            .rows()
            .mapPartitions(
                new Observe(
                    table.source(),
                    model,
                    layouts,
                    request.parts(),
                    request.mask().orElse(""),
                    table.by()),
                Encoders.row(PartialStates.SCHEMA));
    PartialStates.Merged merged;
    try (Progress display = new Progress(spark, "Calibrating", table.source().seen(), progress)) {
      merged = PartialStates.merge(partials, layouts.size());
    } catch (Exception e) { // Scala throws checked exceptions unchecked
      throw SparkFailures.translate("Cannot calibrate " + request.label(), e);
    }
    return result(request, table, merged, started);
  }

  private static Result result(
      Request request, BoundTable table, PartialStates.Merged merged, long started) {
    table
        .source()
        .check(request.data().label(), merged.allRows(), merged.skipped(), merged.reason());
    SortedMap<String, CalibrationState> slices = new TreeMap<>();
    String digest = request.prepared().digest();
    CalibrationState whole = new CalibrationState(digest, 0, new TreeMap<>());
    for (Map.Entry<String, SortedMap<String, TensorStats>> slice : merged.slices().entrySet()) {
      String name = slice.getKey();
      CalibrationState state =
          new CalibrationState(
              digest, name, merged.rows().getOrDefault(name, 0L), slice.getValue());
      slices.put(name, state);
      whole = whole.merge(state);
    }
    return new Result(
        whole,
        request.by().isEmpty() ? Collections.emptySortedMap() : slices,
        merged.skipped(),
        merged.reason(),
        table.rows().rdd().getNumPartitions(),
        (System.nanoTime() - started) / 1e9);
  }

  /**
   * Finds the layouts by running one row, and that row with another: what grows twofold and begins
   * with the same values is batch-major.
   */
  private static Map<String, TensorLayout> layouts(
      BoundTable table, OnnxModel exposed, Request request, Set<String> inputs) {
    Map<String, TensorLayout> layouts = new LinkedHashMap<>();
    request.observed().forEach(tensor -> layouts.put(tensor, TensorLayout.BATCH_MAJOR));
    boolean isFixed =
        request.prepared().graph().inputNames().stream()
            .anyMatch(input -> request.types().get(input).shape()[0] > 0);
    if (isFixed) {
      return layouts;
    }
    try (TemporaryModel temporary = TemporaryModel.of(exposed);
        ModelSession session = ModelSession.open(temporary.file(), request.label(), 1)) {
      table.probe(
          batch -> {
            Map<String, float[]> one = valuesOf(session, batch.inputs(1), inputs);
            Map<String, float[]> two = valuesOf(session, batch.inputs(2), inputs);
            one.forEach((tensor, alone) -> layouts.replace(tensor, layout(alone, two.get(tensor))));
          });
    }
    return layouts;
  }

  private static Map<String, float[]> valuesOf(
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

  /**
   * One task: decodes, runs, observes, and emits each tensor's stats once; with slices, once for
   * each slice, whose rows stand together.
   *
   * @param by the columns whose values name a slice
   */
  private record Observe(
      RowSource source,
      ShippedModel model,
      Map<String, TensorLayout> layouts,
      ObservedParts parts,
      String mask,
      List<SliceColumn> by)
      implements MapPartitionsFunction<Row, Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
      TaskContext task = TaskContext.get();
      long place = task == null ? 0 : task.partitionId();
      if (!rows.hasNext()) {
        return by.isEmpty()
            ? PartialStates.rows(
                "", ModelObserver.emptyStats(layouts.keySet(), parts, place), new RowSource.Tally())
            : Collections.emptyIterator();
      }
      SessionPool.Lease lease = model.lease();
      if (task != null) {
        TaskCompletionListener release = context -> lease.close();
        task.addTaskCompletionListener(release);
      }
      ModelObserver observer = new ModelObserver(lease.session(), layouts, parts, mask, place);
      return Slices.each(
          rows,
          by,
          (slice, own) -> {
            RowSource.Tally tally = source.run(own, observer::observe);
            return PartialStates.rows(slice, observer.take(), tally);
          });
    }
  }
}
