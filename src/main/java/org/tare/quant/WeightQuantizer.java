package org.tare.quant;

import java.util.ArrayList;
import java.util.List;

/**
 * Quantizes constants: weights, per tensor or along an axis, and biases.
 *
 * <p>Tensors are row-major. A tensor of shape [.., C, ..] is read as [outer, C, inner] around the
 * axis that counts the channels.
 */
public final class WeightQuantizer {
  /** ONNX Runtime keeps bias scales this much above the least that fits an int32. */
  private static final double BIAS_MARGIN = 1.0001;

  private final QuantSpec spec;

  public WeightQuantizer(QuantSpec spec) {
    this.spec = spec;
  }

  /** Qparams of the least and greatest value, for the whole tensor. Values must be finite. */
  public ChannelQParams perTensor(float[] values) {
    return new ChannelQParams(-1, List.of(qparams(values, 0, values.length, 1, values.length)));
  }

  /** Qparams of the least and greatest value of each channel. Values must be finite. */
  public ChannelQParams perChannel(float[] values, long[] shape, int axis) {
    int channels = Math.toIntExact(shape[axis]);
    int inner = inner(shape, axis);
    List<QParams> all = new ArrayList<>(channels);
    for (int c = 0; c < channels; c++) {
      all.add(
          qparams(values, c * inner, inner, values.length / inner / channels, channels * inner));
    }
    return new ChannelQParams(axis, all);
  }

  private QParams qparams(float[] values, int start, int inner, int outer, int stride) {
    float min = 0;
    float max = 0;
    for (int o = 0; o < outer; o++) {
      int from = start + o * stride;
      for (int i = from; i < from + inner; i++) {
        min = Math.min(min, values[i]);
        max = Math.max(max, values[i]);
      }
    }
    return spec.qparams(min, max);
  }

  /** The integers of a tensor, row-major like the values. */
  public static int[] quantize(float[] values, long[] shape, ChannelQParams qparams) {
    int channels = qparams.channels().size();
    int inner = qparams.isPerChannel() ? inner(shape, qparams.axis()) : values.length;
    int[] quantized = new int[values.length];
    for (int i = 0; i < values.length; i++) {
      QParams q = qparams.channels().get(channels == 1 ? 0 : i / inner % channels);
      quantized[i] = q.quantize(values[i]);
    }
    return quantized;
  }

  /** The product of the sizes after {@code axis}. */
  public static int inner(long[] shape, int axis) {
    long product = 1;
    for (int i = axis + 1; i < shape.length; i++) {
      product *= shape[i];
    }
    return Math.toIntExact(product);
  }

  /**
   * The weight's qparams, with scales raised where {@code bias / (inputScale * weightScale)} would
   * leave int32. The guard is ONNX Runtime's: the least bias scale is 1.0001 * 2 |bias| / (2^32 -
   * 2).
   *
   * @param bias one value per channel
   */
  public static ChannelQParams guardBias(ChannelQParams weight, float inputScale, float[] bias) {
    List<QParams> guarded = new ArrayList<>();
    boolean changed = false;
    for (int c = 0; c < weight.channels().size(); c++) {
      QParams q = weight.channels().get(c);
      float largest = 0;
      for (int i = 0; i < bias.length; i++) {
        if (weight.channels().size() == 1 || i == c) {
          largest = Math.max(largest, Math.abs(bias[i]));
        }
      }
      double least = BIAS_MARGIN * 2.0 * largest / (4294967296.0 - 2);
      double product = (double) inputScale * q.scale();
      if (product < least) {
        float raised = (float) (q.scale() * (least / product));
        q = new QParams(raised, q.zeroPoint(), q.dtype(), q.quantMin(), q.quantMax());
        changed = true;
      }
      guarded.add(q);
    }
    return changed ? new ChannelQParams(weight.axis(), guarded) : weight;
  }

  /**
   * The bias as int32 with zero point 0 and scale {@code inputScale * weightScale}, ties to even,
   * saturated.
   */
  public static int[] quantizeBias(float[] bias, float[] biasScales) {
    int[] quantized = new int[bias.length];
    for (int i = 0; i < bias.length; i++) {
      double scaled = Math.rint(bias[i] / (double) biasScales[biasScales.length == 1 ? 0 : i]);
      quantized[i] = (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, scaled));
    }
    return quantized;
  }

  /** {@code inputScale * weightScale} per channel, in float32 as kernels multiply them. */
  public static float[] biasScales(float inputScale, ChannelQParams weight) {
    float[] scales = weight.scales();
    for (int i = 0; i < scales.length; i++) {
      scales[i] = inputScale * scales[i];
    }
    return scales;
  }
}
