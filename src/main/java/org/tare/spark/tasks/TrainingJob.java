package org.tare.spark.tasks;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.tare.TareException;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.spark.JobLabel;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.InputSpec;
import org.tare.spark.rows.RowSource;
import org.tare.spark.rows.TableNeeds;
import org.tare.train.Grids;
import org.tare.train.LearnedRounding;
import org.tare.train.RoundingOptions;
import org.tare.train.SentModel;
import org.tare.train.TrainedModel;
import org.tare.train.Trainer;
import org.tare.train.TrainingBatch;
import org.tare.train.TrainingOptions;
import org.tare.train.TrainingRow;
import org.tare.train.TrainingState;
import scala.Tuple2;

/**
 * Trains in rounds, each of them an ordinary job: every worker takes steps on rows of its own
 * shard, from the weights that all begin with, and the driver takes the mean. Any task can be tried
 * again. Shards, their order and the batches follow from rows and options, so that the weights are
 * the same on any cluster whose machines compute the same.
 */
public final class TrainingJob implements AutoCloseable {
  /**
   * What is trained.
   *
   * @param label the column of class numbers, if there is one
   * @param mask the input whose zeros say which places of a sequence are filling, if there is one
   */
  public record Request(
      TrainedModel model,
      Map<String, TensorType> types,
      DataSource data,
      Optional<String> label,
      Map<String, InputSpec> inputs,
      BadRows badRows,
      Optional<String> mask,
      TrainingOptions options) {}

  /**
   * What a round gives.
   *
   * @param losses of each step, the mean over workers
   * @param failure of a worker: then the state is that before the round
   */
  public record Round(TrainingState state, double[] losses, Optional<String> failure) {}

  private final SparkSession spark;
  private final SessionSettings settings;
  private final Request request;
  private final int batch;
  private final boolean isFixed;
  private final JavaRDD<byte[]> shards;
  private final long[] sizes;
  private long digest;
  private final Broadcast<byte[]> model;

  private TrainingJob(SessionSettings settings, Request request) {
    this.spark = settings.spark();
    this.settings = settings;
    this.request = request;
    OnnxModel graph = request.model().model();
    Map<String, TensorType> inputs = graph.inputTypes(request.types());
    BoundTable table =
        TableNeeds.of(
                "train", request.model().name(), inputs, request.inputs(), 1, request.badRows())
            .withLabel(request.label())
            .bind(settings, request.data());
    for (String input : inputs.keySet()) {
      if (table.source().axis(input) != 0) {
        throw TareException.badInput(
            "Cannot train %s: its input \"%s\" has no first axis that counts rows",
            request.model().name(), input);
      }
    }
    this.isFixed = table.source().batch().isFixed();
    this.batch = isFixed ? table.source().batch().size() : request.options().batch();
    int workers = request.options().workers();
    table.compile(settings, Long.MAX_VALUE);
    JavaRDD<byte[]> rows =
        table.rows().mapPartitions(new Gather(table.source()), Encoders.BINARY()).toJavaRDD();
    this.shards =
        rows.mapToPair(row -> new Tuple2<>(EncodedRow.shard(row, workers), row))
            .partitionBy(new HashPartitioner(workers))
            .values()
            .mapPartitions(TrainingJob::sorted)
            .persist(StorageLevel.MEMORY_AND_DISK());
    this.sizes = count();
    long all = 0;
    for (long size : sizes) {
      all += size;
    }
    table.source().check(request.data().label(), all, 0, "");
    this.model =
        new JavaSparkContext(spark.sparkContext())
            .broadcast(Serialized.bytes(request.model().send()));
  }

  /**
   * Reads the rows into shards.
   *
   * @throws TareException if they do not fit the model, or there are none
   */
  public static TrainingJob open(SparkSession spark, Request request) {
    SessionSettings settings = new SessionSettings(spark);
    try (JobLabel job = new JobLabel(spark, "train " + request.model().name() + ": shards")) {
      return opened(settings, request, job);
    } catch (RuntimeException | Error e) {
      settings.close();
      throw e;
    }
  }

  private static TrainingJob opened(SessionSettings settings, Request request, JobLabel job) {
    try {
      return new TrainingJob(settings, request);
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      throw job.failed("Cannot train " + request.model().name(), e, 0);
    }
  }

