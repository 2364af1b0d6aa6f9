package org.tare.spark.tasks;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.Dependency;
import org.apache.spark.ShuffleDependency;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.unsafe.hash.Murmur3_x86_32;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.tare.TareException;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BoundTable;

/**
 * Deals a table's rows out to tasks by the work they are. Spark cuts tables by their bytes, but a
 * file of some megabytes may be hours of inference, and be one partition. Where the partitions keep
 * the slots busy they stay as they are; else rows move to as many tasks as the work fills, all of
 * one size.
 *
 * <p>Rows move together with their places in the order of the table, and stand in it again in their
 * task. Which task a row goes to follows from its place, which is the same when a task runs again
 * as long as nothing upstream was shuffled. Behind a shuffle the order differs from attempt to
 * attempt; there Spark's own round robin is taken, which goes by what rows hold.
 */
final class EvenTasks {
  private static final Logger LOG = LoggerFactory.getLogger(EvenTasks.class);

  /** What a task should take at least; fewer rows are lost with it than with one of hours. */
  private static final double TASK_SECONDS = 3;

  /** What a task costs besides its rows: to start it, to encode and merge its states. */
  private static final double START_SECONDS = 0.03;

  /** Moving rows has to save that share, and so many seconds for the additional stage. */
  private static final double WORTH = 0.85;

  private static final double STAGE_SECONDS = 0.3;

  /** What one slot writes and reads of rows that move. */
  private static final double BYTES_PER_SECOND = 50e6;

  private static final int MOST_TASKS = 20_000;

  /** What counting may take. */
  private static final long COUNT_SECONDS = 10;

  private static final String PLACE = "__tare_place";
  private static final String TASK = "__tare_task";

  private EvenTasks() {}

  /**
   * What the rows cost.
   *
   * @param secondsPerRow of the work on one row
   * @param batch rows go through the model together
   */
  record Work(double secondsPerRow, int batch) {}

  /**
   * A table whose partitions are the tasks.
   *
   * @param planned the table's rows, if they are planned
   */
  record Dealt(BoundTable table, Optional<JavaRDD<Row>> planned, int tasks) {
    private static Dealt of(BoundTable table, JavaRDD<Row> rows) {
      return new Dealt(table, Optional.of(rows), rows.getNumPartitions());
    }

    /** The table's rows. They are taken either from here or from the table: each plans them. */
    JavaRDD<Row> rows() {
      return planned.orElseGet(() -> table.rows().javaRDD());
    }
  }

  /** The table with the partitions that it has. */
  static Dealt asTheyAre(SessionSettings settings, BoundTable table) {
    table.compile(settings, Long.MAX_VALUE);
    return Dealt.of(table, table.rows().javaRDD());
  }

  /**
   * Deals. It counts the rows, which reads nothing of Parquet but its footers. Where counting takes
   * long, since a query computes much for each row, say, the rows stay where they are: to compute
   * them twice would cost more than idle slots.
   *
   * @param work of the rows
   */
  static Dealt deal(SessionSettings settings, BoundTable table, Work work) {
    SparkSession spark = settings.spark();
    // Planned once: what a query computes before a shuffle is computed once too.
    JavaRDD<Row> planned = table.rows().javaRDD();
    boolean isShuffled = isShuffled(planned.rdd());
    int partitions = planned.getNumPartitions();
    if (partitions == 0) {
      return Dealt.of(table, planned);
    }
    Optional<long[]> counted =
        counts(isShuffled ? planned : table.rows().select(functions.lit(1)).javaRDD());
    if (!isShuffled
        && table.compile(settings, counted.map(EvenTasks::sum).orElse(Long.MAX_VALUE))) {
      planned = table.rows().select(functions.col("*")).javaRDD();
    }
    // The plan that there is, as a table.
    BoundTable same =
        isShuffled ? table.with(spark.createDataFrame(planned, table.rows().schema())) : table;
    if (counted.isEmpty()) {
      LOG.info("Counting rows took more than {} s: the partitions stay", COUNT_SECONDS);
      return Dealt.of(same, planned);
    }
    long[] counts = counted.get();
    int slots = Math.max(1, spark.sparkContext().defaultParallelism());
    int tasks = tasks(counts, work, slots, table.rowBytes());
    LOG.info(
        "{} rows in {} partitions, {} ms each: {}",
        sum(counts),
        partitions,
        work.secondsPerRow() * 1e3,
        tasks == 0 ? "the partitions stay" : tasks + " tasks");
    if (tasks == 0) {
      return Dealt.of(same, planned);
    }
    BoundTable moved =
        isShuffled || counts.length != partitions
            ? table.with(table.sorted(same.rows().repartition(tasks)))
            : moved(table, counts, work.batch(), tasks);
    return new Dealt(moved, Optional.empty(), tasks);
  }

  private static BoundTable moved(BoundTable table, long[] counts, int batch, int tasks) {
    Dataset<Row> placed = table.rows().withColumn(PLACE, functions.monotonically_increasing_id());
    Task task = new Task(starts(counts), batch, keys(tasks));
    Dataset<Row> moved =
        placed
            .withColumn(
                TASK, functions.udf(task, DataTypes.IntegerType).apply(functions.col(PLACE)))
            .repartition(tasks, functions.col(TASK))
            .drop(TASK);
    return table.placed(moved, PLACE);
  }

