package org.tare.range;

/**
 * A range of real numbers to be quantized.
 *
 * @param min finite
 * @param max finite, at least {@code min}
 */
public record Range(float min, float max) {
  public Range {
    if (!Float.isFinite(min) || !Float.isFinite(max) || min > max) {
      throw new IllegalArgumentException("not a range: [" + min + ", " + max + "]");
    }
  }
}
