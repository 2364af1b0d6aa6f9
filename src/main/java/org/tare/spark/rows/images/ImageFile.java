package org.tare.spark.rows.images;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32;

/**
 * What the parts of a PNG or JPEG file say of it, read without decoding pixels. A file is whole: it
 * has all its parts up to the last, and those of a PNG file have the right checksums.
 *
 * @param components samples per pixel of a JPEG file; 0 for PNG
 * @param pixelBytes what a pixel takes as the JDK decodes it, at most
 * @param transform the color transform that Adobe's marker in a JPEG file says, or 0
 * @param profiles where a JPEG file has parts with a color profile
 */
public record ImageFile(
    Format format,
    int height,
    int width,
    int components,
    int pixelBytes,
    int transform,
    List<Integer> profiles) {
  /** The formats that are decoded. */
  public enum Format {
    PNG,
    JPEG
  }

  private static final byte[] PNG_SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', 13, 10, 26, 10};

  /** The format by the first bytes of a file. */
  public static Optional<Format> formatOf(byte[] file) {
    if (startsWith(file, 0, PNG_SIGNATURE)) {
      return Optional.of(Format.PNG);
    }
    boolean isJpeg = startsWith(file, 0, new byte[] {(byte) 0xff, (byte) 0xd8, (byte) 0xff});
    return isJpeg ? Optional.of(Format.JPEG) : Optional.empty();
  }

  /**
   * Reads the parts of a file.
   *
   * @throws UnreadableImage if it is neither PNG nor JPEG, or not whole
   */
  static ImageFile of(byte[] file) throws UnreadableImage {
    Optional<Format> format = formatOf(file);
    if (format.isEmpty()) {
      String other = otherFormat(file);
      throw new UnreadableImage(
          other.isEmpty()
              ? file.length + " bytes that are neither PNG nor JPEG"
              : (other.startsWith("A") ? "an " : "a ")
                  + other
                  + " file; only PNG and JPEG are decoded");
    }
    return format.get() == Format.PNG ? png(ByteBuffer.wrap(file)) : jpeg(file);
  }

  /**
   * Checks a size before memory is taken.
   *
   * @throws UnreadableImage if there are no pixels, or too many
   */
  public static void checkSize(long height, long width) throws UnreadableImage {
    boolean isEmpty = height < 1 || width < 1;
    boolean isLarge = isEmpty || height > Picture.MOST_PIXELS / width;
    if (isEmpty || isLarge) {
      throw new UnreadableImage(
          "an image of "
              + height
              + "x"
              + width
              + " pixels"
              + (isEmpty ? "" : ", more than the " + Picture.MOST_PIXELS + " that are taken"));
    }
  }

  /** The file with its color profiles hidden from decoders that would apply them. */
  byte[] withoutProfiles(byte[] file) {
    if (profiles.isEmpty()) {
      return file;
    }
    byte[] copy = file.clone();
    for (int at : profiles) {
      copy[at + 1] = (byte) 0xef; // APP15, which nobody reads
    }
    return copy;
  }

  private static String otherFormat(byte[] file) {
    if (startsWith(file, 0, ascii("GIF8"))) {
      return "GIF";
    } else if (startsWith(file, 0, ascii("BM"))) {
      return "BMP";
    } else if (startsWith(file, 0, ascii("RIFF")) && startsWith(file, 8, ascii("WEBP"))) {
      return "WebP";
    } else if (startsWith(file, 0, ascii("II*\0")) || startsWith(file, 0, ascii("MM\0*"))) {
      return "TIFF";
    } else if (startsWith(file, 4, ascii("ftypavif"))) {
      return "AVIF";
    } else if (startsWith(file, 4, ascii("ftyphei"))) {
      return "HEIC";
    }
    return "";
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static boolean startsWith(byte[] file, int from, byte[] start) {
    for (int i = 0; i < start.length; i++) {
      if (from + i >= file.length || file[from + i] != start[i]) {
        return false;
      }
    }
    return true;
  }

  /** PNG: a signature, then parts of length, four letters, content and checksum, up to IEND. */
  private static ImageFile png(ByteBuffer file) throws UnreadableImage {
    file.position(PNG_SIGNATURE.length);
    ImageFile header = null;
    while (file.remaining() >= 12) {
      long length = file.getInt() & 0xffffffffL;
      if (length > file.remaining() - 8) {
        throw cutShort(Format.PNG);
      }
      int start = file.position();
      String type = new String(file.array(), start, 4, StandardCharsets.ISO_8859_1);
      if (header == null) {
        if (!type.equals("IHDR") || length < 13) {
          throw damaged(Format.PNG, "it does not begin with its size");
        }
        header =
            new ImageFile(
                Format.PNG,
                file.getInt(start + 8),
                file.getInt(start + 4),
                0,
                pngPixelBytes(file.get(start + 12), file.get(start + 13)),
                0,
                List.of());
      }
      file.position(start + 4 + (int) length);
      boolean isNeeded = Character.isUpperCase(type.charAt(0));
      CRC32 crc = new CRC32();
      if (isNeeded) {
        crc.update(file.array(), start, 4 + (int) length);
      }
      int checksum = file.getInt();
      if (isNeeded && checksum != (int) crc.getValue()) {
        throw damaged(Format.PNG, "the checksum of its part " + type + " is wrong");
      }
      if (type.equals("IEND")) {
        return header;
      }
    }
    throw cutShort(Format.PNG);
  }

  /** Bytes of a pixel by the bit depth and the color type of a PNG file. */
  private static int pngPixelBytes(int depth, int colorType) {
    int samples =
        switch (colorType) {
          case 2 -> 3;
          case 4 -> 2;
          case 6 -> 4;
          default -> 1;
        };
    return depth == 16 ? 2 * samples : samples;
  }

  /** JPEG: parts that begin with 0xff and a letter; pixels follow SOS; EOI ends it. */
  private static ImageFile jpeg(byte[] file) throws UnreadableImage {
    ImageFile header = null;
    int transform = 0;
    List<Integer> profiles = new ArrayList<>();
    int at = 2;
    while (at + 1 < file.length) {
      if (file[at] != (byte) 0xff) {
        // Between parts there are only bytes that decoders skip; after SOS there are pixels.
        at++;
        continue;
      }
      int marker = file[at + 1] & 0xff;
      boolean isFill = marker == 0xff;
      boolean isAlone = marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8);
      if (isFill || isAlone) {
        at += isFill ? 1 : 2;
        continue;
      }
      if (marker == 0xd9) {
        if (header == null) {
          throw damaged(Format.JPEG, "it does not say its size");
        }
        return new ImageFile(
            Format.JPEG,
            header.height,
            header.width,
            header.components,
            header.pixelBytes,
            transform,
            List.copyOf(profiles));
      }
      int length = at + 3 < file.length ? (file[at + 2] & 0xff) << 8 | (file[at + 3] & 0xff) : 0;
      if (length < 2 || at + 2 + length > file.length) {
        throw cutShort(Format.JPEG);
      }
      ByteBuffer part = ByteBuffer.wrap(file, at + 4, length - 2).slice();
      // SOF, which are 0xc0 to 0xcf but for DHT, JPG and DAC.
      boolean isFrame =
          marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
      if (isFrame && header == null && part.limit() >= 6) {
        header =
            new ImageFile(
                Format.JPEG,
                part.getShort(1) & 0xffff,
                part.getShort(3) & 0xffff,
                part.get(5),
                part.get(5) & 0xff,
                0,
                List.of());
      } else if (marker == 0xee && part.limit() >= 12 && startsWith(file, at + 4, ascii("Adobe"))) {
        transform = part.get(11);
      } else if (marker == 0xe2 && startsWith(file, at + 4, ascii("ICC_PROFILE"))) {
        profiles.add(at);
      }
      at += 2 + length;
    }
    throw cutShort(Format.JPEG);
  }

  private static UnreadableImage cutShort(Format format) {
    return new UnreadableImage("a " + format + " file that is cut short");
  }

  private static UnreadableImage damaged(Format format, String how) {
    return new UnreadableImage("a damaged " + format + " file (" + how + ")");
  }
}
