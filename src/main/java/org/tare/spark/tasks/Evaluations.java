package org.tare.spark.tasks;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.tare.infer.ModelSession.Pairs;
import org.tare.onnx.OnnxModel;
import org.tare.spark.JobLabel;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.KeptRows;
import org.tare.spark.rows.RowSource;
import org.tare.spark.tasks.EvaluationJob.Compare;
import org.tare.spark.tasks.EvaluationJob.Compared;
import org.tare.spark.tasks.EvaluationJob.Partial;
import org.tare.spark.tasks.EvaluationJob.Request;
import org.tare.spark.tasks.EvaluationJob.Result;

/**
 * Evaluations of quantized models of one float model on the same rows. The float model is shipped
 * once, and what it gives is computed once: Spark keeps it, in memory or on disk. Close it to let
 * that go. Not thread-safe.
 */
public final class Evaluations implements AutoCloseable {
  /** What is kept of a partition. One of {@link KeptRows} has 32 rows: 2 MB for each. */
  private static final long MOST_BYTES = 64L << 20;

  private final SparkSession spark;
  private final SessionSettings settings;
  private final Request request;
  private final Compared outputs;
  private final boolean isOnce;

  // All empty until the first evaluation: it may be that there is none.

  private Optional<BoundTable> bound = Optional.empty();
  private Optional<ShippedModel> floatModel = Optional.empty();

  private Optional<Kept> kept = Optional.empty();

  /** The rows, and what the float model gives for those of each partition. */
  private record Kept(JavaRDD<Row> rows, JavaRDD<byte[]> floats) {}

  private Evaluations(SparkSession spark, Request request, boolean isOnce) {
    this.spark = spark;
    this.request = request;
    this.isOnce = isOnce;
    this.outputs = Compared.of(request);
    this.settings = new SessionSettings(spark);
  }

  /**
   * Several, on rows that Spark keeps.
   *
   * @param request its quantized model does not matter
   * @throws org.tare.TareException if no output of the model can be compared
   */
  public static Evaluations of(SparkSession spark, Request request) {
    return new Evaluations(spark, request, false);
  }

  /** One alone: the rows go to as many tasks as they are work for, and nothing is kept. */
  static Evaluations once(SparkSession spark, Request request) {
    return new Evaluations(spark, request, true);
  }

  /**
   * Evaluates a model.
   *
   * @throws org.tare.TareException if the table does not fit it, or it can't be run
   */
  public Result run(OnnxModel quantized, Consumer<String> progress) {
    return run(quantized, Pairs.FUSED, progress);
  }

  Result run(OnnxModel quantized, Pairs pairs, Consumer<String> progress) {
    long started = System.nanoTime();
    String label = request.label();
    String description = "evaluate " + label + ": compare " + outputs.size() + " outputs";
    List<Partial> partials = new ArrayList<>();
    try (JobLabel job = new JobLabel(spark, description)) {
      BoundTable table = table();
      table.source().seen().reset();
      try (ShippedModel shipped = ShippedModel.ship(spark, quantized, "quantized " + label, pairs);
          Progress display =
              new Progress(spark, job, "Evaluating", table.source().seen(), progress)) {
        for (byte[] partial : partials(table, shipped)) {
          partials.add(Partial.decode(partial));
        }
      } catch (Throwable e) { // Scala throws checked exceptions unchecked
        throw job.failed(
            "Cannot evaluate " + label,
            e,
            request.floatModel().sizeBytes() + quantized.sizeBytes());
      }
      return EvaluationJob.merge(request, table.source(), partials, outputs, started);
    }
  }

  private BoundTable table() {
    if (bound.isEmpty()) {
      bound = Optional.of(request.needs().bind(settings, request.data()));
    }
    return bound.get();
  }

  private List<byte[]> partials(BoundTable table, ShippedModel quantized) {
    if (floatModel.isEmpty()) {
      floatModel = Optional.of(ShippedModel.ship(spark, request.floatModel(), request.label()));
    }
    ShippedModel floats = floatModel.get();
    String mask = request.mask().orElse("");
    if (isOnce) {
      EvenTasks.Dealt dealt = EvenTasks.deal(settings, table, EvaluationJob.work(table));
      Compare compare = new Compare(dealt.table().source(), floats, quantized, outputs, mask);
      return dealt.rows().mapPartitions(compare).collect();
    }
    if (kept.isEmpty()) {
      kept = Optional.of(kept(table, floats));
    }
    Compare compare = new Compare(table.source(), floats, quantized, outputs, mask);
    return kept.get().rows().zipPartitions(kept.get().floats(), compare).collect();
  }

  private Kept kept(BoundTable table, ShippedModel floats) {
    table.compile(settings, Long.MAX_VALUE);
    JavaRDD<Row> rows = table.rows().javaRDD();
    // Rows of it are not counted as seen: each is seen again in the evaluation.
    RowSource source = table.source().seenBy(spark.sparkContext().longAccumulator());
    Compared compared = outputs;
    FlatMapFunction<Iterator<Row>, byte[]> record =
        some -> new FloatSide(source, floats, compared).record(some, MOST_BYTES).iterator();
    return new Kept(rows, rows.mapPartitions(record).persist(StorageLevel.MEMORY_AND_DISK()));
  }

  @Override
  public void close() {
    try {
      floatModel.ifPresent(ShippedModel::close);
      kept.ifPresent(one -> one.floats().unpersist());
    } finally {
      settings.close();
    }
  }
}
