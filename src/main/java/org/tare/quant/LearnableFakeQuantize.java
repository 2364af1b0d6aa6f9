package org.tare.quant;

/**
 * Fake quantization whose scale and zero point are learned, after LSQ (Esser et al., 2020) and LSQ+
 * (Bhalgat et al., 2020), with the formulas of PyTorch's {@code
 * _fake_quantize_learnable_per_tensor_affine} and {@code …_per_channel_affine}:
 *
 * <pre>
 *   z = clamp(rint(zeroPoint)), q = rint(z + x / scale)
 *   in range: dx = dy, dscale = dy ((q - z) scale - x) / scale, dzero = 0
 *   below:    dx = 0,  dscale = dy (quantMin - z),              dzero = -dy scale
 *   above:    dx = 0,  dscale = dy (quantMax - z),              dzero = -dy scale
 * </pre>
 *
 * <p>The gradients of scale and zero point are summed over the tensor or channel in float64 and
 * multiplied by the gradient factor. One difference is on purpose: PyTorch's per-tensor backward
 * pass truncates {@code zeroPoint + 0.5}, which is off by one for negative whole zero points (1.13
 * to 2.13); here both passes use the same zero point.
 *
 * @param axis the axis of the channels, or -1 for one scale
 */
public record LearnableFakeQuantize(
    float[] scale, float[] zeroPoint, int quantMin, int quantMax, int axis) {
  public LearnableFakeQuantize {
    scale = scale.clone();
    zeroPoint = zeroPoint.clone();
  }

  /** The gradients of a backward pass. */
  public record Gradients(float[] x, double[] scale, double[] zeroPoint) {}

  private int usedZeroPoint(int channel) {
    return (int) Math.min(quantMax, Math.max(quantMin, Math.rint(zeroPoint[channel])));
  }

  /** Fake-quantizes the values of a row-major tensor. */
  public float[] forward(float[] x, long... shape) {
    int[] used = new int[scale.length];
    for (int c = 0; c < used.length; c++) {
      used[c] = usedZeroPoint(c);
    }
    FakeQuantize fixed =
        axis < 0
            ? FakeQuantize.perTensor(scale[0], used[0], quantMin, quantMax)
            : FakeQuantize.perChannel(scale, used, axis, quantMin, quantMax);
    return fixed.forward(x, shape).y();
  }

  /**
   * The gradients of input, scale and zero point.
   *
   * @param gradient of the output
   * @param gradientFactor what the gradients of scale and zero point are multiplied by: LSQ's is 1
   *     / sqrt(numel * quantMax)
   */
  public Gradients backward(float[] x, float[] gradient, double gradientFactor, long... shape) {
    Channels channels = Channels.of(shape, axis, x.length, scale.length);
    float[] dx = new float[x.length];
    double[] dscale = new double[scale.length];
    double[] dzero = new double[scale.length];
    for (int i = 0; i < x.length; i++) {
      int c = channels.of(i);
      int z = usedZeroPoint(c);
      float inverse = 1f / scale[c];
      double q = Math.rint(x[i] * inverse + z);
      if (q < quantMin || q > quantMax) {
        double end = q < quantMin ? quantMin : quantMax;
        dscale[c] += gradient[i] * (end - z) * gradientFactor;
        dzero[c] -= (double) gradient[i] * scale[c] * gradientFactor;
      } else {
        dx[i] = gradient[i];
        float fake = (float) ((q - z) * scale[c]);
        dscale[c] += (double) gradient[i] * (fake - x[i]) * inverse * gradientFactor;
      }
    }
    return new Gradients(dx, dscale, dzero);
  }
}
