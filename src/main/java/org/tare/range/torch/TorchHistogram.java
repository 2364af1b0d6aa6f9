package org.tare.range.torch;

import java.util.Arrays;
import org.tare.TareException;

/**
 * What PyTorch's {@code HistogramObserver} accumulates, over batches in order, in its float32
 * arithmetic: for users who must have its numbers. The defects of each {@link TorchVersion} are
 * reproduced, and only here: the state depends on the order and the cut of the batches and does not
 * merge. Tare's own histogram has none of this.
 */
public final class TorchHistogram {
  /** PyTorch's default number of bins. */
  public static final int DEFAULT_BINS = 2048;

  /** PyTorch's default before 2.5, which has no such argument. */
  public static final int DEFAULT_UPSAMPLE_RATE = 128;

  private static final int PARTS = 16;

  /** Float32 and float64 together: what PyTorch allocates for one fine bin. */
  private static final double BYTES_PER_FINE_BIN = 12;

  private static final double MOST_BYTES = 3.3 * (1L << 30);

  private final TorchVersion version;
  private final int bins;
  private final int upsampleRate;
  private float[] histogram;
  private float min = Float.POSITIVE_INFINITY;
  private float max = Float.NEGATIVE_INFINITY;

  public TorchHistogram(TorchVersion version, int bins, int upsampleRate) {
    if (bins < 1 || upsampleRate < 1) {
      throw TareException.usage(
          "a histogram cannot have %d bins and an up-sampling rate of %d", bins, upsampleRate);
    }
    this.version = version;
    this.bins = bins;
    this.upsampleRate = upsampleRate;
    this.histogram = new float[bins];
  }

  /** A histogram of PyTorch's defaults. */
  public static TorchHistogram of(TorchVersion version) {
    return new TorchHistogram(version, DEFAULT_BINS, DEFAULT_UPSAMPLE_RATE);
  }

  /** The running minimum; +infinity before the first batch. */
  public float min() {
    return min;
  }

  /** The running maximum, raised in generations before 2.5; -infinity before the first batch. */
  public float max() {
    return max;
  }

  /** The counts, which re-binning makes fractions of. */
  public float[] histogram() {
    return histogram.clone();
  }

  /** Whether there was no batch yet. */
  public boolean isEmpty() {
    return min == Float.POSITIVE_INFINITY && max == Float.NEGATIVE_INFINITY;
  }

