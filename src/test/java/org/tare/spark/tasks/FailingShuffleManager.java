package org.tare.spark.tasks;

import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.shuffle.FetchFailedException;
import org.apache.spark.shuffle.ShuffleHandle;
import org.apache.spark.shuffle.ShuffleReadMetricsReporter;
import org.apache.spark.shuffle.ShuffleReader;
import org.apache.spark.shuffle.sort.SortShuffleManager;

/** Spark's own shuffle, except that the first reader of each shuffle finds an output gone. */
public final class FailingShuffleManager extends SortShuffleManager {
  /** How often it failed. */
  public static final AtomicInteger FAILURES = new AtomicInteger();

  private final java.util.Set<Integer> failed = java.util.concurrent.ConcurrentHashMap.newKeySet();

  public FailingShuffleManager(SparkConf conf) {
    super(conf);
  }

  @Override
  public <K, C> ShuffleReader<K, C> getReader(
      ShuffleHandle handle,
      int startMapIndex,
      int endMapIndex,
      int startPartition,
      int endPartition,
      TaskContext context,
      ShuffleReadMetricsReporter metrics) {
    if (failed.add(handle.shuffleId())) {
      FAILURES.incrementAndGet();
      throw sneaky(
          new FetchFailedException(
              SparkEnv.get().blockManager().blockManagerId(),
              handle.shuffleId(),
              0L,
              0,
              startPartition,
              "injected",
              null));
    }
    return super.getReader(
        handle, startMapIndex, endMapIndex, startPartition, endPartition, context, metrics);
  }

  @SuppressWarnings("unchecked")
  private static <E extends Exception> RuntimeException sneaky(Exception e) throws E {
    throw (E) e;
  }
}
