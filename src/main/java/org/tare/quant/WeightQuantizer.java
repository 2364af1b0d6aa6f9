package org.tare.quant;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.tare.TareException;

/**
 * Quantizes constants: weights, per tensor or along an axis, and biases.
 *
 * <p>Tensors are row-major. A tensor of shape [.., C, ..] is read as [outer, C, inner] around the
 * axis that counts the channels.
 */
public final class WeightQuantizer {
  /** ONNX Runtime keeps bias scales this much above the least that fits an int32. */
  private static final double BIAS_MARGIN = 1.0001;

  /** The narrowest range that the search of least error tries, as a share of the whole. */
  private static final double NARROWEST = 0.4;

  /**
   * Scales that are tried for a weight with a limit, from the least on, and how far apart they are.
   */
  private static final int SCALES = 16;

  private static final double SCALE_STEP = 1 / 512.0;

  /** Into how many parts the channels are cut for the cores. */
  private static final int PARTS = 64;

  /** Rounding errors of longer channels even out, so that all scales are about as good. */
  private static final int LONGEST = 4096;

  private final QuantSpec spec;
  private final boolean leastError;

  /** Qparams from the least and the greatest value. */
  public WeightQuantizer(QuantSpec spec) {
    this(spec, false);
  }

  /**
   * @param leastError whether to narrow the range from the least to the greatest value, both ends
   *     in proportion, as long as the sum of squared errors falls: worth it for 4 bits, hardly for
   *     8
   */
  public WeightQuantizer(QuantSpec spec, boolean leastError) {
    this.spec = spec;
    this.leastError = leastError;
  }

  /** Qparams for the whole tensor. Values must be finite. */
  public ChannelQParams perTensor(float[] values) {
    return perTensor(values, PairLimit.none());
  }

  /**
   * Qparams for the whole tensor whose integers keep to a limit. Of the scales that comply and are
   * at most 3 % above the least of them, it is the one of least squared error, unless the tensor is
   * large. Values must be finite.
   */
  public ChannelQParams perTensor(float[] values, PairLimit limit) {
    int[] channelOf = limit.isNone() ? new int[0] : new int[limit.columns().total()];
    float least = limit.leastScales(values, 1, channelOf)[0];
    QParams q = qparams(values, 0, values.length, 1, values.length, least);
    List<QParams> held = limit.held(values, List.of(q), channelOf);
    return new ChannelQParams(
        -1, limit.isNone() ? held : ofLeastError(values, held, values.length));
  }

  /** Qparams of each channel. Values must be finite. */
  public ChannelQParams perChannel(float[] values, long[] shape, int axis) {
    return perChannel(values, shape, axis, PairLimit.none());
  }

  /**
   * Qparams of each channel whose integers keep to a limit, chosen as {@link #perTensor(float[],
   * PairLimit)} says. Values must be finite.
   */
  public ChannelQParams perChannel(float[] values, long[] shape, int axis, PairLimit wanted) {
    PairLimit limit = values.length == 0 ? PairLimit.none() : wanted;
    int channels = Math.toIntExact(shape[axis]);
    int inner = inner(shape, axis);
    int[] channelOf = new int[limit.isNone() ? 0 : limit.columns().total()];
    for (int column = 0; column < channelOf.length; column++) {
      channelOf[column] = limit.columns().index(column, 0) / inner % channels;
    }
    float[] least = limit.leastScales(values, channels, channelOf);
    List<QParams> all = perChannel(values, channels, inner, least);
    List<QParams> held = limit.held(values, all, channelOf);
    return new ChannelQParams(axis, limit.isNone() ? held : ofLeastError(values, held, inner));
  }

