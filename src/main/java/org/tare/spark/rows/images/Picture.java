package org.tare.spark.rows.images;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferInt;
import java.awt.image.DirectColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.util.function.LongConsumer;

/**
 * Red, green and blue of the pixels of an image, 8 bits each.
 *
 * @param rgb 0xRRGGBB, row after row from the top; may be longer than the image
 */
public record Picture(int height, int width, int[] rgb) {
  /** The most pixels of an image; as red, green and blue they still fit one array of Java's. */
  public static final long MOST_PIXELS = 1L << 28;

  private static final int RED = 0xff0000;
  private static final int GREEN = 0xff00;
  private static final int BLUE = 0xff;

  /** As in {@code 480x640}: height, then width. */
  public String size() {
    return height + "x" + width;
  }

  /**
   * The height and width after resizing.
   *
   * @param resize height and width, or one number for the shorter side, or none
   */
  public long[] resized(int[] resize) {
    if (resize.length == 2) {
      return new long[] {resize[0], resize[1]};
    }
    if (resize.length == 0) {
      return new long[] {height, width};
    }
    double factor = (double) resize[0] / Math.min(height, width);
    return new long[] {
      Math.max(resize[0], Math.round(height * factor)),
      Math.max(resize[0], Math.round(width * factor))
    };
  }

  /** The image in another size, bilinear without antialiasing. */
  public Picture scaled(int newHeight, int newWidth) {
    if (newHeight == height && newWidth == width) {
      return this;
    }
    BufferedImage from = image(height, width, rgb);
    Picture scaled = new Picture(newHeight, newWidth, new int[newHeight * newWidth]);
    // Both images have the same colours, so drawing converts none.
    Graphics2D graphics = image(newHeight, newWidth, scaled.rgb).createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
    graphics.drawImage(from, 0, 0, newWidth, newHeight, null);
    graphics.dispose();
    return scaled;
  }

  private static BufferedImage image(int height, int width, int[] rgb) {
    DataBufferInt buffer = new DataBufferInt(rgb, height * width);
    WritableRaster raster =
        Raster.createPackedRaster(buffer, width, height, width, new int[] {RED, GREEN, BLUE}, null);
    return new BufferedImage(new DirectColorModel(24, RED, GREEN, BLUE), raster, false, null);
  }

  /**
   * Gives the values of a part of the image, channel after channel. One channel is the luma of
   * ITU-R BT.601, which is the gray value where red, green and blue are equal.
   */
  public void each(int channels, int top, int left, int rows, int columns, LongConsumer values) {
    for (int channel = 0; channel < channels; channel++) {
      for (int y = top; y < top + rows; y++) {
        for (int at = y * width + left; at < y * width + left + columns; at++) {
          int pixel = rgb[at];
          int red = pixel >> 16 & 0xff;
          int green = pixel >> 8 & 0xff;
          int blue = pixel & 0xff;
          if (channels == 1) {
            values.accept((long) Math.rint(0.299 * red + 0.587 * green + 0.114 * blue));
          } else {
            values.accept(channel == 0 ? red : channel == 1 ? green : blue);
          }
        }
      }
    }
  }
}
