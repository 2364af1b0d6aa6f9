package org.tare.examples;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.GraphicsEnvironment;
import java.awt.RenderingHints;
import java.awt.font.FontRenderContext;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferByte;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Paints lines of text in shades of grey: dark on light, in one of three logical fonts at several
 * sizes, with a little noise. The same seed gives the same pictures where the fonts are the same.
 */
final class TextPainter {
  private static final List<String> FONTS = List.of(Font.SANS_SERIF, Font.SERIF, Font.MONOSPACED);
  private static final FontRenderContext CONTEXT = new FontRenderContext(null, true, true);

  private final Random random;

  /**
   * A painter.
   *
   * @throws IllegalStateException if Java finds no fonts
   */
  TextPainter(Random random) {
    this.random = random;
    try {
      new Font(Font.SANS_SERIF, Font.PLAIN, 12).getStringBounds("text", CONTEXT);
      if (GraphicsEnvironment.getLocalGraphicsEnvironment().getAllFonts().length > 0) {
        return;
      }
    } catch (RuntimeException | InternalError | LinkageError e) {
      throw noFonts(e);
    }
    throw noFonts(null);
  }

  private static IllegalStateException noFonts(Throwable cause) {
    return new IllegalStateException(
        "Cannot paint texts: Java finds no fonts; apt install fontconfig fonts-dejavu-core", cause);
  }

  /** One line, cut close: {@code height} high and as wide as it is then, but at most the limit. */
  BufferedImage line(String text, int height, int widthLimit) {
    Font font = font(18 + random.nextInt(23));
    Rectangle2D bounds = font.getStringBounds(text, CONTEXT);
    int margin = 2 + random.nextInt(5);
    int paperWidth = (int) Math.ceil(bounds.getWidth()) + 2 * margin;
    int paperHeight = (int) Math.ceil(bounds.getHeight()) + margin;
    BufferedImage paper = paper(paperWidth, paperHeight);
    write(paper, text, font, margin, margin / 2 - (int) Math.floor(bounds.getY()));
    int width = Math.min(widthLimit, (int) Math.ceil((double) height * paperWidth / paperHeight));
    BufferedImage scaled = new BufferedImage(width, height, BufferedImage.TYPE_BYTE_GRAY);
    Graphics2D graphics = scaled.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
    graphics.drawImage(paper, 0, 0, width, height, null);
    graphics.dispose();
    addNoise(scaled);
    return scaled;
  }

  /** A square page with lines below each other; those that do not fit are left out. */
  BufferedImage page(List<String> texts, int side) {
    BufferedImage page = paper(side, side);
    int y = 8 + random.nextInt(16);
    for (String text : texts) {
      Font font = font(12 + random.nextInt(11));
      Rectangle2D bounds = font.getStringBounds(text, CONTEXT);
      int free = side - (int) Math.ceil(bounds.getWidth());
      if (free <= 0 || y + bounds.getHeight() > side) {
        continue;
      }
      write(page, text, font, random.nextInt(free), y - (int) Math.floor(bounds.getY()));
      y += (int) Math.ceil(bounds.getHeight()) + 4 + random.nextInt(24);
    }
    addNoise(page);
    return page;
  }

  /** The pixels of a grey picture, row by row. */
  static byte[] pixels(BufferedImage grey) {
    return ((DataBufferByte) grey.getRaster().getDataBuffer()).getData();
  }

  private Font font(int size) {
    return new Font(FONTS.get(random.nextInt(FONTS.size())), Font.PLAIN, size);
  }

  private BufferedImage paper(int width, int height) {
    BufferedImage paper = new BufferedImage(width, height, BufferedImage.TYPE_BYTE_GRAY);
    Arrays.fill(pixels(paper), (byte) (180 + random.nextInt(76)));
    return paper;
  }

  private void write(BufferedImage paper, String text, Font font, int x, int baseline) {
    Graphics2D graphics = paper.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    int grey = random.nextInt(91);
    graphics.setColor(new Color(grey, grey, grey));
    graphics.setFont(font);
    graphics.drawString(text, x, baseline);
    graphics.dispose();
  }

  private void addNoise(BufferedImage picture) {
    double deviation = 1 + 5 * random.nextDouble();
    byte[] pixels = pixels(picture);
    for (int i = 0; i < pixels.length; i++) {
      long noisy = (pixels[i] & 0xff) + Math.round(deviation * random.nextGaussian());
      pixels[i] = (byte) Math.max(0, Math.min(255, noisy));
    }
  }
}
