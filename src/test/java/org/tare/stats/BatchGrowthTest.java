package org.tare.stats;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

/**
 * What depends on order keeps something of each batch. Its cost grows with the number of batches
 * and no faster. Bytes that are allocated are compared, which no load on the machine changes; to
 * copy all batches at each one would take 16 times as many for 4 times the batches.
 */
class BatchGrowthTest {
  private static final int FEW = 4_096;
  private static final int MANY = 4 * FEW;

  /** n log n, with a little for tables that double. */
  private static final double MOST = 4 * Math.log(MANY) / Math.log(FEW) * 1.1;

  private static long allocated(Runnable work) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    work.run();
    return threads.getCurrentThreadAllocatedBytes() - before;
  }

  private static void assertGrowth(String what, IntFunction<Object> work) {
    work.apply(16);
    long few = allocated(() -> work.apply(FEW));
    long many = allocated(() -> work.apply(MANY));
    double ratio = (double) many / few;
    assertTrue(ratio < MOST, what + ": " + few + " and " + many + " bytes, " + ratio + " times");
  }

  /** Batches of one value, recorded and averaged. */
  private static TensorStats observed(int batches) {
    TensorStats stats =
        TensorStats.empty().with(Recording.of(MANY)).with(MovingAverage.at(0, 0.01f, 1));
    StatsObserver observer = new StatsObserver();
    for (int i = 0; i < batches; i++) {
      float[] value = {i % 97};
      observer.observe(stats, value, 0, 1);
      stats.recording().get().observe(i, value);
      stats.average().get().observe(value[0], value[0]);
    }
    return stats;
  }

  @Test
  void observingBatchesOfOneGrowsWithTheBatches() {
    assertGrowth("observing", BatchGrowthTest::observed);
    assertEquals(FEW, observed(FEW).recording().get().batches().size());
  }

  @Test
  void mergingTasksOfOneBatchGrowsWithTheTasks() {
    assertGrowth(
        "merging",
        tasks -> {
          TensorStats all = TensorStats.empty();
          for (int i = 0; i < tasks; i++) {
            TensorStats one = TensorStats.empty().with(Recording.of(MANY));
            one.recording().get().observe(i, i % 97);
            all.merge(one);
          }
          assertEquals(tasks, all.recording().get().batches().size());
          return all;
        });
  }

  @Test
  void bytesOfBatchesOfOneGrowWithTheBatches() {
    TensorStats few = observed(FEW);
    TensorStats many = observed(MANY);
    assertEquals(many, StatsCodec.decode(StatsCodec.encode(many)));
    assertGrowth(
        "bytes",
        batches ->
            StatsCodec.decode(
                StatsCodec.encode(
                    batches == FEW ? few : batches == MANY ? many : observed(batches))));
  }
}
