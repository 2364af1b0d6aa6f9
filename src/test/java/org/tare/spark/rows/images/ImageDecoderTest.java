package org.tare.spark.rows.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.color.ColorSpace;
import java.awt.color.ICC_Profile;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

public class ImageDecoderTest {
  private final ImageDecoder decoder = new ImageDecoder(RowMemory.ofThisJvm());

  /** The rules of JPEG leave rounding open: decoders differ by some units. */
  private static final int JPEG_ROUNDING = 3;

  public static byte[] file(String name) {
    try (InputStream in = ImageDecoderTest.class.getResourceAsStream("/cases/images/" + name)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Stream<Arguments> recorded() {
    return new String(file("pixels.txt"), StandardCharsets.US_ASCII)
        .lines()
        .filter(line -> !line.startsWith("#"))
        .map(line -> Arguments.of((Object[]) line.split(" ")));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("recorded")
  void pixelsAreThoseOfOtherDecoders(String name, int height, int width, String rgb)
      throws UnreadableImage {
    Picture picture = decoder.decode(file(name));
    assertEquals(height, picture.height());
    assertEquals(width, picture.width());
    assertEquals(6 * height * width, rgb.length());
    int rounding = name.endsWith(".jpg") ? JPEG_ROUNDING : 0;
    for (int i = 0; i < height * width; i++) {
      for (int c = 0; c < 3; c++) {
        int at = 6 * i + 2 * c;
        int expected = Integer.parseInt(rgb.substring(at, at + 2), 16);
        int actual = picture.rgb()[i] >> 16 - 8 * c & 0xff;
        assertEquals(expected, actual, rounding, "pixel " + i + ", channel " + c);
      }
    }
  }

  @Test
  void everyKindIsRecorded() {
    assertEquals(25, recorded().count());
  }

  @ParameterizedTest
  @CsvSource({"gray100.png", "gray100.jpg"})
  void grayIsNotBrightened(String name) throws UnreadableImage {
    assertEquals(0x646464, decoder.decode(file(name)).rgb()[0]);
  }

  @Test
  void cmykIsConverted() throws UnreadableImage {
    assertEquals(200 << 16 | 50 << 8 | 100, decoder.decode(file("cmyk_200_50_100.jpg")).rgb()[0]);
  }

  @Test
  void aColorProfileChangesNothing() throws UnreadableImage {
    byte[] plain = file("rgb.jpg");
    byte[] profile = ICC_Profile.getInstance(ColorSpace.CS_LINEAR_RGB).getData();
    ByteBuffer with = ByteBuffer.allocate(plain.length + profile.length + 18);
    with.put(plain, 0, 2).putShort((short) 0xffe2).putShort((short) (profile.length + 16));
    with.put("ICC_PROFILE\0\1\1".getBytes(StandardCharsets.ISO_8859_1)).put(profile);
    with.put(plain, 2, plain.length - 2);
    int[] expected = decoder.decode(plain).rgb().clone();
    int[] actual =
        new ImageDecoder(RowMemory.ofThisJvm())
            .decode(Arrays.copyOf(with.array(), with.position()))
            .rgb();
    assertEquals(Arrays.toString(expected), Arrays.toString(actual));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gray8.png",
        "rgb16.png",
        "palette8.png",
        "rgb.jpg",
        "cmyk.jpg",
        "progressive.jpg"
      })
  void aFileThatIsCutIsRefused(String name) throws UnreadableImage {
    byte[] whole = file(name);
    decoder.decode(whole);
    for (int length = 8; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      UnreadableImage e =
          assertThrows(UnreadableImage.class, () -> decoder.decode(cut), "length " + length);
      assertTrue(e.getMessage().endsWith(" file that is cut short"), e.getMessage());
    }
    // What follows the end does not matter.
    decoder.decode(Arrays.copyOf(whole, whole.length + 7));
  }

  @Test
  void theTruncatedFileIsRefused() {
    UnreadableImage e =
        assertThrows(UnreadableImage.class, () -> decoder.decode(file("truncated.jpg")));
    assertEquals("a JPEG file that is cut short", e.getMessage());
  }

  @Test
  void aJpegFileWithoutAPartOfItsPixelsIsRefused() {
    byte[] whole = file("rgb.jpg");
    byte[] cut = Arrays.copyOf(whole, whole.length - 40);
    cut[cut.length - 2] = (byte) 0xff;
    cut[cut.length - 1] = (byte) 0xd9;
    UnreadableImage e = assertThrows(UnreadableImage.class, () -> decoder.decode(cut));
    assertTrue(e.getMessage().startsWith("a damaged JPEG file ("), e.getMessage());
  }

  @Test
  void aPngFileWithoutAPartOfItsPixelsIsRefused() {
    // The header says one row more than there is.
    byte[] file = file("rgb8.png");
    file[23]++;
    CRC32 crc = new CRC32();
    crc.update(file, 12, 17);
    ByteBuffer.wrap(file).putInt(29, (int) crc.getValue());
    UnreadableImage e = assertThrows(UnreadableImage.class, () -> decoder.decode(file));
    assertTrue(e.getMessage().startsWith("a damaged PNG file ("), e.getMessage());
  }

  /** Damage is refused, or harms no size; it never ends in another exception. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "gray8.png",
        "rgba16.png",
        "palette4.png",
        "rgb.jpg",
        "cmyk.jpg",
        "progressive.jpg"
      })
  void damageIsRefusedOrHarmless(String name) {
    Random random = new Random(11);
    int refused = 0;
    for (int i = 0; i < 400; i++) {
      byte[] damaged = file(name);
      damaged[2 + random.nextInt(damaged.length - 2)] ^= (byte) (1 << random.nextInt(8));
      try {
        decoder.decode(damaged);
      } catch (UnreadableImage e) {
        refused++;
      }
    }
    assertTrue(refused >= (name.endsWith("png") ? 360 : 20), refused + " refused");
  }

  @ParameterizedTest
  @CsvSource({"gif, a GIF file", "bmp, a BMP file", "wbmp, 26 bytes that are neither PNG nor JPEG"})
  void otherFormatsAreNamed(String format, String message) throws IOException {
    BufferedImage image = new BufferedImage(16, 11, BufferedImage.TYPE_BYTE_BINARY);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    assertTrue(ImageIO.write(image, format, out));
    UnreadableImage e =
        assertThrows(UnreadableImage.class, () -> decoder.decode(out.toByteArray()));
    assertTrue(e.getMessage().startsWith(message), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "'RIFF....WEBPVP8 ', a WebP file; only PNG and JPEG are decoded",
    "'MM\0*....', a TIFF file; only PNG and JPEG are decoded",
    "'....ftypavif', a AVIF file; only PNG and JPEG are decoded",
    "'', 0 bytes that are neither PNG nor JPEG"
  })
  void formatsThatJavaDoesNotKnowAreNamed(String start, String message) {
    UnreadableImage e =
        assertThrows(
            UnreadableImage.class,
            () -> decoder.decode(start.getBytes(StandardCharsets.ISO_8859_1)));
    assertEquals(message.replace("a AVIF", "an AVIF"), e.getMessage());
  }

  /** A file whose header says another size. */
  public static byte[] sized(String name, int height, int width) {
    byte[] file = file(name);
    ByteBuffer bytes = ByteBuffer.wrap(file);
    if (name.endsWith("png")) {
      bytes.putInt(16, width).putInt(20, height);
      CRC32 crc = new CRC32();
      crc.update(file, 12, 17);
      bytes.putInt(29, (int) crc.getValue());
      return file;
    }
    int frame = 2;
    while (bytes.getShort(frame) != (short) 0xffc0) {
      frame += 2 + (bytes.getShort(frame + 2) & 0xffff);
    }
    bytes.putShort(frame + 5, (short) height).putShort(frame + 7, (short) width);
    return file;
  }

  @Test
  void sizeIsCheckedBeforeMemoryIsTaken() {
    byte[] file = sized("gray8.png", 300_000, 1_000_000);
    UnreadableImage e = assertThrows(UnreadableImage.class, () -> decoder.decode(file));
    assertEquals(
        "an image of 300000x1000000 pixels, more than the 268435456 that are taken",
        e.getMessage());
  }

  /** What resizing gave before gray was decoded as it is: RGB must stay the same. */
  @Test
  void scalingIsThatOfJavaOnRgb() throws IOException, UnreadableImage {
    Random random = new Random(5);
    BufferedImage image = new BufferedImage(37, 23, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 37 * 23; i++) {
      image.setRGB(i % 37, i / 37, random.nextInt(1 << 24));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    BufferedImage read = ImageIO.read(new java.io.ByteArrayInputStream(out.toByteArray()));
    Picture picture = decoder.decode(out.toByteArray());
    for (int[] size : new int[][] {{9, 14}, {50, 70}, {23, 36}}) {
      BufferedImage scaled = new BufferedImage(size[1], size[0], BufferedImage.TYPE_INT_RGB);
      java.awt.Graphics2D graphics = scaled.createGraphics();
      graphics.setRenderingHint(
          java.awt.RenderingHints.KEY_INTERPOLATION,
          java.awt.RenderingHints.VALUE_INTERPOLATION_BILINEAR);
      graphics.drawImage(read, 0, 0, size[1], size[0], null);
      graphics.dispose();
      int[] expected = scaled.getRGB(0, 0, size[1], size[0], null, 0, size[1]);
      int[] actual = picture.scaled(size[0], size[1]).rgb();
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i] & 0xffffff, actual[i], "pixel " + i);
      }
    }
  }

  @Test
  void scaledGrayStaysGray() throws UnreadableImage {
    Picture scaled = decoder.decode(file("gray100.png")).scaled(5, 13);
    for (int pixel : scaled.rgb()) {
      assertEquals(0x646464, pixel);
    }
  }
}
