package org.tare.spark.tasks;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * The float32 values of a tensor without a copy, seen as their bits, which histograms count, and as
 * floats, which channels add up.
 */
record FloatViews(IntBuffer bits, FloatBuffer floats) {
  /**
   * @param bytes in native order
   */
  static FloatViews of(ByteBuffer bytes) {
    return new FloatViews(bytes.asIntBuffer(), bytes.asFloatBuffer());
  }

  int size() {
    return bits.remaining();
  }

  /** The values from {@code from} to {@code to}. */
  FloatViews part(int from, int to) {
    return new FloatViews(bits.slice(from, to - from), floats.slice(from, to - from));
  }
}
