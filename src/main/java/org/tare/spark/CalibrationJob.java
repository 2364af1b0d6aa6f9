package org.tare.spark;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.TaskCompletionListener;
import org.tare.TareException;
import org.tare.graph.OnnxModel;
import org.tare.graph.TensorType;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.infer.SessionPool;
import org.tare.stats.CalibrationState;
import org.tare.stats.StatsCodec;
import org.tare.stats.StatsObserver;
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
  private static final String FALLBACK_THRESHOLD =
      "spark.sql.objectHashAggregate.sortBased.fallbackThreshold";

  private static final StructType PARTIAL =
      new StructType()
          .add("tensor", DataTypes.StringType, false)
          .add("stats", DataTypes.BinaryType, false)
          .add("rows", DataTypes.LongType, false)
          .add("skipped", DataTypes.LongType, false)
          .add("reason", DataTypes.StringType, true);

  private CalibrationJob() {}

  /**
   * What a calibration gives.
   *
   * @param skipped rows that could not be decoded, with one reason
   */
  public record Result(
      CalibrationState state, long skipped, String reason, int partitions, double seconds) {}

  /** What is to be done, in terms of the caller. */
  public record Request(
      String label,
      OnnxModel prepared,
      Map<String, TensorType> types,
      List<String> observed,
      DataSource data,
      Map<String, InputSpec> inputs,
      int batch,
      BadRows badRows) {}

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
          "Cannot calibrate %s: no operator of it can be quantized", request.label());
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
    if (spark.conf().get(FALLBACK_THRESHOLD, "128").equals("128")) {
      spark.conf().set(FALLBACK_THRESHOLD, Integer.toString(layouts.size() + 128));
    }

    Dataset<Row> partials =
        table
            .rows()
            .mapPartitions(new Observe(table.source(), model, layouts), Encoders.row(PARTIAL));
    Dataset<Row> merged =
        partials
            .groupBy("tensor")
            .agg(
                functions
                    .udaf(new StatsAggregator(), Encoders.BINARY())
                    .apply(functions.col("stats"))
                    .as("stats"),
                functions.sum("rows").as("rows"),
                functions.sum("skipped").as("skipped"),
                functions.min("reason").as("reason"));
    List<Row> rows;
    try (Progress display = new Progress(spark, "Calibrating", table.source().seen(), progress)) {
      rows = merged.collectAsList();
    } catch (RuntimeException e) {
      throw SparkFailures.translate("Cannot calibrate " + request.label(), e);
    }
    return result(request, table, rows, started);
  }

  private static Result result(Request request, BoundTable table, List<Row> merged, long started) {
    SortedMap<String, TensorStats> tensors = new TreeMap<>();
    long rows = 0;
    long skipped = 0;
    String reason = "";
    for (Row row : merged) {
      String tensor = row.getString(0);
      if (tensor.isEmpty()) {
        rows = row.getLong(2);
        skipped = row.getLong(3);
        reason = row.isNullAt(4) ? "" : row.getString(4);
      } else {
        byte[] stats = row.getAs(1);
        tensors.put(tensor, StatsCodec.decode(stats));
      }
    }
    table.source().check(request.data().label(), rows, skipped, reason);
    return new Result(
        new CalibrationState(request.prepared().digest(), rows, tensors),
        skipped,
        reason,
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
    Optional<Batches.Batch> probe = isFixed ? Optional.empty() : table.probe();
    if (probe.isEmpty()) {
      return layouts;
    }
    Path file = null;
    try {
      file = Files.createTempFile("tare-probe-", ".onnx");
      exposed.write(file);
      try (ModelSession session = ModelSession.open(file, request.label(), 1)) {
        Map<String, float[]> one = valuesOf(session, probe.get().inputs(1), inputs);
        Map<String, float[]> two = valuesOf(session, probe.get().inputs(2), inputs);
        one.forEach((tensor, alone) -> layouts.replace(tensor, layout(alone, two.get(tensor))));
      }
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot write a temporary file: %s", e).causedBy(e);
    } finally {
      if (file != null) {
        file.toFile().delete();
      }
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

  /** One task: decodes, runs, observes, and emits each tensor's stats once. */
  private record Observe(RowSource source, ShippedModel model, Map<String, TensorLayout> layouts)
      implements MapPartitionsFunction<Row, Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
      Map<String, TensorStats> all = new LinkedHashMap<>();
      layouts.keySet().forEach(tensor -> all.put(tensor, TensorStats.empty()));
      RowSource.Tally tally = new RowSource.Tally();
      if (rows.hasNext()) {
        SessionPool.Lease lease = model.lease();
        TaskContext task = TaskContext.get();
        if (task != null) {
          TaskCompletionListener release = context -> lease.close();
          task.addTaskCompletionListener(release);
        }
        tally = source.run(rows, new Observation(lease.session(), layouts, all)::observe);
      }
      List<Row> result = new ArrayList<>();
      all.forEach(
          (tensor, stats) ->
              result.add(RowFactory.create(tensor, StatsCodec.encode(stats), 0L, 0L, null)));
      String reason = tally.reason.isEmpty() ? null : tally.reason;
      result.add(RowFactory.create("", new byte[0], tally.rows, tally.skipped, reason));
      return result.iterator();
    }
  }

  /** Runs batches and adds what they show to the stats. */
  private static final class Observation {
    private final ModelSession session;
    private final Map<String, TensorLayout> layouts;
    private final Map<String, TensorStats> stats;
    private final Set<String> computed;
    private final Set<String> mixed = new LinkedHashSet<>();
    private final StatsObserver observer = new StatsObserver();

    Observation(
        ModelSession session, Map<String, TensorLayout> layouts, Map<String, TensorStats> stats) {
      this.session = session;
      this.layouts = layouts;
      this.stats = stats;
      this.computed = new LinkedHashSet<>(layouts.keySet());
      computed.removeAll(session.inputs().keySet());
      for (String tensor : computed) {
        if (layouts.get(tensor) == TensorLayout.MIXED) {
          mixed.add(tensor);
        }
      }
    }

    void observe(Batches.Batch batch, int rows) {
      batch
          .inputs(rows)
          .forEach(
              (input, tensor) -> {
                if (layouts.containsKey(input)) {
                  observer.observeBits(stats.get(input), bits(tensor));
                }
              });
      if (computed.isEmpty()) {
        return;
      }
      boolean isFull = rows == batch.size();
      Set<String> first = new LinkedHashSet<>(computed);
      if (!isFull) {
        first.removeAll(mixed);
        if (!mixed.isEmpty()) {
          session.run(
              batch.inputs(rows),
              mixed,
              (name, tensor) -> observer.observeBits(stats.get(name), tensor.floatBits()));
        }
      }
      if (!first.isEmpty()) {
        session.run(
            batch.inputs(batch.size()),
            first,
            (name, tensor) -> observe(name, tensor.floatBits(), rows, batch.size()));
      }
    }

    private static IntBuffer bits(InputTensor tensor) {
      return tensor.direct().asIntBuffer();
    }

    private void observe(String name, IntBuffer bits, int rows, int size) {
      switch (layouts.get(name)) {
        case PER_BATCH -> {
          TensorStats once = TensorStats.empty();
          observer.observeBits(once, bits);
          stats.get(name).mergeTimes(once, rows);
        }
        case BATCH_MAJOR -> {
          bits.limit((int) ((long) bits.limit() * rows / size));
          observer.observeBits(stats.get(name), bits);
        }
        case MIXED -> observer.observeBits(stats.get(name), bits);
      }
    }
  }
}
