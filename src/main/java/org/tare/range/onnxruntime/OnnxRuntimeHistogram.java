package org.tare.range.onnxruntime;

import java.util.Arrays;
import org.tare.TareException;

/**
 * The histogram that ONNX Runtime's calibrators collect, 1.30.0, over chunks of values in order:
 * for users who must have its numbers. It is ordered, grows without bound and does not merge;
 * Tare's own methods need none of it.
 *
 * <p>Signed histograms (entropy, and percentile if not symmetric) have equal bins over [-t, t], t
 * the greatest magnitude of the first chunk; a later chunk that exceeds it adds bins of the same
 * width on both sides. Histograms of magnitudes (percentile, symmetric) begin at the <em>least
 * magnitude of the first chunk</em>; what later chunks hold below it is lost, as in the original.
 *
 * <p>All arithmetic is NumPy's in float32; counts are 64-bit. Values must be finite.
 */
public final class OnnxRuntimeHistogram {
  /** More bins than that are refused; the original goes on until memory ends. */
  private static final int MOST_BINS = 1 << 24;

  private final int bins;
  private final boolean magnitudes;
  private float threshold;
  private float min = Float.POSITIVE_INFINITY;
  private float max = Float.NEGATIVE_INFINITY;
  private float[] edges;
  private long[] counts;

  private OnnxRuntimeHistogram(int bins, boolean magnitudes) {
    this.bins = bins;
    this.magnitudes = magnitudes;
  }

  /** A histogram of signed values. */
  public static OnnxRuntimeHistogram ofValues(int bins) {
    return new OnnxRuntimeHistogram(bins, false);
  }

  /** A histogram of magnitudes. */
  public static OnnxRuntimeHistogram ofMagnitudes(int bins) {
    return new OnnxRuntimeHistogram(bins, true);
  }

  /**
   * Adds a chunk: what one call of {@code collect_data} reads.
   *
   * @throws TareException if a value is not finite, or if the histogram would grow past 2^24 bins
   */
  public void collect(float... values) {
    if (values.length == 0) {
      return;
    }
    for (float value : values) {
      if (!Float.isFinite(value)) {
        throw TareException.badInput(
            "Cannot collect values as ONNX Runtime does: %s is not finite", value);
      }
    }
    float[] chunk = values.clone();
    float chunkMin = Float.POSITIVE_INFINITY;
    float chunkMax = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < chunk.length; i++) {
      chunkMin = Math.min(chunkMin, chunk[i]);
      chunkMax = Math.max(chunkMax, chunk[i]);
      chunk[i] = magnitudes ? Math.abs(chunk[i]) : chunk[i];
    }
    Arrays.sort(chunk);
    if (magnitudes) {
      collectMagnitudes(chunk);
    } else {
      collectValues(chunk, Math.max(Math.abs(chunkMin), Math.abs(chunkMax)));
    }
    min = Math.min(min, chunkMin);
    max = Math.max(max, chunkMax);
  }

  private void collectValues(float[] sorted, float chunkThreshold) {
    if (counts == null) {
      threshold = chunkThreshold;
      edges = linspace(-threshold, threshold, bins);
      counts = count(sorted, edges);
    } else if (chunkThreshold <= threshold) {
      add(count(sorted, edges), 0);
    } else if (threshold == 0) {
      threshold = chunkThreshold;
      edges = linspace(-threshold, threshold, counts.length);
      add(count(sorted, edges), 0);
    } else {
      float stride = 2 * threshold / counts.length;
      double more = Math.floor((chunkThreshold - threshold) / stride) + 1;
      checkSize(counts.length + 2 * more);
      int added = (int) more;
      float grown = added * stride + threshold;
      long[] old = counts;
      edges = linspace(-grown, grown, old.length + 2 * added);
      counts = count(sorted, edges);
      add(old, added);
      threshold = grown;
    }
  }

  private void collectMagnitudes(float[] sorted) {
    if (counts == null) {
      edges = linspace(sorted[0], sorted[sorted.length - 1], bins);
      counts = count(sorted, edges);
      return;
    }
    float greatest = sorted[sorted.length - 1];
    float last = edges[edges.length - 1];
    if (greatest > last) {
      float width = edges[1] - edges[0];
      float start = last + width;
      double length = Math.ceil(((double) (greatest + width) - start) / width);
      checkSize(edges.length + length);
      int added = (int) Math.max(0, length);
      float step = (start + width) - start;
      int old = edges.length;
      edges = Arrays.copyOf(edges, old + added);
      for (int i = 0; i < added; i++) {
        edges[old + i] = i == 1 ? start + width : start + i * step;
      }
    }
    long[] old = counts;
    counts = count(sorted, edges);
    add(old, 0);
  }

  private static void checkSize(double size) {
    if (!(size <= MOST_BINS)) {
      throw TareException.badInput(
          "Cannot collect values as ONNX Runtime does: the histogram would grow to %.0f bins; use a"
              + " method of Tare's own, whose state does not grow",
          size);
    }
  }

  private void add(long[] more, int offset) {
    for (int i = 0; i < more.length; i++) {
      counts[offset + i] += more[i];
    }
  }

  /** {@code numpy.linspace} in float32; for an empty range half a unit on each side. */
  static float[] linspace(float from, float to, int bins) {
    float low = from == to ? from - 0.5f : from;
    float high = from == to ? to + 0.5f : to;
    float[] edges = new float[bins + 1];
    float step = (high - low) / bins;
    for (int i = 0; i < bins; i++) {
      edges[i] = i * step + low;
    }
    edges[bins] = high;
    return edges;
  }

  /** How many values lie in each bin: half-open, the last one closed. */
  private static long[] count(float[] sorted, float[] edges) {
    long[] counts = new long[edges.length - 1];
    int bin = 0;
    for (float value : sorted) {
      if (value < edges[0] || value > edges[edges.length - 1]) {
        continue;
      }
      while (bin < counts.length - 1 && value >= edges[bin + 1]) {
        bin++;
      }
      counts[bin]++;
    }
    return counts;
  }

  /** The counts of the bins; empty before the first chunk. */
  public long[] counts() {
    return counts == null ? new long[0] : counts.clone();
  }

  /** The ends of the bins, one more than there are bins. */
  public float[] edges() {
    return edges == null ? new float[0] : edges.clone();
  }

  /** The least value collected. */
  public float min() {
    return min;
  }

  /** The greatest value collected. */
  public float max() {
    return max;
  }
}
