package org.tare.spark.tasks;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.beside.ShadowModel;
import org.tare.spark.JobLabel;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.BatchRows;
import org.tare.spark.rows.Batches;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.InputSpec;
import org.tare.spark.rows.RowSource;
import org.tare.spark.rows.SliceColumn;
import org.tare.spark.rows.Slices;
import org.tare.spark.rows.TableNeeds;
import org.tare.spark.tasks.EvaluationJob.Comparison;
import org.tare.spark.tasks.EvaluationJob.Comparison.Values;
import org.tare.spark.tasks.EvaluationJob.Partial;

/**
 * Compares the tensors inside of a quantized model with the float model's, in one pass over a
 * table: accumulated, as the quantized model computes them from its own inputs, and local, as each
 * layer computes them from the float model's (see {@link ShadowModel}).
 */
public final class CompareJob {
  private CompareJob() {}

  /**
   * What is to be done.
   *
   * @param floatModel whose inputs are read
   * @param shadow the float model with the shadows of the layers
   * @param seen the name that each compared tensor has in the quantized model, as its readers see
   *     it
   * @param by columns: each combination of their values gets figures of its own too
   */
  public record Request(
      String label,
      OnnxModel floatModel,
      ShadowModel shadow,
      OnnxModel quantizedModel,
      Map<String, String> seen,
      Map<String, TensorType> types,
      DataSource data,
      Optional<String> mask,
      Map<String, InputSpec> inputs,
      int batch,
      BadRows badRows,
      List<String> by) {}

  /**
   * The figures of all tensors.
   *
   * @param accumulated from the quantized model's own inputs
   * @param local of each layer alone
   */
  public record Figures(
      long rows, Map<String, OutputMetrics> accumulated, Map<String, OutputMetrics> local) {}

  /** What the comparison gives; the slices by their names. */
  public record Result(Figures all, Map<String, Figures> slices, double seconds) {}

  /** Compares. */
  public static Result run(SparkSession spark, Request request, Consumer<String> progress) {
    long started = System.nanoTime();
    String description = "compare " + request.label() + ": " + request.seen().size() + " tensors";
    try (SessionSettings settings = new SessionSettings(spark);
        JobLabel job = new JobLabel(spark, description)) {
      return run(settings, job, request, progress, started);
    }
  }

  private static Result run(
      SessionSettings settings,
      JobLabel job,
      Request request,
      Consumer<String> progress,
      long started) {
    SparkSession spark = settings.spark();
    Map<String, TensorType> inputs = request.floatModel().inputTypes(request.types());
    BoundTable bound =
        TableNeeds.of(
                "compare",
                request.label(),
                inputs,
                request.inputs(),
                request.batch(),
                request.badRows())
            .slicedBy(request.by())
            .bind(settings, request.data());
    OnnxModel exposed = request.quantizedModel().withOutputs(List.copyOf(request.seen().values()));
    List<Part> parts = new ArrayList<>();
    try (ShippedModel shadow = ShippedModel.ship(spark, request.shadow().model(), request.label());
        ShippedModel quantized = ShippedModel.ship(spark, exposed, "quantized " + request.label());
        Progress display = new Progress(spark, job, "Comparing", bound.source().seen(), progress)) {
      EvenTasks.Dealt dealt =
          request.by().isEmpty() || !computesRanges(request.quantizedModel())
              ? EvenTasks.deal(settings, bound, EvaluationJob.work(bound))
              : EvenTasks.asTheyAre(settings, bound);
      Compare compare =
          new Compare(
              dealt.table().source(),
              shadow,
              quantized,
              new LinkedHashMap<>(request.seen()),
              new LinkedHashMap<>(request.shadow().local()),
              request.mask().orElse(""),
              dealt.table().by());
      for (byte[] bytes : dealt.rows().mapPartitions(compare).collect()) {
        parts.add((Part) Partial.read(bytes));
      }
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      throw job.failed(
          "Cannot compare " + request.label(),
          e,
          request.shadow().model().sizeBytes() + exposed.sizeBytes());
    }
    return merge(request, bound.source(), parts, started);
  }

  /**
   * Whether a row's results may depend on which rows stand in its batch. In slices that follows
   * from where tasks begin, and shall not follow from the number of slots.
   */
  private static boolean computesRanges(OnnxModel quantized) {
    return quantized.graph().nodes().stream()
        .anyMatch(
            node -> node.opType().startsWith("DynamicQuantize") || !node.subgraphs().isEmpty());
  }

