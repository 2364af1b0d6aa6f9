package org.tare.examples;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Painted texts for PP-OCR's models: single lines to recognise, pages to find lines on. */
final class OcrData {
  private static final int LINE_HEIGHT = 48;
  private static final int LINE_WIDTH = 320;
  private static final int PAGE_SIDE = 320;
  private static final int LINES_A_PAGE = 9;

  /** Becomes 0 by the recognition's normalisation, as near as a byte can: PP-OCR's padding. */
  private static final byte PADDING = (byte) 128;

  private static final Pictures LINES =
      new Pictures(
          LINE_HEIGHT, LINE_WIDTH, new float[] {0.5f, 0.5f, 0.5f}, new float[] {0.5f, 0.5f, 0.5f});
  private static final Pictures PAGES =
      new Pictures(
          PAGE_SIDE,
          PAGE_SIDE,
          new float[] {0.485f, 0.456f, 0.406f},
          new float[] {0.229f, 0.224f, 0.225f});

  private final TextLines texts;
  private final TextPainter painter;

  private OcrData(Path keys) throws IOException {
    this.texts = new TextLines(CtcAlphabet.read(keys), new Random(1));
    this.painter = new TextPainter(new Random(2));
  }

  /**
   * Writes lines for the recognition model: as high as it reads, squeezed where they are wider, and
   * padded on the right.
   *
   * @param keys the model's file of characters
   */
  static void writeLines(Path keys, Path folder) throws IOException {
    OcrData data = new OcrData(keys);
    try (Tables tables = new Tables()) {
      data.lines(tables, folder, "calibrate", 256);
      data.lines(tables, folder, "evaluate", 1000);
    }
  }

  /** Writes pages for the detection model. */
  static void writePages(Path keys, Path folder) throws IOException {
    OcrData data = new OcrData(keys);
    try (Tables tables = new Tables()) {
      data.pages(tables, folder, "calibrate", 32);
      data.pages(tables, folder, "evaluate", 64);
    }
  }

  private void lines(Tables tables, Path folder, String name, int count) throws IOException {
    List<String> labels = texts.next(count);
    List<byte[]> pictures = new ArrayList<>();
    for (String label : labels) {
      pictures.add(padded(painter.line(label, LINE_HEIGHT, LINE_WIDTH)));
    }
    LINES.write(tables, folder, name, labels, pictures);
  }

  private void pages(Tables tables, Path folder, String name, int count) throws IOException {
    List<String> labels = new ArrayList<>();
    List<byte[]> pictures = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      List<String> lines = texts.next(LINES_A_PAGE);
      labels.add(String.join(" / ", lines));
      pictures.add(TextPainter.pixels(painter.page(lines, PAGE_SIDE)));
    }
    PAGES.write(tables, folder, name, labels, pictures);
  }

  private static byte[] padded(BufferedImage line) {
    byte[] pixels = TextPainter.pixels(line);
    byte[] padded = new byte[LINE_HEIGHT * LINE_WIDTH];
    Arrays.fill(padded, PADDING);
    for (int y = 0; y < LINE_HEIGHT; y++) {
      System.arraycopy(pixels, y * line.getWidth(), padded, y * LINE_WIDTH, line.getWidth());
    }
    return padded;
  }
}
