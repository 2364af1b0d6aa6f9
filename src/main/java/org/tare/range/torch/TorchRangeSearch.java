package org.tare.range.torch;

import org.tare.quant.DType;

/**
 * The range search of PyTorch's {@code HistogramObserver}, the same in all generations: it cuts off
 * counts in steps of 1e-5, on the side where that drops more bins, and stops at the first candidate
 * whose squared error is larger.
 *
 * <p>It assumes 256 levels whatever quant_min and quant_max are, and with fewer than 100,000 counts
 * never moves the lower end. Thresholds are compared in float32, as PyTorch compares them; errors
 * are in float64, where PyTorch's float32 underflows near 1e-20 and overflows near 1e30 and
 * collapses the range to one bin. That is not imitated.
 *
 * @param startBin the first bin of the range
 * @param endBin its last bin
 * @param evaluations how many candidates' errors were computed
 * @param min what qparams are computed from
 */
public record TorchRangeSearch(int startBin, int endBin, int evaluations, float min, float max) {
  private static final double STEP = 1e-5;

  /** How many levels the search assumes of a type. */
  public static double levels(DType dtype) {
    return dtype == DType.INT32 ? 0x1p32 : 256;
  }

  /**
   * Searches.
   *
   * @param histogram counts of equal bins from {@code min} to {@code max}
   */
  public static TorchRangeSearch search(float[] histogram, float min, float max, double levels) {
    int bins = histogram.length;
    float binWidth = (max - min) / bins;
    float[] cumulative = new float[bins];
    double running = 0;
    for (int i = 0; i < bins; i++) {
      running += histogram[i];
      cumulative[i] = (float) running;
    }
    double total = TorchSum.of(histogram);
    double wideBin = ((double) max - min) / bins;
    double alpha = 0;
    double beta = 1;
    int start = 0;
    int end = bins - 1;
    int evaluations = 0;
    double best = Double.POSITIVE_INFINITY;
    while (alpha < beta) {
      double nextAlpha = alpha + STEP;
      double nextBeta = beta - STEP;
      int left = start;
      while (left < end && cumulative[left] < (float) (nextAlpha * total)) {
        left++;
      }
      int right = end;
      while (right > start && cumulative[right] > (float) (nextBeta * total)) {
        right--;
      }
      int nextStart = start;
      int nextEnd = end;
      if (left - start > end - right) {
        nextStart = left;
        alpha = nextAlpha;
      } else {
        nextEnd = right;
        beta = nextBeta;
      }
      if (nextStart == start && nextEnd == end) {
        continue;
      }
      double error = errorInFloat32(histogram, wideBin, nextStart, nextEnd, levels);
      if (Double.isNaN(error)) {
        error = error(histogram, wideBin, nextStart, nextEnd, levels);
      }
      evaluations++;
      if (error > best) {
        break;
      }
      best = error;
      start = nextStart;
      end = nextEnd;
    }
    return new TorchRangeSearch(
        start, end, evaluations, min + binWidth * start, min + binWidth * (end + 1));
  }

  /**
   * The squared error of quantizing to the levels between two bins, counts taken as uniform in
   * their bin.
   */
  public static double error(
      float[] histogram, double binWidth, int startBin, int endBin, double levels) {
    double step = binWidth * (endBin - startBin + 1) / levels;
    if (step == 0) {
      return 0;
    }
    double whole = cube(step / 2) - cube(-step / 2);
    double error = 0;
    for (int i = 0; i < histogram.length; i++) {
      if (histogram[i] == 0) {
        continue;
      }
      double begin = (i - startBin) * binWidth;
      double end = begin + binWidth;
      double first = clampedLevel(begin / step, levels);
      double last = clampedLevel(end / step, levels);
      double density = histogram[i] / binWidth;
      error +=
          density
              * (cube(step / 2)
                  - cube(begin - (first + 0.5) * step)
                  + (last - first - 1) * whole
                  + cube(end - (last + 0.5) * step)
                  - cube(-step / 2))
              / 3;
    }
    return error;
  }

  /**
   * The same in PyTorch's float32, which decides between candidates that are nearly equal; NaN
   * where the cubes underflow or overflow.
   */
  private static double errorInFloat32(
      float[] histogram, double binWidth, int startBin, int endBin, double levels) {
    double wideStep = binWidth * (endBin - startBin + 1) / levels;
    float width = (float) binWidth;
    float step = (float) wideStep;
    float half = (float) (wideStep / 2);
    float halfCube = half * half * half;
    if (halfCube < Float.MIN_NORMAL) {
      return wideStep == 0 ? 0 : Double.NaN;
    }
    float whole = (halfCube - -halfCube) / 3f;
    double error = 0;
    for (int i = 0; i < histogram.length; i++) {
      if (histogram[i] == 0) {
        continue;
      }
      float begin = (float) (i - startBin) * width;
      float end = begin + width;
      float first = (float) clampedLevel((float) Math.floor(begin / step), levels);
      float last = (float) clampedLevel((float) Math.floor(end / step), levels);
      float density = histogram[i] / width;
      float fromBegin = begin - (first + 0.5f) * step;
      float toEnd = end - (last * step + half);
      float sum = density * ((halfCube - fromBegin * fromBegin * fromBegin) / 3f);
      sum += (last - first - 1f) * (density * whole);
      sum += density * ((toEnd * toEnd * toEnd - -halfCube) / 3f);
      error += sum;
    }
    return Double.isFinite(error) ? error : Double.NaN;
  }

  private static double clampedLevel(double position, double levels) {
    return Math.max(0, Math.min(levels - 1, Math.floor(position)));
  }

  private static double cube(double x) {
    return x * x * x;
  }
}
