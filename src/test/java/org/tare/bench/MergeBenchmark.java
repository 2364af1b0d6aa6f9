package org.tare.bench;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.tare.stats.Samples;
import org.tare.stats.StatsCodec;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

/**
 * What it costs to merge the encoded states of 500 tensors from 2,000 partitions on one thread: a
 * million states. Each is decoded into the sum of its tensor; 64 different ones stand for all.
 */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.SECONDS)
@State(Scope.Thread)
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 3)
public class MergeBenchmark {
  private static final int TENSORS = 500;
  private static final int PARTITIONS = 2000;
  private static final int DIFFERENT = 64;

  /** How many values a partition saw of a tensor. */
  @Param({"1000", "100000"})
  public int values;

  private final byte[][] states = new byte[DIFFERENT][];

  @Setup
  public void observe() {
    Random random = new Random(1);
    StatsObserver observer = new StatsObserver();
    for (int i = 0; i < DIFFERENT; i++) {
      float[] floats = Samples.normal(random, values);
      if (i % 2 == 1) {
        for (int k = 0; k < floats.length; k++) {
          floats[k] = Math.max(0, floats[k]);
        }
      }
      TensorStats stats = TensorStats.empty();
      observer.observe(stats, floats, 0, floats.length);
      states[i] = StatsCodec.encode(stats);
    }
  }

  @Benchmark
  public long merge500TensorsOf2000Partitions() {
    long count = 0;
    for (int tensor = 0; tensor < TENSORS; tensor++) {
      TensorStats sum = TensorStats.empty();
      for (int partition = 0; partition < PARTITIONS; partition++) {
        StatsCodec.mergeInto(sum, states[(tensor + partition) % DIFFERENT]);
      }
      count += sum.count();
    }
    return count;
  }
}