  private static Iterator<byte[]> sorted(Iterator<byte[]> rows) {
    List<byte[]> all = new ArrayList<>();
    rows.forEachRemaining(all::add);
    all.sort(java.util.Arrays::compareUnsigned);
    return all.iterator();
  }

  private long[] count() {
    long[] counts = new long[request.options().workers()];
    shards
        .mapPartitionsWithIndex(
            (shard, rows) -> {
              long count = 0;
              long hash = 1;
              while (rows.hasNext()) {
                hash = 31 * hash + java.util.Arrays.hashCode(rows.next());
                count++;
              }
              return List.of(new long[] {shard, count, hash}).iterator();
            },
            false)
        .collect()
        .forEach(
            found -> {
              counts[(int) found[0]] = found[1];
              // Shards come in any order.
              digest += (found[0] + 1) * found[2];
            });
    return counts;
  }

  /** A number that tells these rows, and their shards, from others. */
  public long digest() {
    return digest;
  }

  /** How many rows there are. */
  public long rows() {
    return java.util.Arrays.stream(sizes).sum();
  }

  /** How many steps each worker takes in all. */
  public long steps() {
    long workers = java.util.Arrays.stream(sizes).filter(size -> size > 0).count();
    return Math.max(1, Math.round(request.options().epochs() * rows() / (batch * workers)));
  }

  /**
   * Trains for a round.
   *
   * @param grids to round with, for the whole round
   * @param steps of each worker
   */
  public Round round(TrainingState from, Grids grids, int steps) {
    String description =
        "train "
            + request.model().name()
            + ": steps "
            + (from.step() + 1)
            + " to "
            + (from.step() + steps);
    Broadcast<byte[]> begin =
        new JavaSparkContext(spark.sparkContext())
            .broadcast(Serialized.bytes(new Begin(from, grids)));
    try (JobLabel job = new JobLabel(spark, description)) {
      return round(from, begin, steps, job);
    } finally {
      begin.destroy();
    }
  }

  private Round round(TrainingState from, Broadcast<byte[]> begin, int steps, JobLabel job) {
    Cut cut = new Cut(batch, isFixed, request.mask().orElse(""));
    Steps work = new Steps(model, begin, request.options(), sizes, cut, steps, steps());
    List<Share> shares = new ArrayList<>();
    try {
      shards
          .mapPartitionsWithIndex(work::run, false)
          .collect()
          .forEach(bytes -> shares.add(Serialized.read(bytes, Share.class)));
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      throw job.failed("Cannot train " + request.model().name(), e, 0);
    }
    shares.sort(Comparator.comparingInt(Share::shard));
    double[] losses = new double[steps];
    for (Share share : shares) {
      for (int i = 0; i < steps; i++) {
        losses[i] += share.losses()[i] / shares.size();
      }
    }
    Optional<String> failure =
        shares.stream().map(Share::failure).filter(one -> !one.isEmpty()).findFirst();
    return failure.isPresent()
        ? new Round(from, losses, failure)
        : new Round(
            TrainingState.mean(shares.stream().map(Share::state).toList()), losses, failure);
  }

  /**
   * Learns how weights are rounded, in one task, on all rows of the first shard.
   *
   * @return weights on their grids, and biases that fit them
   */
  public TrainingState learnRounding(TrainingState from, Grids grids, RoundingOptions rounding) {
    Broadcast<byte[]> begin =
        new JavaSparkContext(spark.sparkContext())
            .broadcast(Serialized.bytes(new Begin(from, grids)));
    String description = "learn the rounding of " + request.model().name();
    try (JobLabel job = new JobLabel(spark, description)) {
      return learned(new Rounding(model, begin, rounding), job);
    } finally {
      begin.destroy();
    }
  }

  private TrainingState learned(Rounding work, JobLabel job) {
    try {
      List<byte[]> found = shards.mapPartitionsWithIndex(work::run, false).collect();
      return Serialized.read(found.get(0), TrainingState.class);
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      throw job.failed("Cannot learn the rounding of " + request.model().name(), e, 0);
    }
  }

