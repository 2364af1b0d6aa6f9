package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.PairFlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.tare.spark.rows.RowSource;
import org.tare.stats.CalibrationState;
import org.tare.stats.MovingAverage;
import org.tare.stats.Samples;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;
import scala.Tuple2;

/**
 * A thousand tensors, more than Spark hashes by default, in 100 partitions, and a fetch that fails:
 * the bytes are those of a single thread.
 */
class ManyTensorsTest {
  private static final int TENSORS = 1000;
  private static final int PARTITIONS = 100;
  private static final int VALUES = 8;

  /** What a partition saw of a tensor; every tenth tensor has a moving average. */
  private static TensorStats stats(StatsObserver observer, int tensor, int partition) {
    Random random = new Random(31L * tensor + partition);
    float[] values = Samples.wild(random, VALUES);
    TensorStats stats = TensorStats.empty();
    if (tensor % 10 == 0) {
      stats.with(MovingAverage.at(partition, 0.01f, 1));
      stats.average().orElseThrow().observe(values[0] > 0 ? -1 : -2, partition);
    }
    observer.observe(stats, values, 0, values.length);
    return stats;
  }

  private static String name(int tensor) {
    return "tensor/" + tensor;
  }

  private static final class Observe
      implements PairFlatMapFunction<Iterator<Row>, Tuple2<String, String>, PartialState> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Tuple2<Tuple2<String, String>, PartialState>> call(Iterator<Row> rows) {
      RowSource.Tally tally = new RowSource.Tally();
      while (rows.hasNext()) {
        rows.next();
        tally.countRow();
      }
      StatsObserver observer = new StatsObserver();
      Map<String, TensorStats> all = new LinkedHashMap<>();
      for (int tensor = 0; tensor < TENSORS; tensor++) {
        all.put(name(tensor), stats(observer, tensor, TaskContext.get().partitionId()));
      }
      return PartialStates.of("", all, tally);
    }
  }

  @Test
  void theBytesAreThoseOfOneThread() {
    TreeMap<String, TensorStats> expected = new TreeMap<>();
    StatsObserver observer = new StatsObserver();
    for (int tensor = 0; tensor < TENSORS; tensor++) {
      TensorStats sum = TensorStats.empty();
      for (int partition = 0; partition < PARTITIONS; partition++) {
        sum.merge(stats(observer, tensor, partition));
      }
      expected.put(name(tensor), sum);
    }
    SparkSession spark =
        DigitsCalibration.local(
            "local[2,4]",
            Map.of(
                "spark.shuffle.manager",
                FailingShuffleManager.class.getName(),
                // A failed fetch makes Spark forget the blocks of this JVM, large results too.
                "spark.task.maxDirectResultSize",
                "100m"));
    try {
      int before = FailingShuffleManager.FAILURES.get();
      Dataset<Row> rows = spark.range(0, 10L * PARTITIONS, 1, PARTITIONS).toDF();
      PartialStates.Merged merged =
          PartialStates.merge(rows.javaRDD().mapPartitionsToPair(new Observe()), TENSORS + 1L);
      assertTrue(FailingShuffleManager.FAILURES.get() > before, "no fetch failed");
      assertEquals(10L * PARTITIONS, merged.allRows());
      for (TensorStats stats : merged.slices().get("").values()) {
        assertEquals((long) VALUES * PARTITIONS, stats.count());
      }
      assertArrayEquals(
          new CalibrationState("", 1, expected).encode(),
          new CalibrationState("", 1, merged.slices().get("")).encode());
    } finally {
      spark.stop();
    }
  }
}
