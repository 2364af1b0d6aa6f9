package org.tare.quant;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.tare.TareException;

/**
 * How a tensor maps to integers: one pair of qparams or one per channel, with or without a free
 * zero point.
 */
public enum QScheme {
  PER_TENSOR_AFFINE(false, false),
  PER_TENSOR_SYMMETRIC(false, true),
  PER_CHANNEL_AFFINE(true, false),
  PER_CHANNEL_SYMMETRIC(true, true),
  /**
   * The zero point is a float32: PyTorch's scheme for embeddings. Zero need not be in the range.
   */
  PER_CHANNEL_AFFINE_FLOAT_QPARAMS(true, false);

  private final boolean perChannel;
  private final boolean symmetric;

  QScheme(boolean perChannel, boolean symmetric) {
    this.perChannel = perChannel;
    this.symmetric = symmetric;
  }

  public boolean isPerChannel() {
    return perChannel;
  }

  public boolean isSymmetric() {
    return symmetric;
  }

  /** The same kind of zero point, one pair of qparams for the whole tensor. */
  public QScheme perTensor() {
    return symmetric ? PER_TENSOR_SYMMETRIC : PER_TENSOR_AFFINE;
  }

  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The scheme of the given name.
   *
   * @throws TareException if there is none
   */
  public static QScheme of(String name) {
    for (QScheme scheme : values()) {
      if (scheme.id().equals(name.toLowerCase(Locale.ROOT))) {
        return scheme;
      }
    }
    throw TareException.usage(
        "Unknown scheme \"%s\": it is one of %s",
        name, Arrays.stream(values()).map(QScheme::id).collect(Collectors.joining(", ")));
  }
}
