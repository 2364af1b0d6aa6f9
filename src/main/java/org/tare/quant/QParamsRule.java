package org.tare.quant;

/**
 * Turns a range of real numbers into qparams. Tools differ in details, so each rule is named after
 * the tool whose numbers it gives.
 *
 * <p>All rules first widen the range so that it holds zero, which must be represented exactly:
 * padding and ReLU produce it.
 */
public enum QParamsRule {
  /**
   * ONNX Runtime's quantization tool, 1.30. The scale is the range over the number of steps, with
   * the difference taken in float32 and the quotient in float64. Symmetric ranges of signed types
   * leave out the lowest integer (int8: -127..127), so that the zero point is 0; those of unsigned
   * types use all (uint8: zero point 128). A scale below the smallest normal float32 becomes 1 with
   * zero point 0.
   */
  ONNXRUNTIME {
    @Override
    public QParams qparams(
        float min, float max, DType dtype, boolean symmetric, boolean reduceRange) {
      checkRange(min, max);
      int quantMin = quantMin(dtype, symmetric, reduceRange);
      int quantMax = quantMax(dtype, reduceRange);
      float low = Math.min(min, 0f);
      float high = Math.max(max, 0f);
      if (symmetric) {
        high = Math.max(-low, high);
        low = -high;
      }
      float width = high - low;
      // A range wider than float32 holds: halves are exact, the sum is not.
      double scale =
          (Float.isInfinite(width) ? (double) high - low : width) / ((double) quantMax - quantMin);
      if (scale < Float.MIN_NORMAL) {
        return new QParams(1f, 0, dtype, quantMin, quantMax);
      }
      double zeroPoint = symmetric ? ((double) quantMin + quantMax) / 2 : quantMin - low / scale;
      return new QParams((float) scale, (int) Math.rint(zeroPoint), dtype, quantMin, quantMax);
    }
  },

  /**
   * PyTorch's {@code UniformQuantizationObserverBase._calculate_qparams}, 1.13 to 2.13, in its
   * float32 arithmetic: symmetric scales divide by half the number of steps (127.5 for 8 bits), and
   * no scale is below float32's epsilon. A symmetric unsigned zero point is 128.
   */
  PYTORCH {
    @Override
    public QParams qparams(
        float min, float max, DType dtype, boolean symmetric, boolean reduceRange) {
      checkRange(min, max);
      int quantMin = reduceRange ? (dtype.isSigned() ? dtype.min() / 2 : 0) : dtype.min();
      int quantMax = dtype.max() / (reduceRange ? 2 : 1);
      return pytorch(min, max, dtype, symmetric, quantMin, quantMax, Math.ulp(1f));
    }
  };

  /**
   * Qparams for numbers in [min, max].
   *
   * @param min at most {@code max}, or both are clamped at zero as ONNX Runtime does
   * @param max finite
   * @param reduceRange leave one bit unused: kernels that add pairs of products in 16 bits saturate
   *     otherwise
   * @throws IllegalArgumentException if an end is NaN or infinite
   */
  public abstract QParams qparams(
      float min, float max, DType dtype, boolean symmetric, boolean reduceRange);

  /** PyTorch's rule with explicit limits and eps. */
  static QParams pytorch(
      float min, float max, DType dtype, boolean symmetric, int quantMin, int quantMax, float eps) {
    float low = Math.min(min, 0f);
    float high = Math.max(max, 0f);
    float scale;
    int zeroPoint;
    if (symmetric) {
      high = Math.max(-low, high);
      scale = Math.max(high / (((float) quantMax - (float) quantMin) / 2f), eps);
      zeroPoint = dtype.isSigned() ? 0 : (quantMin + quantMax + 1) / 2;
    } else {
      scale = Math.max((high - low) / ((float) quantMax - (float) quantMin), eps);
      double rounded = quantMin - Math.rint(low / scale);
      zeroPoint = (int) Math.max(quantMin, Math.min(quantMax, rounded));
    }
    return new QParams(scale, zeroPoint, dtype, quantMin, quantMax);
  }

  private static int quantMin(DType dtype, boolean symmetric, boolean reduceRange) {
    if (!dtype.isSigned()) {
      return 0;
    }
    if (reduceRange) {
      return dtype.min() / 2;
    }
    return symmetric ? dtype.min() + 1 : dtype.min();
  }

  private static int quantMax(DType dtype, boolean reduceRange) {
    if (!reduceRange) {
      return dtype.max();
    }
    return dtype.isSigned() ? -(dtype.min() / 2) : dtype.max() / 2;
  }

  private static void checkRange(float min, float max) {
    if (!Float.isFinite(min) || !Float.isFinite(max)) {
      throw new IllegalArgumentException("range [" + min + ", " + max + "] is not finite");
    }
  }
}
