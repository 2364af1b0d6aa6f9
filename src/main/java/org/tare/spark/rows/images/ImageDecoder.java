package org.tare.spark.rows.images;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * Decodes PNG and JPEG files to red, green and blue. The samples are those that the file holds:
 *
 * <ul>
 *   <li>Gray is the same value in all three. Fewer than 8 bits are spread over 0 to 255; 16 bits
 *       are v * 255 / 65535, rounded to the nearest.
 *   <li>Alpha is dropped, and color profiles and gamma are not applied.
 *   <li>CMYK of JPEG, which holds inverted values, becomes C * K / 255 and so on, rounded.
 *   <li>The orientation that a camera notes in EXIF is not applied.
 * </ul>
 *
 * <p>Damaged and incomplete files are refused. Not thread-safe.
 */
public final class ImageDecoder {
  private final RowMemory memory;
  private int[] rgb = {};

  public ImageDecoder(RowMemory memory) {
    this.memory = memory;
  }

  /**
   * The image; its pixels are valid until the next call.
   *
   * @throws UnreadableImage if the file is damaged, too large, or of another format
   */
  public Picture decode(byte[] file) throws UnreadableImage {
    ImageFile header = ImageFile.of(file);
    ImageFile.checkSize(header.height(), header.width());
    int size = header.height() * header.width();
    memory.check(header.height(), header.width(), (header.pixelBytes() + 4L) * size);
    if (rgb.length < size) {
      rgb = new int[size];
    }
    Picture picture = new Picture(header.height(), header.width(), rgb);
    ImageReader reader = reader(header.format());
    Warnings warnings = new Warnings();
    try (ImageInputStream stream =
        new MemoryCacheImageInputStream(new ByteArrayInputStream(header.withoutProfiles(file)))) {
      reader.addIIOReadWarningListener(warnings);
      // No thumbnails and texts: they may be damaged without harm to the pixels.
      reader.setInput(stream, true, true);
      if (header.components() == 4 && header.format() == ImageFile.Format.JPEG) {
        Raster raster = reader.readRaster(0, null);
        checkRaster(raster, header);
        CmykPixels.convert(raster, header.transform(), rgb);
      } else {
        BufferedImage image = reader.read(0);
        checkRaster(image.getRaster(), header);
        take(image);
      }
    } catch (IOException | RuntimeException e) {
      // The readers of the JDK throw exceptions of many kinds for damaged files.
      throw new UnreadableImage("a damaged " + header.format() + " file (" + e.getMessage() + ")");
    } finally {
      reader.dispose();
    }
    if (warnings.damage() != null) {
      throw new UnreadableImage(
          "a damaged " + header.format() + " file (" + warnings.damage() + ")");
    }
    return picture;
  }

  private static void checkRaster(Raster raster, ImageFile header) throws UnreadableImage {
    if (raster.getWidth() != header.width() || raster.getHeight() != header.height()) {
      throw new UnreadableImage("a damaged " + header.format() + " file (its sizes differ)");
    }
  }

  /** The JDK's own reader: others on the class path may give other pixels. */
  private static ImageReader reader(ImageFile.Format format) {
    Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName(format.name());
    while (readers.hasNext()) {
      ImageReader reader = readers.next();
      if (reader.getClass().getName().startsWith("com.sun.imageio.")) {
        return reader;
      }
    }
    throw new IllegalStateException("The JDK has no reader for " + format);
  }

  /** Takes the samples as they are: {@link BufferedImage#getRGB} would convert gray to sRGB. */
  private void take(BufferedImage image) {
    Raster raster = image.getRaster();
    int width = raster.getWidth();
    int bands = raster.getNumBands();
    int[] palette = null;
    if (image.getColorModel() instanceof IndexColorModel colors) {
      palette = new int[colors.getMapSize()];
      colors.getRGBs(palette);
    }
    boolean isDeep = raster.getSampleModel().getSampleSize(0) == 16;
    int[] samples = new int[width * bands];
    for (int y = 0; y < raster.getHeight(); y++) {
      raster.getPixels(0, y, width, 1, samples);
      for (int x = 0; x < width; x++) {
        int at = x * bands;
        int pixel;
        if (palette != null) {
          pixel = palette[samples[at]] & 0xffffff;
        } else {
          int red = isDeep ? toByte(samples[at]) : samples[at];
          boolean isGray = bands < 3;
          int green = isGray ? red : isDeep ? toByte(samples[at + 1]) : samples[at + 1];
          int blue = isGray ? red : isDeep ? toByte(samples[at + 2]) : samples[at + 2];
          pixel = red << 16 | green << 8 | blue;
        }
        rgb[y * width + x] = pixel;
      }
    }
  }

  /** 16 bits to 8, to the nearest. */
  private static int toByte(int sample) {
    return (sample * 255 + 32767) / 65535;
  }

  /** Remembers a warning that means that pixels were made up. */
  private static final class Warnings implements javax.imageio.event.IIOReadWarningListener {
    private String damage;

    @Override
    public void warningOccurred(ImageReader source, String warning) {
      // Bytes between the parts of a JPEG file, and odd profiles and thumbnails, harm no pixel.
      boolean isDamage =
          (warning.contains("orrupt") && !warning.contains("extraneous bytes before marker"))
              || warning.contains("remature")
              || warning.contains("runcated");
      if (isDamage && damage == null) {
        damage = warning;
      }
    }

    private String damage() {
      return damage;
    }
  }
}