  /** Learned rounding, as a task. */
  private record Rounding(Broadcast<byte[]> model, Broadcast<byte[]> begin, RoundingOptions options)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    Iterator<byte[]> run(int shard, Iterator<byte[]> rows) {
      if (shard > 0) {
        return java.util.Collections.emptyIterator();
      }
      List<TrainingRow> all = new ArrayList<>();
      rows.forEachRemaining(row -> all.add(EncodedRow.decode(row)));
      Begin from = Serialized.read(begin.value(), Begin.class);
      SentModel sent = Serialized.read(model.value(), SentModel.class);
      try (LearnedRounding rounding = LearnedRounding.of(sent, options)) {
        return List.of(Serialized.bytes(rounding.run(from.state(), from.grids(), all))).iterator();
      }
    }
  }

  @Override
  public void close() {
    try {
      shards.unpersist(false);
      model.destroy();
    } finally {
      settings.close();
    }
  }

  /** What all workers begin a round with. */
  private record Begin(TrainingState state, Grids grids) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /** What one worker came to. */
  private record Share(int shard, TrainingState state, double[] losses, String failure)
      implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /** Decodes rows. */
  private record Gather(RowSource source) implements MapPartitionsFunction<Row, byte[]> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<byte[]> call(Iterator<Row> rows) {
      List<byte[]> encoded = new ArrayList<>();
      source.run(
          rows,
          (batch, real) -> {
            for (int row = 0; row < real; row++) {
              encoded.add(EncodedRow.of(batch, row));
            }
          });
      return encoded.iterator();
    }
  }

  /**
   * How rows make batches.
   *
   * @param size rows of each
   * @param isFixed whether the model takes no other number of rows
   * @param mask the input that says what is filling, or no name
   */
  private record Cut(int size, boolean isFixed, String mask) implements Serializable {
    private static final long serialVersionUID = 1L;

    List<TrainingBatch> parts(List<TrainingRow> rows) {
      TrainingBatch whole =
          new TrainingBatch(rows, Optional.of(mask).filter(name -> !name.isEmpty()));
      return isFixed ? List.of(whole) : whole.parts();
    }
  }

  /** The steps of one worker. */
  private record Steps(
      Broadcast<byte[]> model,
      Broadcast<byte[]> begin,
      TrainingOptions options,
      long[] sizes,
      Cut cut,
      int steps,
      long all)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    Iterator<byte[]> run(int shard, Iterator<byte[]> rows) {
      if (!rows.hasNext()) {
        return java.util.Collections.emptyIterator();
      }
      Begin from = Serialized.read(begin.value(), Begin.class);
      RowOrder order = new RowOrder(options.seed(), shard, Math.toIntExact(sizes[shard]));
      List<int[]> places = new ArrayList<>();
      for (int i = 0; i < steps; i++) {
        places.add(order.batch(from.state().step() + i, cut.size()));
      }
      Map<Integer, TrainingRow> wanted = take(rows, places);
      SentModel sent = Serialized.read(model.value(), SentModel.class);
      try (Trainer trainer = Trainer.of(sent, options)) {
        Trainer.Round round =
            trainer.run(
                from.state(),
                from.grids(),
                step -> {
                  List<TrainingRow> chosen = new ArrayList<>();
                  for (int place : places.get((int) (step - from.state().step()))) {
                    chosen.add(wanted.get(place));
                  }
                  return cut.parts(chosen);
                },
                steps,
                all);
        return List.of(
                Serialized.bytes(
                    new Share(shard, round.state(), round.losses(), round.failure().orElse(""))))
            .iterator();
      }
    }

    private static Map<Integer, TrainingRow> take(Iterator<byte[]> rows, List<int[]> places) {
      TreeSet<Integer> wanted = new TreeSet<>();
      for (int[] one : places) {
        for (int place : one) {
          wanted.add(place);
        }
      }
      Map<Integer, TrainingRow> taken = new HashMap<>();
      for (int place = 0; rows.hasNext() && taken.size() < wanted.size(); place++) {
        byte[] row = rows.next();
        if (wanted.contains(place)) {
          taken.put(place, EncodedRow.decode(row));
        }
      }
      return taken;
    }
  }
}