  /**
   * Adds a batch; an empty one changes nothing.
   *
   * @throws TareException where PyTorch raises: NaN; infinities before 2.5; a range that grows so
   *     much that PyTorch would allocate more than 3.3 GiB
   */
  public void observe(float... batch) {
    float[] values = version == TorchVersion.TORCH_2_5 ? withoutInfinities(batch) : batch;
    if (values.length == 0) {
      return;
    }
    float low = Float.POSITIVE_INFINITY;
    float high = Float.NEGATIVE_INFINITY;
    for (float value : values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    if (version == TorchVersion.TORCH_2_5) {
      observeLatest(values, low, high);
    } else {
      observeUpsampling(values, low, high);
    }
  }

  private static float[] withoutInfinities(float[] batch) {
    float[] kept = new float[batch.length];
    int n = 0;
    for (float value : batch) {
      if (!Float.isInfinite(value)) {
        kept[n++] = value;
      }
    }
    return n == batch.length ? batch : Arrays.copyOf(kept, n);
  }

  private float[] count(float[] values, float low, float high) {
    if (version != TorchVersion.TORCH_1_13) {
      return Histc.histc(values, bins, low, high);
    }
    if (!Float.isFinite(low) || !Float.isFinite(high) || Math.max(-low, high) >= 0x1p63) {
      throw TareException.badInput(
          "Cannot observe a batch as PyTorch 1.13 does: its range [%s, %s] does not fit whole"
              + " numbers",
          low, high);
    }
    // PyTorch's int() truncates the bounds towards zero.
    return Histc.histc(values, bins, (double) (long) low, (double) (long) high);
  }

  private void observeUpsampling(float[] values, float low, float high) {
    if (isEmpty() || min == max) {
      float[] counts = count(values, low, high);
      histogram = counts;
      min = low;
      max = high;
      return;
    }
    float combinedMin = Math.min(min, low);
    float combinedMax = Math.max(max, high);
    float range = max - min;
    float combined = combinedMax - combinedMin;
    float downsample;
    float excess;
    float start;
    if (version == TorchVersion.TORCH_1_13) {
      float width = range / (float) ((long) bins * upsampleRate);
      downsample = (float) Math.ceil(combined / (bins * width));
      excess = downsample * (bins * width) - combined;
      start = (float) Math.rint((min - combinedMin) / width);
    } else {
      downsample = (float) Math.ceil(combined * upsampleRate / range);
      excess = downsample * range / upsampleRate - combined;
      start = (float) Math.rint((min - combinedMin) * bins * upsampleRate / range);
    }
    checkSize(downsample);
    combinedMax += excess;
    float[] counts = count(values, combinedMin, combinedMax);
    boolean isSame = combinedMin == min && combinedMax == max;
    float[] old = isSame ? histogram : rebinned((long) downsample, (long) start);
    for (int i = 0; i < bins; i++) {
      counts[i] += old[i];
    }
    histogram = counts;
    min = combinedMin;
    max = combinedMax;
  }

  private void checkSize(float downsample) {
    double bytes = (double) bins * downsample * BYTES_PER_FINE_BIN;
    if (!(bytes <= MOST_BYTES)) {
      throw TareException.badInput(
          "Cannot observe a batch as PyTorch does: its range grows so much that PyTorch would"
              + " allocate %.1f GiB to bin anew; use the observer histogram, whose memory does not"
              + " depend on the range",
          bytes / (1L << 30));
    }
  }

  /**
   * The old counts on the new grid: each old bin cut in as many equal parts as the up-sampling
   * rate, put at {@code start}, and summed over {@code downsample} parts at a time.
   */
  private float[] rebinned(long downsample, long start) {
    if (start < 0 || start + (long) bins * upsampleRate > bins * downsample) {
      throw TareException.badInput(
          "Cannot observe a batch as PyTorch does: the bins of the range [%s, %s] are narrower than"
              + " float32 tells apart",
          min, max);
    }
    float[] result = new float[bins];
    double sum = 0;
    double before = 0;
    long fine = 0;
    for (int i = 0; i < bins; i++) {
      for (long end = fine + downsample; fine < end; fine++) {
        long at = fine - start;
        if (at >= 0 && at < (long) bins * upsampleRate) {
          sum += histogram[(int) (at / upsampleRate)];
        }
      }
      result[i] = (float) ((sum - before) / upsampleRate);
      before = (float) sum;
    }
    return result;
  }

  private void observeLatest(float[] values, float low, float high) {
    if (min == Float.POSITIVE_INFINITY || max == Float.NEGATIVE_INFINITY) {
      min = low;
      max = high;
      histogram = Histc.histc(values, bins, low, high);
      return;
    }
    float newMin = Math.min(min, low);
    float newMax = Math.max(max, high);
    float[] counts = Histc.histc(values, bins, newMin, newMax);
    float[] old;
    if (newMin == min && newMax == max) {
      old = histogram;
    } else if (min == max) {
      old = Histc.histc(new float[] {min}, bins, newMin, newMax);
      float total = (float) sum(histogram);
      for (int i = 0; i < bins; i++) {
        old[i] *= total;
      }
    } else {
      old = spread(newMin, newMax);
    }
    for (int i = 0; i < bins; i++) {
      counts[i] += old[i];
    }
    histogram = counts;
    min = newMin;
    max = newMax;
  }

  /** The old counts on new bins: each in 16 equal parts, assigned by their middle. */
  private float[] spread(float newMin, float newMax) {
    float[] edges = linspace(newMin, newMax, bins + 1);
    float[] parts = linspace(min, max, PARTS * bins + 1);
    float half = 0.5f * ((max - min) / (bins * PARTS));
    float[] result = new float[bins];
    for (int i = 0; i < PARTS * bins; i++) {
      float middle = parts[i] + half;
      int after = firstAbove(edges, middle);
      int bin = Math.max(0, Math.min(bins - 1, after - 1));
      result[bin] += histogram[i / PARTS] / PARTS;
    }
    return result;
  }

  private static int firstAbove(float[] sorted, float value) {
    int from = 0;
    int to = sorted.length;
    while (from < to) {
      int middle = (from + to) >>> 1;
      if (sorted[middle] <= value) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from;
  }

  /** {@code torch.linspace} in float32: from both ends to the middle, with fused products. */
  private static float[] linspace(float from, float to, int steps) {
    float[] values = new float[steps];
    float step = (to - from) / (steps - 1);
    for (int i = 0; i < steps; i++) {
      values[i] =
          i < steps / 2
              ? Math.fma(step, (float) i, from)
              : Math.fma(-step, (float) (steps - i - 1), to);
    }
    return values;
  }

  static double sum(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum;
  }
}