  private static Result merge(Request request, RowSource source, List<Part> parts, long started) {
    parts.sort(Comparator.comparing((Part p) -> p.slice).thenComparingInt(p -> p.partition));
    Map<String, Sums> slices = new TreeMap<>();
    Sums all = new Sums(request.seen().keySet());
    String reason = "";
    for (Part part : parts) {
      all.add(part);
      slices.computeIfAbsent(part.slice, k -> new Sums(request.seen().keySet())).add(part);
      reason = reason.isEmpty() ? part.reason : reason;
    }
    source.check(request.data().label(), all.rows, all.skipped, reason);
    Map<String, Figures> bySlice = new TreeMap<>();
    if (!request.by().isEmpty()) {
      slices.forEach((name, sums) -> bySlice.put(name, sums.figures()));
    }
    return new Result(all.figures(), bySlice, (System.nanoTime() - started) / 1e9);
  }

  private static final class Sums {
    private final Map<String, OutputMetrics> accumulated = new LinkedHashMap<>();
    private final Map<String, OutputMetrics> local = new LinkedHashMap<>();
    private long rows;
    private long skipped;

    Sums(Iterable<String> tensors) {
      for (String tensor : tensors) {
        accumulated.put(tensor, new OutputMetrics());
        local.put(tensor, new OutputMetrics());
      }
    }

    void add(Part part) {
      rows += part.rows;
      skipped += part.skipped;
      part.accumulated.forEach((tensor, found) -> accumulated.get(tensor).merge(found));
      part.local.forEach((tensor, found) -> local.get(tensor).merge(found));
    }

    /** Without tensors whose shapes depend on values, and were others. */
    Figures figures() {
      accumulated.values().removeIf(OutputMetrics::hasOtherShape);
      local.values().removeIf(OutputMetrics::hasOtherShape);
      return new Figures(rows, accumulated, local);
    }
  }

