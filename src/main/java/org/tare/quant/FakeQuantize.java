package org.tare.quant;

import java.util.Arrays;

/**
 * Quantizes and dequantizes in one step, with the straight-through gradient: PyTorch's {@code
 * fake_quantize_per_tensor_affine} and {@code …_per_channel_affine}.
 *
 * <pre>
 *   raw = zeroPoint + rint(x * (1 / scale))
 *   y = (clamp(raw, quantMin, quantMax) - zeroPoint) * scale
 *   dx = quantMin &lt;= raw &lt;= quantMax ? dy : 0
 * </pre>
 *
 * <p>NaN becomes 0 and passes no gradient; infinities saturate and pass none.
 */
public final class FakeQuantize {
  private final float[] scales;
  private final int[] zeroPoints;
  private final int quantMin;
  private final int quantMax;
  private final int axis;

  private FakeQuantize(float[] scales, int[] zeroPoints, int quantMin, int quantMax, int axis) {
    if (quantMin > quantMax) {
      throw new IllegalArgumentException("quant_min " + quantMin + " is above " + quantMax);
    }
    for (int zeroPoint : zeroPoints) {
      if (zeroPoint < quantMin || zeroPoint > quantMax) {
        throw new IllegalArgumentException(
            "zero_point " + zeroPoint + " is not between " + quantMin + " and " + quantMax);
      }
    }
    if (scales.length != zeroPoints.length) {
      throw new IllegalArgumentException(
          scales.length + " scales, but " + zeroPoints.length + " zero points");
    }
    this.scales = scales.clone();
    this.zeroPoints = zeroPoints.clone();
    this.quantMin = quantMin;
    this.quantMax = quantMax;
    this.axis = axis;
  }

  /** One scale and zero point for all values. */
  public static FakeQuantize perTensor(float scale, int zeroPoint, int quantMin, int quantMax) {
    return new FakeQuantize(new float[] {scale}, new int[] {zeroPoint}, quantMin, quantMax, -1);
  }

  /** One for each index of the axis. */
  public static FakeQuantize perChannel(
      float[] scales, int[] zeroPoints, int axis, int quantMin, int quantMax) {
    return new FakeQuantize(scales, zeroPoints, quantMin, quantMax, axis);
  }

  /**
   * What a forward pass gives.
   *
   * @param mask where the gradient passes
   */
  public record Result(float[] y, boolean[] mask) {
    /** The gradient of the input, given that of the output. */
    public float[] backward(float[] gradient) {
      float[] dx = new float[gradient.length];
      for (int i = 0; i < dx.length; i++) {
        dx[i] = mask[i] ? gradient[i] : 0f;
      }
      return dx;
    }
  }

  /** Fake-quantizes the values of a row-major tensor. */
  public Result forward(float[] x, long... shape) {
    Channels channels = Channels.of(shape, axis, x.length, scales.length);
    float[] y = new float[x.length];
    boolean[] mask = new boolean[x.length];
    for (int i = 0; i < x.length; i++) {
      int c = channels.of(i);
      double raw = QuantizeRule.PYTORCH.rounded(x[i], scales[c], zeroPoints[c]);
      mask[i] = raw >= quantMin && raw <= quantMax;
      double clamped =
          Double.isNaN(raw) ? zeroPoints[c] : Math.min(quantMax, Math.max(quantMin, raw));
      y[i] = (float) ((clamped - zeroPoints[c]) * scales[c]);
    }
    return new Result(y, mask);
  }

  @Override
  public String toString() {
    return "FakeQuantize{scale=" + Arrays.toString(scales) + ", axis=" + axis + "}";
  }
}
