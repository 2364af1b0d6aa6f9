package org.tare.quant;

/**
 * Scale and zero point exactly as PyTorch's observers compute them, in float32, with what comes out
 * where PyTorch gives no usable answer: an infinite scale for a range that overflows or holds an
 * infinity. {@link QParamsRule#PYTORCH} is the same with such answers refused.
 *
 * <pre>
 *   n = min(min, 0), p = max(max, 0)
 *   affine:    scale = max((p - n) / (quantMax - quantMin), eps)
 *              zeroPoint = clamp(quantMin - int(rint(n / scale)))
 *   symmetric: scale = max(max(-n, p) / ((quantMax - quantMin) / 2), eps); zeroPoint 0, or for
 *              quint8 128, or with limits by hand (quantMin + quantMax) / 2 rounded down
 *   float:     scale = (max - min) / (quantMax - quantMin), 1 if not above eps
 *              zeroPoint = -min / scale, a float32; zero is not forced into the range
 * </pre>
 *
 * <p>Source: {@code torch.ao.quantization.observer}, 1.13.1; figures equal those of 2.13.
 *
 * @param scale may be infinite
 * @param zeroPoint a whole number; of float qparams, a float32
 */
public record TorchQParams(float scale, double zeroPoint) {
  /** PyTorch's default eps, that of float32. */
  public static final float EPS = Math.ulp(1f);

  /** What an observer that saw nothing answers. */
  public static final TorchQParams NOTHING = new TorchQParams(1f, 0);

  /**
   * Affine or symmetric qparams.
   *
   * @param min at most {@code max}; may be infinite
   * @throws IllegalArgumentException if min is above max or one is NaN, as PyTorch 1.13 asserts
   */
  public static TorchQParams of(float min, float max, QuantSpec spec) {
    check(min, max);
    float low = Math.min(min, 0f);
    float high = Math.max(max, 0f);
    if (spec.symmetric()) {
      float magnitude = Math.max(-low, high);
      float scale = Math.max(magnitude / (float) (spec.steps() / 2), spec.eps());
      return new TorchQParams(scale, symmetricZeroPoint(spec));
    }
    float scale = Math.max((high - low) / (float) spec.steps(), spec.eps());
    // int32 arithmetic wraps, as PyTorch's tensors do.
    int zeroPoint = spec.quantMin() - x86Int((float) Math.rint(low / scale));
    return new TorchQParams(scale, Math.max(spec.quantMin(), Math.min(spec.quantMax(), zeroPoint)));
  }

  /** Affine qparams with a float32 zero point, for {@code per_channel_affine_float_qparams}. */
  public static TorchQParams ofFloatZeroPoint(float min, float max, QuantSpec spec) {
    check(min, max);
    float scale = (max - min) / (float) spec.steps();
    scale = scale > spec.eps() ? scale : 1f;
    return new TorchQParams(scale, -min / scale);
  }

  private static void check(float min, float max) {
    if (!(min <= max)) {
      throw new IllegalArgumentException("min " + min + " is not at most max " + max);
    }
  }

  private static long symmetricZeroPoint(QuantSpec spec) {
    return switch (spec.dtype()) {
      case UINT8 -> spec.customized() ? Math.floorDiv(spec.quantMin() + spec.quantMax(), 2) : 128;
      case UINT16 -> 1L << 15;
      default -> 0;
    };
  }

  /** The conversion of x86: what does not fit, NaN included, becomes the least integer. */
  private static int x86Int(float value) {
    return value >= -0x1p31f && value < 0x1p31f ? (int) value : Integer.MIN_VALUE;
  }
}
