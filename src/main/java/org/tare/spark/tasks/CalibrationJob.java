package org.tare.spark.tasks;

import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.PairFlatMapFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.infer.Opening;
import org.tare.infer.SessionPool;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.spark.JobLabel;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.InputSpec;
import org.tare.spark.rows.RowSource;
import org.tare.spark.rows.SliceColumn;
import org.tare.spark.rows.Slices;
import org.tare.spark.rows.TableNeeds;
import org.tare.stats.CalibrationState;
import org.tare.stats.Duplicates;
import org.tare.stats.StateSum;
import org.tare.stats.TensorStats;
import scala.Tuple2;

/**
 * Runs a float model over a table on the executors and merges what was observed.
 *
 * <p>A task holds the stats of every tensor and emits each once; Spark merges them by tensor with
 * {@link PartialStates}. Results of tasks count exactly once under retries and speculation, so the
 * state does. It does not depend on how the table is partitioned, as far as the runtime's kernels
 * give a row the same values at any place in a batch of one size.
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
    return runAsIf(spark, request, OptionalDouble.empty(), progress);
  }

  /**
   * Calibrates.
   *
   * @param secondsPerRow what a row is said to take, for the number of tasks; measured if empty
   */
  static Result runAsIf(
      SparkSession spark,
      Request request,
      OptionalDouble secondsPerRow,
      Consumer<String> progress) {
    long started = System.nanoTime();
    String description =
        "calibrate " + request.label() + ": observe " + request.observed().size() + " tensors";
    try (SessionSettings settings = new SessionSettings(spark);
        JobLabel job = new JobLabel(spark, description)) {
      return run(settings, job, request, secondsPerRow, progress, started);
    }
  }

  private static Result run(
      SessionSettings settings,
      JobLabel job,
      Request request,
      OptionalDouble secondsPerRow,
      Consumer<String> progress,
      long started) {
    SparkSession spark = settings.spark();
    Map<String, TensorType> inputs = request.prepared().inputTypes(request.types());
    List<String> computed =
        request.observed().stream().filter(tensor -> !inputs.containsKey(tensor)).toList();
    OnnxModel exposed =
        request
            .prepared()
            .withOutputs(computed.isEmpty() ? request.prepared().graph().outputNames() : computed);
    PartialStates.Merged merged;
    BoundTable table;
    int tasks;
    try (Opening<Loaded> opening =
        Opening.of(() -> Loaded.of(spark, exposed, request.label()), Loaded::close)) {
      opening.begin();
      table = bind(settings, request, inputs);
      long slices =
          SliceColumn.checkNumber("calibrate " + request.label(), request.by(), table.rows());
      ShippedModel model = opening.get().model();
      Probed probed;
      try (SessionPool.Lease lease = opening.get().lease()) {
        probed = Probed.of(table, lease.session(), request.observed(), inputs.keySet());
      }
      try (Progress display =
          new Progress(spark, job, "Calibrating", table.source().seen(), progress)) {
        EvenTasks.Dealt dealt =
            dealt(settings, table, request, probed, secondsPerRow.orElse(probed.secondsPerRow()));
        tasks = dealt.tasks();
        Observe observe =
            new Observe(
                dealt.table().source(),
                model,
                probed.layouts(),
                request.parts(),
                request.mask().orElse(""),
                probed.dependsOnBatches(request.parts()),
                table.by());
        merged =
            PartialStates.merge(
                dealt.rows().mapPartitionsToPair(observe), slices * (probed.layouts().size() + 1L));
      } catch (Throwable e) { // Scala throws checked exceptions unchecked
        throw job.failed("Cannot calibrate " + request.label(), e, exposed.sizeBytes());
      }
    }
    return result(request, table, tasks, merged, started);
  }

  private static BoundTable bind(
      SessionSettings settings, Request request, Map<String, TensorType> inputs) {
    BoundTable table =
        TableNeeds.of(
                "calibrate",
                request.label(),
                inputs,
                request.inputs(),
                request.batch(),
                request.badRows())
            .slicedBy(request.by())
            .bind(settings, request.data());
    if (table.head().isEmpty()) {
      table.source().check(request.data().label(), 0, 0, "");
    }
    return table;
  }

  /** A model on its way to the executors that is loaded here. */
  private record Loaded(ShippedModel model, SessionPool.Lease lease) {
    static Loaded of(SparkSession spark, OnnxModel exposed, String label) {
      ShippedModel model = ShippedModel.ship(spark, exposed, label);
      try {
        return new Loaded(model, model.lease());
      } catch (RuntimeException | Error e) {
        model.close();
        throw e;
      }
    }

    void close() {
      lease.close();
      model.close();
    }
  }

  /** Rows move to other tasks only where the state does not depend on which rows stand together. */
  private static EvenTasks.Dealt dealt(
      SessionSettings settings,
      BoundTable table,
      Request request,
      Probed probed,
      double secondsPerRow) {
    if (probed.dependsOnBatches(request.parts())) {
      return EvenTasks.asTheyAre(settings, table);
    }
    return EvenTasks.deal(
        settings, table, new EvenTasks.Work(secondsPerRow, table.source().batch().size()));
  }

  private static Result result(
      Request request, BoundTable table, int tasks, PartialStates.Merged merged, long started) {
    table
        .source()
        .check(request.data().label(), merged.allRows(), merged.skipped(), merged.reason());
    SortedMap<String, CalibrationState> slices = new TreeMap<>();
    String digest = request.prepared().digest();
    StateSum whole = new StateSum(Duplicates.REFUSE);
    whole.add(new CalibrationState(digest, 0, new TreeMap<>()));
    for (Map.Entry<String, SortedMap<String, TensorStats>> slice : merged.slices().entrySet()) {
      String name = slice.getKey();
      CalibrationState state =
          new CalibrationState(
              digest, name, merged.rows().getOrDefault(name, 0L), slice.getValue());
      slices.put(name, state);
      whole.add(state);
    }
    return new Result(
        whole.state(),
        request.by().isEmpty() ? Collections.emptySortedMap() : slices,
        merged.skipped(),
        merged.reason(),
        tasks,
        (System.nanoTime() - started) / 1e9);
  }

  /**
   * One task: decodes, runs, observes, and emits each tensor's stats once; with slices, once for
   * each slice, whose rows stand together.
   *
   * @param isWhole whether the state depends on which rows stand together, so that batches stay
   *     whole
   * @param by the columns whose values name a slice
   */
  private record Observe(
      RowSource source,
      ShippedModel model,
      Map<String, TensorLayout> layouts,
      ObservedParts parts,
      String mask,
      boolean isWhole,
      List<SliceColumn> by)
      implements PairFlatMapFunction<Iterator<Row>, Tuple2<String, String>, PartialState> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Tuple2<Tuple2<String, String>, PartialState>> call(Iterator<Row> rows) {
      TaskContext task = TaskContext.get();
      long place = task == null ? 0 : task.partitionId();
      if (!rows.hasNext()) {
        return by.isEmpty()
            ? PartialStates.of(
                "", ModelObserver.emptyStats(layouts.keySet(), parts, place), new RowSource.Tally())
            : Collections.emptyIterator();
      }
      ModelObserver observer = new ModelObserver(model.session(task), layouts, parts, mask, place);
      return Slices.each(
          rows,
          by,
          (slice, own) -> {
            RowSource.Tally tally =
                isWhole
                    ? source.run(own, observer::observe)
                    : source.run(own, observer::rowsAtOnce, observer::observe);
            return PartialStates.of(slice, observer.take(), tally);
          });
    }
  }
}
