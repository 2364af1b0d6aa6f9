package org.tare.bench;

import java.util.List;
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
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.quant.QuantSpec;
import org.tare.range.Range;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.stats.Samples;
import org.tare.stats.TensorStats;

/** What it costs to choose the range of one tensor, for uint8 affine, by each method and by all. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@State(Scope.Thread)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class RangeBenchmark {
  private static final int VALUES = 400_000;

  /** What the tensor holds. */
  @Param({"normal", "relu"})
  public String values;

  private TensorStats stats;
  private final QuantSpec spec = QParamsRule.ONNXRUNTIME.spec(DType.UINT8, false);

  @Setup
  public void observe() {
    float[] floats = Samples.normal(new Random(1), VALUES);
    if (values.equals("relu")) {
      for (int i = 0; i < floats.length; i++) {
        floats[i] = Math.max(0, floats[i]);
      }
    }
    stats = TensorStats.of(floats);
  }

  private Range range(RangeMethod method) {
    return RangeSearch.range("t", stats, method, spec);
  }

  @Benchmark
  public Range percentile() {
    return range(RangeMethod.Percentile.of(99.99));
  }

  @Benchmark
  public Range mse() {
    return range(new RangeMethod.Mse());
  }

  @Benchmark
  public Range entropy() {
    return range(new RangeMethod.Entropy());
  }

  @Benchmark
  public Range lp3() {
    return range(new RangeMethod.Lp(3));
  }

  @Benchmark
  public Range auto() {
    return range(new RangeMethod.Auto());
  }

  @Benchmark
  public float allMethods() {
    float sum = 0;
    for (RangeMethod method :
        List.of(
            new RangeMethod.MinMax(),
            RangeMethod.Percentile.of(99.99),
            new RangeMethod.Mse(),
            new RangeMethod.Lp(3),
            new RangeMethod.Entropy(),
            new RangeMethod.Sigma(4),
            new RangeMethod.OnnxRuntimePercentile(99.999, 2048),
            new RangeMethod.OnnxRuntimeEntropy(128, 128))) {
      sum += range(method).max();
    }
    return sum;
  }
}