  /**
   * Qparams that were chosen elsewhere, with greater scales where the integers would not keep to a
   * limit.
   */
  public static ChannelQParams held(
      ChannelQParams given, float[] values, long[] shape, PairLimit limit) {
    if (limit.isNone() || values.length == 0) {
      return given;
    }
    int inner = given.isPerChannel() ? inner(shape, given.axis()) : values.length;
    int[] channelOf = new int[limit.columns().total()];
    for (int column = 0; column < channelOf.length; column++) {
      channelOf[column] = limit.columns().index(column, 0) / inner % given.channels().size();
    }
    return new ChannelQParams(given.axis(), limit.held(values, given.channels(), channelOf));
  }

  /**
   * The same, with greater scales where these round better: rounding is what the limit costs. All
   * cores search, each among channels of its own.
   */
  private static List<QParams> ofLeastError(float[] values, List<QParams> held, int inner) {
    int channels = held.size();
    if (values.length / channels > LONGEST) {
      return held;
    }
    QParams[] best = held.toArray(QParams[]::new);
    int parts = Math.min(channels, PARTS);
    IntStream.range(0, parts)
        .parallel()
        .forEach(
            part -> {
              int from = (int) ((long) channels * part / parts);
              int to = (int) ((long) channels * (part + 1) / parts);
              searchWider(values, best, inner, from, to);
            });
    return List.of(best);
  }

  /** Replaces the qparams of the channels from {@code from} to {@code to}. */
  private static void searchWider(float[] values, QParams[] best, int inner, int from, int to) {
    QParams[] held = best.clone();
    double[] least = squaredErrors(values, held, inner, from, to);
    for (int i = 1; i < SCALES; i++) {
      QParams[] wider = held.clone();
      for (int c = from; c < to; c++) {
        float scale = (float) (held[c].scale() * (1 + i * SCALE_STEP));
        wider[c] = Float.isInfinite(scale) ? best[c] : held[c].withScale(scale);
      }
      double[] errors = squaredErrors(values, wider, inner, from, to);
      for (int c = from; c < to; c++) {
        if (errors[c - from] < least[c - from]) {
          least[c - from] = errors[c - from];
          best[c] = wider[c];
        }
      }
    }
  }

  /** Of each channel from {@code from} to {@code to}, summed in the order of memory. */
  private static double[] squaredErrors(
      float[] values, QParams[] channels, int inner, int from, int to) {
    double[] sums = new double[to - from];
    int stride = channels.length * inner;
    for (int start = 0; start < values.length; start += stride) {
      for (int c = from; c < to; c++) {
        QParams q = channels[c];
        double sum = sums[c - from];
        int first = start + c * inner;
        for (int i = first; i < first + inner; i++) {
          double error = values[i] - q.fakeQuantize(values[i]);
          sum += error * error;
        }
        sums[c - from] = sum;
      }
    }
    return sums;
  }

  private List<QParams> perChannel(float[] values, int channels, int inner, float[] least) {
    if (!leastError) {
      List<QParams> all = new ArrayList<>(channels);
      // In the order of memory: with the channels last, column by column is many times slower.
      float[] min = new float[channels];
      float[] max = new float[channels];
      for (int from = 0, c = 0; from < values.length; from += inner, c = next(c, channels)) {
        for (int i = from; i < from + inner; i++) {
          min[c] = Math.min(min[c], values[i]);
          max[c] = Math.max(max[c], values[i]);
        }
      }
      for (int c = 0; c < channels; c++) {
        all.add(atLeast(spec.qparams(min[c], max[c]), least[c]));
      }
      return all;
    }
    int outer = values.length / inner / channels;
    return IntStream.range(0, channels)
        .parallel()
        .mapToObj(c -> qparams(values, c * inner, inner, outer, channels * inner, least[c]))
        .toList();
  }

  /** The channel after {@code c}, in the order of memory. */
  private static int next(int c, int channels) {
    return c + 1 == channels ? 0 : c + 1;
  }

  private static QParams atLeast(QParams q, float scale) {
    return q.scale() < scale ? q.withScale(scale) : q;
  }

