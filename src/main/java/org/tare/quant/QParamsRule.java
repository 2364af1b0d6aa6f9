package org.tare.quant;

import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.tare.TareException;

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
  ONNXRUNTIME(0f) {
    @Override
    int defaultMin(DType dtype, boolean symmetric, boolean reduceRange) {
      if (!dtype.isSigned()) {
        return 0;
      }
      if (reduceRange) {
        return dtype.min() / 2;
      }
      return symmetric ? dtype.min() + 1 : dtype.min();
    }

    @Override
    int defaultMax(DType dtype, boolean symmetric, boolean reduceRange) {
      if (!reduceRange) {
        return dtype.max();
      }
      boolean isWide = dtype.isSigned() && dtype.bits() >= 8;
      return isWide ? -(dtype.min() / 2) : dtype.max() / 2;
    }

    @Override
    QParams qparams(float min, float max, QuantSpec spec) {
      float low = Math.min(min, 0f);
      float high = Math.max(max, 0f);
      if (spec.symmetric()) {
        high = Math.max(-low, high);
        low = -high;
      }
      float width = high - low;
      // A range wider than float32 holds: halves are exact, the sum is not.
      double scale = (Float.isInfinite(width) ? (double) high - low : width) / spec.steps();
      if (scale < Math.max(Float.MIN_NORMAL, spec.eps())) {
        int zeroPoint = Math.max(spec.quantMin(), Math.min(spec.quantMax(), 0));
        return new QParams(1f, zeroPoint, spec.dtype(), spec.quantMin(), spec.quantMax());
      }
      double zeroPoint =
          spec.symmetric()
              ? ((double) spec.quantMin() + spec.quantMax()) / 2
              : spec.quantMin() - low / scale;
      return new QParams(
          (float) scale,
          (int) Math.rint(zeroPoint),
          spec.dtype(),
          spec.quantMin(),
          spec.quantMax());
    }
  },

  /**
   * PyTorch's {@code UniformQuantizationObserverBase._calculate_qparams}, 1.13 to 2.13: see {@link
   * TorchQParams}. Symmetric scales divide by half the number of steps (127.5 for 8 bits), and no
   * scale is below eps, float32's 2^-23 unless given. A symmetric unsigned zero point is 128.
   */
  PYTORCH(TorchQParams.EPS) {
    @Override
    int defaultMin(DType dtype, boolean symmetric, boolean reduceRange) {
      return reduceRange && dtype.bits() == 8 ? Math.floorDiv(dtype.min(), 2) : dtype.min();
    }

    @Override
    int defaultMax(DType dtype, boolean symmetric, boolean reduceRange) {
      return reduceRange && dtype.bits() == 8 ? Math.floorDiv(dtype.max(), 2) : dtype.max();
    }

    @Override
    QParams qparams(float min, float max, QuantSpec spec) {
      TorchQParams found = TorchQParams.of(min, max, spec);
      if (Float.isInfinite(found.scale())) {
        throw TareException.badInput(
            "Cannot compute qparams as PyTorch does: the range [%s, %s] is wider than float32 holds,"
                + " and its scale would be infinite; use the rule onnxruntime",
            min, max);
      }
      return new QParams(
          found.scale(), (int) found.zeroPoint(), spec.dtype(), spec.quantMin(), spec.quantMax());
    }
  };

  private final float eps;

  QParamsRule(float eps) {
    this.eps = eps;
  }

  /** The least integer that the tool uses unless told. */
  abstract int defaultMin(DType dtype, boolean symmetric, boolean reduceRange);

  /** The greatest integer that the tool uses unless told. */
  abstract int defaultMax(DType dtype, boolean symmetric, boolean reduceRange);

  abstract QParams qparams(float min, float max, QuantSpec spec);

  /** The tool's own limits and floor. */
  public QuantSpec spec(DType dtype, boolean symmetric) {
    return spec(dtype, symmetric, false);
  }

  /**
   * The tool's own limits and floor.
   *
   * @param reduceRange leave one bit unused: kernels that add pairs of products in 16 bits saturate
   *     otherwise
   */
  public QuantSpec spec(DType dtype, boolean symmetric, boolean reduceRange) {
    return spec(dtype, symmetric, reduceRange, OptionalInt.empty(), OptionalInt.empty(), eps);
  }

  /**
   * Explicit limits. As in PyTorch, limits count only if both are given, and with reduceRange each
   * is halved, rounded down.
   *
   * @param eps the least scale
   * @throws TareException if the limits are not within the type, or not in order
   */
  public QuantSpec spec(
      DType dtype,
      boolean symmetric,
      boolean reduceRange,
      OptionalInt quantMin,
      OptionalInt quantMax,
      float eps) {
    if (!QuantSpec.areGiven(quantMin, quantMax)) {
      return new QuantSpec(
          this,
          dtype,
          symmetric,
          defaultMin(dtype, symmetric, reduceRange),
          defaultMax(dtype, symmetric, reduceRange),
          false,
          eps);
    }
    int low = quantMin.getAsInt();
    int high = quantMax.getAsInt();
    if (low > 0 || high < 0) {
      throw TareException.usage(
          "quant_min %d and quant_max %d cannot be used: 0 does not lie between them", low, high);
    }
    return new QuantSpec(
        this,
        dtype,
        symmetric,
        reduceRange ? Math.floorDiv(low, 2) : low,
        reduceRange ? Math.floorDiv(high, 2) : high,
        true,
        eps);
  }

  /** The name in settings. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The rule of the given name.
   *
   * @throws TareException if there is none
   */
  public static QParamsRule of(String name) {
    for (QParamsRule rule : values()) {
      if (rule.id().equals(name.toLowerCase(Locale.ROOT))) {
        return rule;
      }
    }
    throw TareException.usage(
        "Unknown rule \"%s\": it is one of %s",
        name, Arrays.stream(values()).map(QParamsRule::id).collect(Collectors.joining(", ")));
  }
}
