package org.tare.spark.tasks;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.infer.OutputTensor;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.beside.SwitchedModel;
import org.tare.spark.JobLabel;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.Batches;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.InputSpec;
import org.tare.spark.rows.RowSource;
import org.tare.spark.rows.TableNeeds;
import org.tare.spark.tasks.EvaluationJob.Comparison;
import org.tare.spark.tasks.EvaluationJob.Comparison.Values;
import org.tare.spark.tasks.EvaluationJob.Partial;

/**
 * Compares a float model with many quantized forms of it, in one {@link SwitchedModel} or several:
 * a batch is decoded once, the float model runs on it once, and then each form. What the forms of a
 * switched model have in common before the first layer that differs runs once for them. The work is
 * cut by rows and by forms, so that few rows keep all cores busy too. Quantization is simulated:
 * the same numbers on every CPU, but for the rounding of floats.
 */
public final class TrialsJob {
  private static final String PLACE = "__tare_place";

  /**
   * As Spark 4.1 has it on, tables of one partition each make a union of one partition: the tasks
   * of all parts would be one.
   */
  private static final String ONE_TASK_FOR_ALL = "spark.sql.unionOutputPartitioning";

  private TrialsJob() {}

  /**
   * What is to be done.
   *
   * @param floatModel what the forms are compared with
   * @param groups hold the forms
   * @param labelColumn class numbers of the first ranked output
   * @param own a figure of the user's
   */
  public record Request(
      String label,
      OnnxModel floatModel,
      List<Group> groups,
      Map<String, TensorType> types,
      DataSource data,
      Optional<String> labelColumn,
      Optional<String> mask,
      Map<String, InputSpec> inputs,
      int batch,
      BadRows badRows,
      Optional<SqlMetric> own) {
    /** How many forms there are. */
    int forms() {
      return groups.stream().mapToInt(Group::forms).sum();
    }
  }

  /**
   * Forms in one model.
   *
   * @param forms how many it holds
   */
  public record Group(SwitchedModel switched, int forms) {}

  /**
   * What the comparisons give.
   *
   * @param forms the figures of each form, in order, by output
   * @param own the user's figure of each form; empty if none is asked for
   */
  public record Result(
      long rows, List<Map<String, OutputMetrics>> forms, List<Double> own, double seconds) {}

  /** Runs all forms on all rows. */
  public static Result run(SparkSession spark, Request request, Consumer<String> progress) {
    long started = System.nanoTime();
    EvaluationJob.checkOutputs(request.label(), request.floatModel(), request.types());
    List<String> outputs = EvaluationJob.outputs(request.floatModel(), request.types());
    String description = "try " + request.label() + ": " + request.forms() + " forms";
    try (SessionSettings settings = new SessionSettings(spark);
        JobLabel job = new JobLabel(spark, description)) {
      return run(settings, job, request, outputs, progress, started);
    }
  }

  private static Result run(
      SessionSettings settings,
      JobLabel job,
      Request request,
      List<String> outputs,
      Consumer<String> progress,
      long started) {
    SparkSession spark = settings.spark();
    settings.off(ONE_TASK_FOR_ALL);
    Map<String, TensorType> inputs = request.floatModel().inputTypes(request.types());
    BoundTable bound =
        TableNeeds.of(
                "try",
                request.label(),
                inputs,
                request.inputs(),
                request.batch(),
                request.badRows())
            .withLabel(request.labelColumn())
            .along(request.own().map(SqlMetric::columns).orElse(List.of()))
            .bind(settings, request.data());
    List<Part> parts = new ArrayList<>();
    List<Double> own = List.of();
    long bytes = request.floatModel().sizeBytes();
    try (ShippedModel floats = ShippedModel.ship(spark, request.floatModel(), request.label());
        ShippedGroups groups = ShippedGroups.ship(spark, request);
        Progress display = new Progress(spark, job, "Trying", bound.source().seen(), progress)) {
      bytes += groups.sizeBytes();
      EvenTasks.Dealt dealt = EvenTasks.deal(settings, bound, work(bound, request.forms()));
      BoundTable table = request.own().isPresent() ? placed(dealt.table()) : dealt.table();
      Optional<JavaRDD<Row>> rows =
          request.own().isPresent() ? Optional.empty() : Optional.of(dealt.rows());
      JavaRDD<byte[]> all = null;
      Dataset<Row> withRows = null;
      for (int[] some : cut(spark, dealt.tasks(), request.forms())) {
        Try task =
            new Try(
                table.source(),
                floats,
                outputs,
                request.mask().orElse(""),
                some[0],
                new ArrayList<>(groups.pieces(some[0], some[some.length - 1] + 1)));
        if (request.own().isPresent()) {
          StructType given = table.rows().schema();
          TryRows tried = TryRows.of(task, request.own().get(), given);
          Dataset<Row> part =
              table.rows().mapPartitions(tried, Encoders.row(request.own().get().emitted(given)));
          withRows = withRows == null ? part : withRows.union(part);
        } else {
          JavaRDD<byte[]> part = rows.get().mapPartitions(task);
          all = all == null ? part : all.union(part);
        }
      }
      if (request.own().isPresent()) {
        // Both questions are answered by one run of the models.
        withRows = withRows.persist(StorageLevel.MEMORY_AND_DISK());
        try {
          read(
              withRows
                  .select(SqlMetric.PART)
                  .filter(functions.col(SqlMetric.PART).isNotNull())
                  .as(Encoders.BINARY())
                  .collectAsList(),
              parts);
          own = request.own().get().of(withRows, request.forms());
        } finally {
          withRows.unpersist();
        }
      } else {
        read(all.collect(), parts);
      }
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      throw job.failed("Cannot compare forms of " + request.label(), e, bytes);
    }
    return merge(request, bound.source(), parts, own, outputs, started);
  }

