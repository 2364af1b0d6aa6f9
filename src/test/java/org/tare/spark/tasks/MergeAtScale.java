package org.tare.spark.tasks;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.function.PairFlatMapFunction;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.stats.Samples;
import org.tare.stats.StatsCodec;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;
import scala.Tuple2;

/**
 * The states of many tensors from many partitions, merged by Spark in this process as calibration
 * does, and every tensor's range searched: what that takes, what is shuffled, and what the driver
 * holds. A task hands over states that were made before, of {@value #VALUES} values each. The first
 * row is for the compiler.
 */
public final class MergeAtScale {
  private static final int VALUES = 100_000;
  private static final int DIFFERENT = 64;

  private MergeAtScale() {}

  /**
   * Prints a table.
   *
   * @param scales tensors and partitions
   */
  public static void print(int[][] scales) {
    System.out.println(
        "\n| tensors x partitions | s to merge | MB shuffled | MB merged | s to search |");
    System.out.println("|---|---:|---:|---:|---:|");
    byte[][] states = states();
    for (int[] scale : scales) {
      measure(states, scale[0], scale[1]);
    }
  }

  private static byte[][] states() {
    Random random = new Random(1);
    StatsObserver observer = new StatsObserver();
    byte[][] states = new byte[DIFFERENT][];
    for (int i = 0; i < DIFFERENT; i++) {
      float[] floats = Samples.normal(random, VALUES);
      for (int k = 0; i % 2 == 1 && k < floats.length; k++) {
        floats[k] = Math.max(0, floats[k]);
      }
      TensorStats stats = TensorStats.empty();
      observer.observe(stats, floats, 0, floats.length);
      states[i] = StatsCodec.encode(stats);
    }
    return states;
  }

  private static void measure(byte[][] states, int tensors, int partitions) {
    SparkSession spark =
        DigitsCalibration.local("local[*]", Map.of("spark.shuffle.sort.bypassMergeThreshold", "1"));
    AtomicLong shuffled = new AtomicLong();
    spark
        .sparkContext()
        .addSparkListener(
            new SparkListener() {
              @Override
              public void onTaskEnd(SparkListenerTaskEnd end) {
                shuffled.addAndGet(end.taskMetrics().shuffleWriteMetrics().bytesWritten());
              }
            });
    try {
      JavaPairRDD<Tuple2<String, String>, PartialState> partials =
          spark
              .range(0, partitions, 1, partitions)
              .toDF()
              .javaRDD()
              .mapPartitionsToPair(new HandOver(states, tensors));
      long started = System.nanoTime();
      PartialStates.Merged merged = PartialStates.merge(partials, tensors);
      double mergeSeconds = (System.nanoTime() - started) / 1e9;
      long bytes = 0;
      List<RangeSearch.Wanted> wanted = new ArrayList<>();
      for (var tensor : merged.slices().get("").entrySet()) {
        bytes += StatsCodec.encode(tensor.getValue()).length;
        wanted.add(
            new RangeSearch.Wanted(
                tensor.getKey(),
                tensor.getValue(),
                new RangeMethod.Auto(),
                QParamsRule.ONNXRUNTIME.spec(DType.UINT8, false)));
      }
      long searching = System.nanoTime();
      double sum =
          RangeSearch.chooseAll(wanted).stream().mapToDouble(one -> one.range().max()).sum();
      double searchSeconds = (System.nanoTime() - searching) / 1e9;
      if (!(sum > 0)) {
        throw new IllegalStateException("No ranges were found");
      }
      System.out.printf(
          Locale.ROOT,
          "| %,d x %,d | %.1f | %.0f | %.1f | %.1f |%n",
          tensors,
          partitions,
          mergeSeconds,
          shuffled.get() / 1e6,
          bytes / 1e6,
          searchSeconds);
    } finally {
      spark.stop();
    }
  }

  private record HandOver(byte[][] states, int tensors)
      implements PairFlatMapFunction<Iterator<Row>, Tuple2<String, String>, PartialState> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Tuple2<Tuple2<String, String>, PartialState>> call(Iterator<Row> rows) {
      int partition = TaskContext.get().partitionId();
      List<Tuple2<Tuple2<String, String>, PartialState>> given = new ArrayList<>(tensors);
      for (int tensor = 0; tensor < tensors; tensor++) {
        byte[] state = states[(tensor + partition) % states.length];
        given.add(PartialStates.state("", "tensor/" + tensor, PartialState.of(state)));
      }
      return given.iterator();
    }
  }
}
