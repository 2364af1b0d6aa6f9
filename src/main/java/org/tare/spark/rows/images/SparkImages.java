package org.tare.spark.rows.images;

import org.apache.spark.sql.Row;

/**
 * Reads the pixels of Spark's image source: rows from the top, in each pixel blue, green, red and
 * then alpha, or gray alone. Alpha is dropped.
 */
public final class SparkImages {
  /** OpenCV's codes of 8-bit images of 1, 3 and 4 channels. */
  private static final int CV_8UC1 = 0;

  private static final int CV_8UC3 = 16;
  private static final int CV_8UC4 = 24;

  private final RowMemory memory;
  private int[] rgb = {};

  public SparkImages(RowMemory memory) {
    this.memory = memory;
  }

  /** The image; its pixels are valid until the next call. */
  public Picture decode(Row image) throws UnreadableImage {
    for (String field : new String[] {"height", "width", "nChannels", "mode", "data"}) {
      if (image.isNullAt(image.fieldIndex(field))) {
        throw new UnreadableImage("an image whose " + field + " is null");
      }
    }
    int height = number(image, "height");
    int width = number(image, "width");
    int channels = number(image, "nChannels");
    int mode = number(image, "mode");
    byte[] data = image.getAs("data");
    int expected =
        switch (mode) {
          case CV_8UC1 -> 1;
          case CV_8UC3 -> 3;
          case CV_8UC4 -> 4;
          default ->
              throw new UnreadableImage(
                  mode == -1
                      ? "an image that Spark could not decode (mode -1)"
                      : "an image of mode " + mode + "; the modes 0, 16 and 24 of 8 bits are read");
        };
    ImageFile.checkSize(height, width);
    int size = height * width;
    if (channels != expected || data.length != (long) channels * size) {
      throw new UnreadableImage(
          "an image of "
              + height
              + "x"
              + width
              + " pixels, mode "
              + mode
              + " and "
              + channels
              + " channels with "
              + data.length
              + " bytes");
    }
    memory.check(height, width, 4L * size);
    if (rgb.length < size) {
      rgb = new int[size];
    }
    for (int i = 0; i < size; i++) {
      int blue = data[i * channels] & 0xff;
      int green = channels == 1 ? blue : data[i * channels + 1] & 0xff;
      int red = channels == 1 ? blue : data[i * channels + 2] & 0xff;
      rgb[i] = red << 16 | green << 8 | blue;
    }
    return new Picture(height, width, rgb);
  }

  private static int number(Row image, String field) {
    return ((Number) image.getAs(field)).intValue();
  }
}
