package org.tare.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.tare.stats.ChannelObserver;
import org.tare.stats.ChannelStats;
import org.tare.stats.Extremes;
import org.tare.stats.Samples;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

/**
 * What it costs to observe a value in native memory, beside plain loops over the same memory: min
 * and max alone, and a histogram of 2,048 equal bins whose range is known beforehand.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Thread)
@Fork(1)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
public class ObserveBenchmark {
  private static final int VALUES = 1 << 20;
  private static final int BINS = 2048;
  private static final int CHANNELS = 384;
  private static final int PLACES = 64;
  private static final int CHANNEL_ROWS = VALUES / CHANNELS / PLACES;

  /** What the values are. */
  @Param({"normal", "relu"})
  public String values;

  private IntBuffer bits;
  private FloatBuffer floats;
  private final StatsObserver observer = new StatsObserver();
  private final ChannelObserver channelObserver = new ChannelObserver(observer);
  private final long[] bins = new long[BINS];

  @Setup
  public void fill() {
    float[] drawn = Samples.normal(new Random(1), VALUES);
    ByteBuffer direct = ByteBuffer.allocateDirect(4 * VALUES).order(ByteOrder.nativeOrder());
    for (float value : drawn) {
      direct.putFloat(values.equals("relu") ? Math.max(0, value) : value);
    }
    direct.flip();
    bits = direct.asIntBuffer();
    floats = direct.asFloatBuffer();
  }

  @Benchmark
  @OperationsPerInvocation(VALUES)
  public TensorStats tareMinMaxCountsAndHistogram() {
    TensorStats stats = TensorStats.empty();
    observer.observeBits(stats, List.of(bits));
    return stats;
  }

  /** The same in a JVM with the Vector API, as Spark starts its executors since 4.0. */
  @Benchmark
  @OperationsPerInvocation(VALUES)
  @Fork(jvmArgsAppend = "--add-modules=jdk.incubator.vector")
  public TensorStats tareWithVectorApi() {
    return tareMinMaxCountsAndHistogram();
  }

  @Benchmark
  @OperationsPerInvocation(VALUES)
  public Extremes tareMinMax() {
    return Extremes.of(floats);
  }

  /** Of 384 channels side by side, in rows of 64 places: as a transformer of text has them. */
  @Benchmark
  @OperationsPerInvocation(CHANNEL_ROWS * CHANNELS * PLACES)
  public ChannelStats tareChannels() {
    ChannelStats stats = ChannelStats.of(CHANNELS);
    FloatBuffer whole = floats.slice(0, CHANNEL_ROWS * CHANNELS * PLACES);
    channelObserver.observe(stats, whole, CHANNEL_ROWS, 1);
    return stats;
  }

  @Benchmark
  @OperationsPerInvocation(VALUES)
  public float plainMinMax() {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < VALUES; i++) {
      float value = Float.intBitsToFloat(bits.get(i));
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    return max - min;
  }

  @Benchmark
  @OperationsPerInvocation(VALUES)
  public long[] plainHistogramOf2048Bins() {
    float low = -6;
    float perBin = BINS / 12f;
    for (int i = 0; i < VALUES; i++) {
      float value = Float.intBitsToFloat(bits.get(i));
      int bin = (int) ((value - low) * perBin);
      bins[Math.max(0, Math.min(BINS - 1, bin))]++;
    }
    return bins;
  }
}