  /**
   * @param leastScale no scale is below it
   */
  private QParams qparams(
      float[] values, int start, int inner, int outer, int stride, float leastScale) {
    float min = 0;
    float max = 0;
    for (int o = 0; o < outer; o++) {
      int from = start + o * stride;
      for (int i = from; i < from + inner; i++) {
        min = Math.min(min, values[i]);
        max = Math.max(max, values[i]);
      }
    }
    QParams best = atLeast(spec.qparams(min, max), leastScale);
    if (!leastError || min == max) {
      return best;
    }
    double least = squaredError(values, start, inner, outer, stride, best);
    int candidates = spec.dtype().bits() <= 4 ? 40 : 16;
    for (int i = 1; i < candidates; i++) {
      float share = (float) (1 - (1 - NARROWEST) * i / candidates);
      QParams candidate = atLeast(spec.qparams(min * share, max * share), leastScale);
      double error = squaredError(values, start, inner, outer, stride, candidate);
      if (error < least) {
        least = error;
        best = candidate;
      }
    }
    return best;
  }

  private static double squaredError(
      float[] values, int start, int inner, int outer, int stride, QParams q) {
    double sum = 0;
    for (int o = 0; o < outer; o++) {
      int from = start + o * stride;
      for (int i = from; i < from + inner; i++) {
        double error = values[i] - q.fakeQuantize(values[i]);
        sum += error * error;
      }
    }
    return sum;
  }

  /**
   * Qparams of blocks of a matrix [rows, columns]: each column is cut into blocks of consecutive
   * rows, the last of them perhaps shorter. Values must be finite.
   */
  public BlockQParams blocks(float[] values, int rows, int columns, int block) {
    int blocks = (rows + block - 1) / block;
    float[] scales = new float[columns * blocks];
    int[] zeroPoints = new int[columns * blocks];
    for (int n = 0; n < columns; n++) {
      for (int b = 0; b < blocks; b++) {
        int first = b * block;
        int length = Math.min(block, rows - first);
        QParams q = qparams(values, first * columns + n, 1, length, columns, 0);
        scales[n * blocks + b] = q.scale();
        zeroPoints[n * blocks + b] = q.zeroPoint();
      }
    }
    return new BlockQParams(spec.dtype(), block, blocks, scales, zeroPoints);
  }

  /** The integers of a tensor, row-major like the values. */
  public static int[] quantize(float[] values, long[] shape, ChannelQParams qparams) {
    QParams[] channels = qparams.channels().toArray(QParams[]::new);
    int inner = channels.length > 1 ? inner(shape, qparams.axis()) : values.length;
    int[] quantized = new int[values.length];
    for (int from = 0, c = 0; from < values.length; from += inner, c = next(c, channels.length)) {
      QParams q = channels[c];
      for (int i = from; i < from + inner; i++) {
        quantized[i] = q.quantize(values[i]);
      }
    }
    return quantized;
  }

  /**
   * The same, of an 8-bit type: one byte for each value, with no array of ints on the way, which
   * would be four times as large.
   */
  public static byte[] quantizeToBytes(float[] values, long[] shape, ChannelQParams qparams) {
    if (qparams.dtype().bits() != 8) {
      throw new IllegalArgumentException("not a type of 8 bits: " + qparams.dtype().id());
    }
    QParams[] channels = qparams.channels().toArray(QParams[]::new);
    int inner = channels.length > 1 ? inner(shape, qparams.axis()) : values.length;
    byte[] quantized = new byte[values.length];
    for (int from = 0, c = 0; from < values.length; from += inner, c = next(c, channels.length)) {
      QParams q = channels[c];
      for (int i = from; i < from + inner; i++) {
        quantized[i] = (byte) q.quantize(values[i]);
      }
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
   * @throws TareException if no float32 scale is great enough
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
        if (Float.isInfinite(raised)) {
          throw TareException.badInput(
              "Cannot quantize a bias of %s: it is too large beside the scale %s of the layer's"
                  + " input; leave the layer float",
              largest, inputScale);
        }
        q = q.withScale(raised);
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
