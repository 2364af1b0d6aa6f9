package org.tare.spark.rows.images;

import java.awt.image.Raster;

/**
 * JPEG files of four channels: CMYK, or YCCK, which holds the same as luma and chroma. The values
 * are inverted, 255 for no ink: so Adobe's programs write them, and so other decoders read all.
 */
final class CmykPixels {
  private CmykPixels() {}

  /**
   * Converts to red, green and blue.
   *
   * @param raster the samples of the file, without any conversion
   * @param transform the color transform that Adobe's marker says: 2 for YCCK
   */
  static void convert(Raster raster, int transform, int[] rgb) {
    int width = raster.getWidth();
    boolean isLuma = transform == 2;
    int[] samples = new int[4 * width];
    for (int y = 0; y < raster.getHeight(); y++) {
      raster.getPixels(0, y, width, 1, samples);
      for (int x = 0; x < width; x++) {
        int c = samples[4 * x];
        int m = samples[4 * x + 1];
        int yellow = samples[4 * x + 2];
        int k = samples[4 * x + 3];
        if (isLuma) {
          int cb = m - 128;
          int cr = yellow - 128;
          // The constants of JFIF, 1.402, 0.344136, 0.714136 and 1.772, as multiples of 2^-16.
          int red = clip(c + ((91881 * cr + 32768) >> 16));
          int green = clip(c + ((-22554 * cb - 46802 * cr + 32768) >> 16));
          int blue = clip(c + ((116130 * cb + 32768) >> 16));
          c = 255 - red;
          m = 255 - green;
          yellow = 255 - blue;
        }
        rgb[y * width + x] = product(c, k) << 16 | product(m, k) << 8 | product(yellow, k);
      }
    }
  }

  private static int clip(int value) {
    return Math.max(0, Math.min(255, value));
  }

  /** a * b / 255, to the nearest. */
  private static int product(int a, int b) {
    return (a * b + 127) / 255;
  }
}
