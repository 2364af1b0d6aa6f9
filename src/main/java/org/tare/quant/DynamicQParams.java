package org.tare.quant;

/**
 * The qparams of one batch in dynamic quantization, and of PyTorch's fused moving-average fake
 * quantization: C++ {@code ChooseQuantizationParams}, in float64. Not the numbers of {@link
 * TorchQParams}: the scale is never below 6.1e-5 and the zero point is taken from the end of the
 * range that it represents better.
 *
 * <p>A constant zero has scale 0.1. Ranges must be finite.
 *
 * @param scale in float64; kernels narrow it
 */
public record DynamicQParams(double scale, int zeroPoint) {
  private static final float SMALLEST_SCALE = 6.1e-5f;

  /**
   * Affine qparams.
   *
   * @param min finite, at most {@code max}
   */
  public static DynamicQParams choose(float min, float max, int quantMin, int quantMax) {
    return choose(min, max, quantMin, quantMax, false);
  }

  /**
   * With a zero point in the middle where the range has both signs, as symmetric schemes of the
   * fused fake quantization have it: for qint8 the scale is max(|min| / 128, max / 127).
   */
  public static DynamicQParams choosePreservingSparsity(
      float min, float max, int quantMin, int quantMax) {
    return choose(min, max, quantMin, quantMax, true);
  }

  private static DynamicQParams choose(
      float observedMin, float observedMax, int quantMin, int quantMax, boolean preserveSparsity) {
    if (!Float.isFinite(observedMin) || !Float.isFinite(observedMax) || observedMin > observedMax) {
      throw new IllegalArgumentException(
          "range [" + observedMin + ", " + observedMax + "] is not one of finite numbers");
    }
    float min = observedMin;
    float max = observedMax;
    boolean isCentred = preserveSparsity && min < 0 && max > 0;
    if (isCentred) {
      int half = (quantMax - quantMin) / 2;
      double scale = Math.max(Math.abs((double) min / -(half + 1)), Math.abs((double) max / half));
      min = (float) (scale * -(half + 1));
      max = (float) (scale * half);
    }
    min = Math.min(min, 0f);
    max = Math.max(max, 0f);
    double scale = ((double) max - min) / ((double) quantMax - quantMin);
    if ((float) scale == 0f || Float.isInfinite(1f / (float) scale)) {
      scale = 0.1;
    }
    if (scale < SMALLEST_SCALE) {
      float former = (float) scale;
      scale = SMALLEST_SCALE;
      if (min == 0f) {
        max = SMALLEST_SCALE * (quantMax - quantMin);
      } else if (max == 0f) {
        min = -SMALLEST_SCALE * (quantMax - quantMin);
      } else {
        float amplifier = SMALLEST_SCALE / former;
        min *= amplifier;
        max *= amplifier;
      }
    }
    double fromMin = quantMin - min / scale;
    double fromMax = quantMax - max / scale;
    double minError = Math.abs(quantMin) - Math.abs(min / scale);
    double maxError = Math.abs(quantMax) - Math.abs(max / scale);
    double zeroPoint = minError < maxError ? fromMin : fromMax;
    if (isCentred) {
      zeroPoint = ((double) quantMin + quantMax) / 2;
    }
    return new DynamicQParams(
        scale, (int) Math.rint(Math.max(quantMin, Math.min(quantMax, zeroPoint))));
  }
}