  /** Rows are read in stretches, and are called in messages what they are called in the table. */
  private static BoundTable placed(BoundTable table) {
    if (table.source().isPlaced()) {
      return table;
    }
    return table.placed(
        table.rows().withColumn(PLACE, functions.monotonically_increasing_id()), PLACE);
  }

  /** What a row is taken to cost: half of an evaluation for each form, since starts are shared. */
  private static EvenTasks.Work work(BoundTable table, int forms) {
    EvenTasks.Work one = EvaluationJob.work(table);
    return new EvenTasks.Work(one.secondsPerRow() * (1 + forms) / 2, one.batch());
  }

  private static void read(List<byte[]> found, List<Part> parts) {
    for (byte[] bytes : found) {
      parts.add((Part) Partial.read(bytes));
    }
  }

  /**
   * Which forms go together: all, where the rows keep the cores busy; else there are so many parts
   * that there are about two tasks for each core.
   */
  private static List<int[]> cut(SparkSession spark, int partitions, int forms) {
    int cores = spark.sparkContext().defaultParallelism();
    int wanted = partitions >= cores ? 1 : (2 * cores + partitions - 1) / Math.max(1, partitions);
    int parts = Math.max(1, Math.min(wanted, forms));
    List<int[]> cut = new ArrayList<>();
    for (int i = 0; i < parts; i++) {
      int from = (int) ((long) forms * i / parts);
      int to = (int) ((long) forms * (i + 1) / parts);
      int[] some = new int[to - from];
      for (int f = from; f < to; f++) {
        some[f - from] = f;
      }
      cut.add(some);
    }
    return cut;
  }

  private static Result merge(
      Request request,
      RowSource source,
      List<Part> parts,
      List<Double> own,
      List<String> outputs,
      long started) {
    parts.sort(Comparator.comparingInt((Part p) -> p.first).thenComparingInt(p -> p.partition));
    List<Map<String, OutputMetrics>> forms = new ArrayList<>();
    for (int i = 0; i < request.forms(); i++) {
      Map<String, OutputMetrics> metrics = new LinkedHashMap<>();
      outputs.forEach(name -> metrics.put(name, new OutputMetrics()));
      forms.add(metrics);
    }
    long rows = 0;
    long skipped = 0;
    String reason = "";
    for (Part part : parts) {
      if (part.first == 0) {
        rows += part.rows;
        skipped += part.skipped;
        reason = reason.isEmpty() ? part.reason : reason;
      }
      for (int i = 0; i < part.metrics.size(); i++) {
        Map<String, OutputMetrics> merged = forms.get(part.first + i);
        part.metrics.get(i).forEach((name, found) -> merged.get(name).merge(found));
      }
    }
    source.check(request.data().label(), rows, skipped, reason);
    forms.forEach(form -> form.values().removeIf(OutputMetrics::hasOtherShape));
    return new Result(rows, forms, own, (System.nanoTime() - started) / 1e9);
  }

  /**
   * What a task found.
   *
   * @param first the number of its first form
   */
  record Part(
      int partition,
      int first,
      long rows,
      long skipped,
      String reason,
      ArrayList<HashMap<String, OutputMetrics>> metrics)
      implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /** Takes what the models give for a batch. */
  interface Sink {
    /**
     * @param rows how many rows of the batch are real
     * @param isBad rows of which nothing counts
     * @param axes of the rows in each output
     * @param outputs of the forms of the task, in order
     */
    void batch(
        Batches.Batch batch,
        int rows,
        boolean[] isBad,
        Map<String, Integer> axes,
        Map<String, Values> expected,
        List<Map<String, Values>> outputs);
  }

  /**
   * Forms that a task runs, of one model; none if only its start is of use, for a later piece.
   *
   * @param start runs before them, on the inputs and what former pieces carried; null if nothing
   *     does
   * @param carried what the forms read of that
   * @param input that chooses a form; {@link #NO_CHOICE} if the model is one form alone
   */
  record Piece(
      ShippedModel start,
      ArrayList<String> carried,
      ShippedModel forms,
      String input,
      ArrayList<long[]> choices)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    static final String NO_CHOICE = "";

    /** A model that is one form alone. */
    static Piece alone(ShippedModel model) {
      ArrayList<long[]> one = new ArrayList<>(List.of(new long[0]));
      return new Piece(null, new ArrayList<>(), model, NO_CHOICE, one);
    }

