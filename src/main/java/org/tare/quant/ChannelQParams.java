package org.tare.quant;

import java.util.List;

/**
 * The qparams of a constant tensor: one for the whole tensor, or one per channel.
 *
 * @param axis the axis that counts the channels, or -1 for one pair of qparams
 * @param channels the qparams in the order of the channels; all of one type
 */
public record ChannelQParams(int axis, List<QParams> channels) {
  public ChannelQParams {
    channels = List.copyOf(channels);
    if (channels.isEmpty()) {
      throw new IllegalArgumentException("no channels");
    }
    if (axis < 0 && channels.size() > 1) {
      throw new IllegalArgumentException("several channels need an axis");
    }
  }

  /** The same numbers as int8 qparams stand for, by uint8 integers that are greater by 128. */
  public ChannelQParams asUnsigned() {
    int shift = -DType.INT8.min();
    return new ChannelQParams(
        axis,
        channels.stream()
            .map(
                q ->
                    new QParams(
                        q.scale(),
                        q.zeroPoint() + shift,
                        DType.UINT8,
                        q.quantMin() + shift,
                        q.quantMax() + shift))
            .toList());
  }

  public boolean isPerChannel() {
    return axis >= 0;
  }

  public DType dtype() {
    return channels.get(0).dtype();
  }

  public float[] scales() {
    float[] scales = new float[channels.size()];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = channels.get(i).scale();
    }
    return scales;
  }
}
