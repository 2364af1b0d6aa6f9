package org.tare.job.trials;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tare.TareException;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

/**
 * How a layer may be computed: bits of its weights and of its activations, and whether weights have
 * a scale for each channel.
 *
 * @param id as {@code w8a8}, {@code w4a16-tensor} or {@code float}
 */
public record LayerType(String id, int weightBits, int activationBits, Granularity granularity) {
  /** What has a scale of its own in a weight. */
  public enum Granularity {
    CHANNEL,
    TENSOR
  }

  /** A layer that is not quantized. */
  public static final LayerType FLOAT = new LayerType("float", 32, 32, Granularity.TENSOR);

  private static final Pattern ID = Pattern.compile("w([48])a(8|16)(-tensor)?");

  /**
   * The type of the given name.
   *
   * @throws TareException if it is none
   */
  public static LayerType of(String id) {
    if (id.equals(FLOAT.id)) {
      return FLOAT;
    }
    Matcher parts = ID.matcher(id);
    if (!parts.matches()) {
      throw TareException.usage(
          "\"%s\" is no type of layers: it is w8a8, w4a8, w8a16 or w4a16 (bits of weights and of"
              + " activations), with -tensor behind it for one scale per weight, or float",
          id);
    }
    return new LayerType(
        id,
        Integer.parseInt(parts.group(1)),
        Integer.parseInt(parts.group(2)),
        parts.group(3) == null ? Granularity.CHANNEL : Granularity.TENSOR);
  }

  public boolean isFloat() {
    return weightBits == 32;
  }

  /**
   * What is to be expected of the noise, of weights and activations alike: a quarter for each bit
   * more. A scale for a whole weight is taken to be worth a bit less than one for each channel.
   */
  double noise() {
    if (isFloat()) {
      return 0;
    }
    int bits = granularity == Granularity.CHANNEL ? weightBits : weightBits - 1;
    return Math.pow(4, -bits) + Math.pow(4, -activationBits);
  }

  /** The configuration of a layer that gets this type. */
  QConfig of(QConfig standard) {
    if (isFloat()) {
      return standard.asFloat();
    }
    return new QConfig(
        true,
        activation(standard.activation()),
        weight(standard.weight()),
        standard.reduceRange(),
        standard.reduceActivations(),
        standard.preserveSums(),
        standard.products());
  }

  private TensorQConfig weight(TensorQConfig standard) {
    QScheme scheme =
        granularity == Granularity.CHANNEL
            ? QScheme.PER_CHANNEL_SYMMETRIC
            : QScheme.PER_TENSOR_SYMMETRIC;
    // 15 steps are few: what clips a little of each channel is better.
    return weightBits == 4
        ? new TensorQConfig(new RangeMethod.Mse(), DType.INT4, scheme)
        : new TensorQConfig(standard.method(), DType.INT8, scheme);
  }

  private TensorQConfig activation(TensorQConfig standard) {
    if (activationBits == 8) {
      return standard;
    }
    return new TensorQConfig(
        standard.method(),
        standard.dtype().isSigned() ? DType.INT16 : DType.UINT16,
        standard.scheme());
  }

  /** The same as an entry of {@code quantize.overrides} for a layer. */
  public Map<String, Object> override(String layer, QConfig standard) {
    if (isFloat()) {
      return Map.of("name", layer, "float", true);
    }
    TensorQConfig weight = weight(standard.weight());
    Map<String, Object> weights =
        Map.of(
            "dtype", weight.dtype().id(),
            "scheme", weight.scheme().id(),
            "method", weight.method().id());
    return activationBits == 8
        ? Map.of("name", layer, "weight", weights)
        : Map.of(
            "name", layer,
            "weight", weights,
            "activation", Map.of("dtype", activation(standard.activation()).dtype().id()));
  }

  /** Bytes of a weight of so many values, its scales aside. */
  public long bytes(long values) {
    return (values * weightBits + 7) / 8;
  }
}