  /** What a task found of a slice. */
  private record Part(
      int partition,
      String slice,
      long rows,
      long skipped,
      String reason,
      HashMap<String, OutputMetrics> accumulated,
      HashMap<String, OutputMetrics> local)
      implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  private record Compare(
      RowSource source,
      ShippedModel shadowModel,
      ShippedModel quantizedModel,
      LinkedHashMap<String, String> seen,
      LinkedHashMap<String, String> local,
      String mask,
      List<SliceColumn> by)
      implements FlatMapFunction<Iterator<Row>, byte[]> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<byte[]> call(Iterator<Row> rows) {
      if (!rows.hasNext()) {
        return Collections.emptyIterator();
      }
      TaskContext task = TaskContext.get();
      Tensors tensors =
          new Tensors(
              source,
              shadowModel.session(task),
              quantizedModel.session(task),
              seen,
              local,
              mask,
              new OutputAxes(),
              new HashMap<>());
      return Slices.each(
          rows,
          by,
          (slice, own) -> {
            HashMap<String, OutputMetrics> accumulated = new HashMap<>(empty(seen.keySet()));
            HashMap<String, OutputMetrics> alone = new HashMap<>(empty(seen.keySet()));
            RowSource.Tally tally =
                source.run(
                    own, (batch, count) -> tensors.compare(batch, count, accumulated, alone));
            Part part =
                new Part(
                    task.partitionId(),
                    slice,
                    tally.rows(),
                    tally.skipped(),
                    tally.reason(),
                    accumulated,
                    alone);
            return List.of(Partial.write(part)).iterator();
          });
    }
  }

  private static Map<String, OutputMetrics> empty(Iterable<String> tensors) {
    Map<String, OutputMetrics> metrics = new HashMap<>();
    tensors.forEach(tensor -> metrics.put(tensor, new OutputMetrics()));
    return metrics;
  }

  /**
   * Runs both models on so many rows of a batch at once, and of a single row that is large on so
   * many tensors, as fit memory.
   *
   * @param known how that is done, by the shapes of the inputs
   */
  private record Tensors(
      RowSource source,
      ModelSession shadow,
      ModelSession quantized,
      Map<String, String> seen,
      Map<String, String> local,
      String mask,
      OutputAxes axes,
      Map<String, Cut> known) {

    void compare(
        Batches.Batch batch,
        int rows,
        Map<String, OutputMetrics> accumulated,
        Map<String, OutputMetrics> alone) {
      Cut cut = cut(batch, rows);
      if (rows <= cut.rows()) {
        compare(cut, batch, rows, accumulated, alone);
        return;
      }
      // Nothing of a batch counts if the model refuses one of its parts.
      Map<String, OutputMetrics> ofBatch = empty(seen.keySet());
      Map<String, OutputMetrics> aloneOfBatch = empty(seen.keySet());
      for (int from = 0; from < rows; from += cut.rows()) {
        int to = Math.min(rows, from + cut.rows());
        compare(cut, batch.part(from, to), to - from, ofBatch, aloneOfBatch);
      }
      ofBatch.forEach((tensor, found) -> accumulated.get(tensor).merge(found));
      aloneOfBatch.forEach((tensor, found) -> alone.get(tensor).merge(found));
    }

    private void compare(
        Cut cut,
        Batches.Batch batch,
        int rows,
        Map<String, OutputMetrics> accumulated,
        Map<String, OutputMetrics> alone) {
      Map<String, InputTensor> inputs = batch.inputs(Comparison.given(source, batch, rows));
      for (List<String> group : cut.groups()) {
        List<String> shadows = group.stream().map(local::get).toList();
        List<String> both = new ArrayList<>(group);
        both.addAll(shadows);
        Map<String, Values> found = Comparison.values(shadow, inputs, both);
        Map<String, Values> alongside =
            Comparison.values(quantized, inputs, group.stream().map(seen::get).toList());
        Map<String, Values> floats = new HashMap<>();
        Map<String, Values> layers = new HashMap<>();
        Map<String, Values> whole = new HashMap<>();
        for (String tensor : group) {
          floats.put(tensor, found.get(tensor));
          layers.put(tensor, found.get(local.get(tensor)));
          whole.put(tensor, alongside.get(seen.get(tensor)));
        }
        int given = Comparison.given(source, batch, rows);
        Map<String, Integer> places = Comparison.places(source, axes, shadow, batch, given, floats);
        comparison(group, alone).compare(batch, rows, places, floats, layers);
        comparison(group, accumulated).compare(batch, rows, places, floats, whole);
      }
    }

    private Comparison comparison(List<String> group, Map<String, OutputMetrics> metrics) {
      return new Comparison(source, new RowSource.Tally(), group, mask, metrics);
    }

    /** Rows of equal shapes are cut alike, wherever they stand: figures depend on it a little. */
    private Cut cut(Batches.Batch batch, int rows) {
      StringBuilder shapes = new StringBuilder();
      batch
          .inputs(1)
          .forEach((name, tensor) -> shapes.append(name).append(Arrays.toString(tensor.shape())));
      return known.computeIfAbsent(shapes.toString(), k -> find(batch, rows));
    }

    private Cut find(Batches.Batch batch, int rows) {
      if (!source.batch().isFixed()) {
        try {
          return Cut.ofRows(sizes(batch.inputs(1)), source.batch());
        } catch (TareException e) {
          // The model takes no single row, or not this one.
        }
      }
      int given = Comparison.given(source, batch, rows);
      Map<String, Long> bytes = sizes(batch.inputs(given));
      bytes.replaceAll((tensor, all) -> all * batch.size() / given);
      return Cut.whole(bytes, batch.size());
    }

    /** Bytes of all that is compared of each tensor, measured by a run. */
    private Map<String, Long> sizes(Map<String, InputTensor> inputs) {
      Map<String, Long> bytes = new LinkedHashMap<>();
      shadow.run(
          inputs,
          new LinkedHashSet<>(seen.keySet()),
          (tensor, values) -> bytes.put(tensor, 3 * 4 * values.size()));
      return bytes;
    }
  }

  /**
   * How much is compared at once.
   *
   * @param groups of tensors; ONNX Runtime keeps all of them, but only these are copied
   */
  record Cut(int rows, List<List<String>> groups) {
    /**
     * As many rows as fit.
     *
     * @param bytes of each tensor, of one row
     */
    static Cut ofRows(Map<String, Long> bytes, BatchRows batch) {
      long all = bytes.values().stream().mapToLong(Long::longValue).sum();
      int rows = batch.within(all).size();
      Map<String, Long> together = new LinkedHashMap<>();
      bytes.forEach((tensor, one) -> together.put(tensor, rows * one));
      return whole(together, rows);
    }

    /**
     * All rows.
     *
     * @param bytes of each tensor, of all of them
     */
    static Cut whole(Map<String, Long> bytes, int rows) {
      List<List<String>> groups = new ArrayList<>();
      long taken = 0;
      for (Map.Entry<String, Long> tensor : bytes.entrySet()) {
        taken = groups.isEmpty() ? Long.MAX_VALUE : taken + tensor.getValue();
        if (taken > BatchRows.BYTES_AT_ONCE) {
          groups.add(new ArrayList<>());
          taken = tensor.getValue();
        }
        groups.get(groups.size() - 1).add(tensor.getKey());
      }
      return new Cut(rows, groups);
    }
  }
}
