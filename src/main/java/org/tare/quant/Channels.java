package org.tare.quant;

/**
 * Which channel a value of a row-major tensor belongs to.
 *
 * @param count how many channels there are
 * @param inner how many neighbouring values belong to the same one
 */
record Channels(int count, int inner) {
  /**
   * @param axis the axis that counts the channels, or -1 if all is one channel
   * @param channels how many there must be
   */
  static Channels of(long[] shape, int axis, int length, int channels) {
    if (axis < 0) {
      return new Channels(1, Math.max(1, length));
    }
    if (shape[axis] != channels) {
      throw new IllegalArgumentException(
          "axis " + axis + " holds " + shape[axis] + " channels, the qparams " + channels);
    }
    return new Channels(channels, Math.max(1, WeightQuantizer.inner(shape, axis)));
  }

  int of(int index) {
    return index / inner % count;
  }
}
