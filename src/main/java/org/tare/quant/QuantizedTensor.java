package org.tare.quant;

import java.util.Arrays;
import org.tare.TareException;

/**
 * A tensor in integers with the qparams that made them, as PyTorch's {@code quantize_per_tensor}
 * and {@code quantize_per_channel} give it:
 *
 * <pre>
 *   q = clamp(rint(x * (1 / scale)) + zeroPoint, dtype's least, dtype's greatest)
 *   x' = (q - zeroPoint) * scale
 * </pre>
 *
 * <p>NaN becomes the zero point and infinities saturate: see {@link QuantizeRule#PYTORCH}.
 */
public final class QuantizedTensor {
  private final int[] integers;
  private final Channels channels;
  private final DType dtype;
  private final float[] scales;
  private final int[] zeroPoints;

  private QuantizedTensor(
      float[] x, Channels channels, DType dtype, float[] scales, int[] zeroPoints) {
    this.channels = channels;
    this.dtype = dtype;
    this.scales = scales.clone();
    this.zeroPoints = zeroPoints.clone();
    check();
    this.integers = new int[x.length];
    for (int i = 0; i < x.length; i++) {
      int c = channels.of(i);
      integers[i] =
          QuantizeRule.PYTORCH.quantize(x[i], scales[c], zeroPoints[c], dtype.min(), dtype.max());
    }
  }

  /**
   * Quantizes with one scale and zero point for all values.
   *
   * @throws TareException if the scale is not finite and above zero, or the type does not hold the
   *     zero point
   */
  public static QuantizedTensor perTensor(float[] x, float scale, int zeroPoint, DType dtype) {
    return new QuantizedTensor(
        x,
        new Channels(1, Math.max(1, x.length)),
        dtype,
        new float[] {scale},
        new int[] {zeroPoint});
  }

  /**
   * Quantizes with a scale and zero point for each index of an axis.
   *
   * @param x a row-major tensor of the shape
   * @param axis negative ones count from the end
   * @throws TareException if there is no such axis or the numbers of scales, zero points and
   *     channels differ, and as for one scale
   */
  public static QuantizedTensor perChannel(
      float[] x, long[] shape, float[] scales, int[] zeroPoints, int axis, DType dtype) {
    int counted = axis < 0 ? axis + shape.length : axis;
    if (counted < 0 || counted >= shape.length) {
      throw TareException.usage(
          "Cannot quantize along axis %d: the tensor's shape is %s", axis, Arrays.toString(shape));
    }
    if (scales.length != shape[counted] || zeroPoints.length != scales.length) {
      throw TareException.usage(
          "Cannot quantize %d channels with %d scales and %d zero points: there must be one of each"
              + " for every channel",
          shape[counted], scales.length, zeroPoints.length);
    }
    return new QuantizedTensor(
        x, Channels.of(shape, counted, x.length, scales.length), dtype, scales, zeroPoints);
  }

  private void check() {
    for (float scale : scales) {
      if (!(scale > 0) || Float.isInfinite(scale)) {
        throw TareException.usage(
            "scale cannot be %s: it is a finite float32 number above 0", scale);
      }
    }
    for (int zeroPoint : zeroPoints) {
      if (zeroPoint < dtype.min() || zeroPoint > dtype.max()) {
        throw TareException.usage(
            "zero_point cannot be %d: %s holds %d to %d",
            zeroPoint, dtype.id(), dtype.min(), dtype.max());
      }
    }
  }

  /** The integers, in the order of the values. */
  public int[] integers() {
    return integers.clone();
  }

  /** The numbers that the integers stand for. */
  public float[] dequantize() {
    float[] values = new float[integers.length];
    for (int i = 0; i < values.length; i++) {
      int c = channels.of(i);
      // The product is exact in float64, so it is rounded once.
      values[i] = (float) (((double) integers[i] - zeroPoints[c]) * scales[c]);
    }
    return values;
  }
}