    boolean chooses() {
      return !input.equals(NO_CHOICE);
    }
  }

  /** A piece with its sessions; null where it has nothing to run in them. */
  private record Open(Piece piece, ModelSession start, ModelSession forms) {
    static Open of(Piece piece, TaskContext task) {
      return new Open(
          piece,
          piece.start() == null ? null : piece.start().session(task),
          piece.choices().isEmpty() ? null : piece.forms().session(task));
    }

    /**
     * What each form gives.
     *
     * @param carried what former pieces carried; here it becomes what this one does
     */
    List<Map<String, Values>> run(
        Map<String, InputTensor> inputs, Map<String, InputTensor> carried, List<String> outputs) {
      if (start != null) {
        Map<String, InputTensor> given = new LinkedHashMap<>();
        for (String name : start.inputs().keySet()) {
          given.put(name, carried.getOrDefault(name, inputs.get(name)));
        }
        start.run(
            given, start.outputs().keySet(), (name, tensor) -> carried.put(name, copy(tensor)));
      }
      carried.keySet().retainAll(piece.carried());
      Map<String, InputTensor> given = new LinkedHashMap<>(inputs);
      given.putAll(carried);
      List<Map<String, Values>> found = new ArrayList<>();
      for (long[] choices : piece.choices()) {
        if (piece.chooses()) {
          given.put(piece.input(), numbers(choices));
        }
        found.add(Comparison.values(forms, given, outputs));
      }
      return found;
    }

    private static InputTensor copy(OutputTensor tensor) {
      FloatBuffer floats = tensor.floats();
      ByteBuffer bytes = direct(Float.BYTES * floats.remaining());
      bytes.asFloatBuffer().put(floats);
      return new InputTensor(ElementType.FLOAT32, tensor.shape(), bytes);
    }

    private static InputTensor numbers(long[] numbers) {
      ByteBuffer bytes = direct(Long.BYTES * numbers.length);
      bytes.asLongBuffer().put(numbers);
      return new InputTensor(ElementType.INT64, new long[] {numbers.length}, bytes);
    }

    private static ByteBuffer direct(int size) {
      return ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
    }
  }

  /** A task: it runs pieces one after the other on each batch. */
  record Try(
      RowSource source,
      ShippedModel floatModel,
      List<String> outputs,
      String mask,
      int first,
      ArrayList<Piece> pieces)
      implements FlatMapFunction<Iterator<Row>, byte[]> {
    private static final long serialVersionUID = 1L;

    boolean chooses() {
      return pieces.get(0).chooses();
    }

    @Override
    public Iterator<byte[]> call(Iterator<Row> rows) {
      if (!rows.hasNext()) {
        return Collections.emptyIterator();
      }
      Part part = part(rows, new OutputAxes(), Optional.empty());
      return List.of(Partial.write(part)).iterator();
    }

    /** Runs the models on rows. */
    Part part(Iterator<Row> rows, OutputAxes axes, Optional<Sink> sink) {
      TaskContext task = TaskContext.get();
      ModelSession floats = floatModel.session(task);
      RowSource.Tally bad = new RowSource.Tally();
      ArrayList<HashMap<String, OutputMetrics>> metrics = new ArrayList<>();
      List<Comparison> comparisons = new ArrayList<>();
      List<Open> open = new ArrayList<>();
      for (Piece piece : pieces) {
        Open opened = Open.of(piece, task);
        open.add(opened);
        for (int i = 0; i < piece.choices().size(); i++) {
          HashMap<String, OutputMetrics> own = new HashMap<>();
          outputs.forEach(name -> own.put(name, new OutputMetrics()));
          // Rows without a class are the same for all forms, and count once.
          RowSource.Tally tally = metrics.isEmpty() ? bad : new RowSource.Tally();
          metrics.add(own);
          comparisons.add(new Comparison(source, tally, outputs, mask, own));
        }
      }
      RowSource.Tally tally =
          source.run(
              rows,
              (batch, count) -> {
                int all = Comparison.given(source, batch, count);
                Map<String, InputTensor> given = batch.inputs(all);
                Map<String, Values> expected = Comparison.values(floats, given, outputs);
                Map<String, Integer> places =
                    Comparison.places(source, axes, floats, batch, all, expected);
                List<Map<String, Values>> found = new ArrayList<>();
                boolean[] isBad = {};
                int form = 0;
                Map<String, InputTensor> carried = new LinkedHashMap<>();
                for (Open one : open) {
                  for (Map<String, Values> actual : one.run(given, carried, outputs)) {
                    isBad = comparisons.get(form++).compare(batch, count, places, expected, actual);
                    if (sink.isPresent()) {
                      found.add(actual);
                    }
                  }
                }
                if (sink.isPresent()) {
                  sink.get().batch(batch, count, isBad, places, expected, found);
                }
              });
      tally.subtract(bad);
      return new Part(
          task.partitionId(), first, tally.rows(), tally.skipped(), tally.reason(), metrics);
    }
  }
}