  /** Whether the order of rows may differ when a task runs again. */
  private static boolean isShuffled(RDD<?> rows) {
    Deque<RDD<?>> open = new ArrayDeque<>(List.of(rows));
    Set<Integer> seen = new HashSet<>();
    while (!open.isEmpty()) {
      scala.collection.Iterator<Dependency<?>> dependencies = open.pop().dependencies().iterator();
      while (dependencies.hasNext()) {
        Dependency<?> dependency = dependencies.next();
        if (dependency instanceof ShuffleDependency) {
          return true;
        }
        if (seen.add(dependency.rdd().id())) {
          open.push(dependency.rdd());
        }
      }
    }
    return false;
  }

  /** The rows of each partition, in order; empty if that takes too long. */
  private static Optional<long[]> counts(JavaRDD<Row> rows) {
    FlatMapFunction<Iterator<Row>, Long> count =
        partition -> {
          long counted = 0;
          while (partition.hasNext()) {
            partition.next();
            counted++;
          }
          return Collections.singleton(counted).iterator();
        };
    JavaFutureAction<List<Long>> counting = rows.mapPartitions(count).collectAsync();
    try {
      List<Long> counts = counting.get(COUNT_SECONDS, TimeUnit.SECONDS);
      return Optional.of(counts.stream().mapToLong(Long::longValue).toArray());
    } catch (TimeoutException e) {
      counting.cancel(true);
      return Optional.empty();
    } catch (InterruptedException e) {
      counting.cancel(true);
      Thread.currentThread().interrupt();
      throw TareException.tryAgain("Interrupted while rows were counted");
    } catch (ExecutionException e) {
      throw EvenTasks.<RuntimeException>unchecked(e.getCause());
    }
  }

  /** The failure as Spark throws it, which declares no checked exceptions. */
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
  private static <T extends Throwable> T unchecked(Throwable failure) throws T {
    throw (T) failure;
  }

  private static long sum(long[] counts) {
    long sum = 0;
    for (long count : counts) {
      sum += count;
    }
    return sum;
  }

  /**
   * How many tasks the rows should go to.
   *
   * @param counts rows of each partition
   * @param rowBytes of a row, about
   * @return 0 if the partitions are good as they are
   */
  static int tasks(long[] counts, Work work, int slots, long rowBytes) {
    long rows = sum(counts);
    int batch = Math.max(1, work.batch());
    long batches = (rows + batch - 1) / batch;
    double batchSeconds = work.secondsPerRow() * batch;
    long wanted = (long) Math.ceil(batches * batchSeconds / TASK_SECONDS);
    // Whole rounds: a last task alone would leave the other slots idle.
    long whole = (Math.max(slots, wanted) + slots - 1) / slots * slots;
    int tasks = (int) Math.min(Math.min(whole, MOST_TASKS), Math.max(1, batches));
    double rounds = Math.ceil((double) tasks / slots);
    double dealt =
        rounds * (START_SECONDS + Math.ceil((double) batches / tasks) * batchSeconds)
            + rows * Math.max(1, rowBytes) / (BYTES_PER_SECOND * slots)
            + STAGE_SECONDS;
    return dealt < WORTH * kept(counts, batch, batchSeconds, slots) ? tasks : 0;
  }

  /** What the partitions take as they are, each started in turn where a slot is free. */
  private static double kept(long[] counts, int batch, double batchSeconds, int slots) {
    PriorityQueue<Double> free = new PriorityQueue<>(Collections.nCopies(slots, 0.0));
    double end = 0;
    for (long count : counts) {
      double batches = Math.ceil((double) count / batch);
      double done = free.remove() + START_SECONDS + batches * batchSeconds;
      end = Math.max(end, done);
      free.add(done);
    }
    return end;
  }

  /** The number of the first row of each partition, and of all rows. */
  private static long[] starts(long[] counts) {
    long[] starts = new long[counts.length + 1];
    for (int i = 0; i < counts.length; i++) {
      starts[i + 1] = starts[i] + counts[i];
    }
    return starts;
  }

  /**
   * A number for each task that Spark's hash partitioning sends to it. Were it another hash, tasks
   * would differ in size, and nothing else.
   */
  static int[] keys(int tasks) {
    int[] keys = new int[tasks];
    List<Integer> open = new ArrayList<>(Collections.nCopies(tasks, -1));
    int left = tasks;
    for (int key = 0; left > 0; key++) {
      int task = Math.floorMod(Murmur3_x86_32.hashInt(key, 42), tasks);
      if (open.get(task) < 0) {
        open.set(task, key);
        keys[task] = key;
        left--;
      }
    }
    return keys;
  }

  /**
   * The key of a row's task: whole batches of the table's order, as many in each.
   *
   * @param starts the number of the first row of each partition, and of all rows
   */
  private record Task(long[] starts, int batch, int[] keys) implements UDF1<Long, Integer> {
    private static final long serialVersionUID = 1L;

    @Override
    public Integer call(Long place) {
      int partition = (int) Math.min(place >>> 33, starts.length - 2);
      long rows = Math.max(1, starts[starts.length - 1]);
      // A table that grew since it was counted has rows beyond the last.
      long row = Math.min(rows - 1, starts[partition] + (place & (1L << 33) - 1));
      long batches = (rows + batch - 1) / batch;
      return keys[(int) (row / batch * keys.length / batches)];
    }
  }
}
