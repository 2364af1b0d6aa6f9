package org.tare.job;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UTFDataFormatException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import org.tare.PrintableText;
import org.tare.TareException;

/**
 * What all checkpoints are around their content. The file, big-endian:
 *
 * <pre>
 * four letters | version 4 | content | SHA-256 of all before, 32
 * </pre>
 */
public final class CheckpointBytes {
  private static final int HEAD_BYTES = 8;
  private static final int SHA256_BYTES = 32;

  private CheckpointBytes() {}

  /**
   * The file around a content.
   *
   * @param letters four, which say what it is
   */
  public static byte[] around(String letters, int version, byte[] content) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(letters.getBytes(StandardCharsets.US_ASCII));
    bytes.writeBytes(ByteBuffer.allocate(4).putInt(version).array());
    bytes.writeBytes(content);
    bytes.writeBytes(sha256(bytes.toByteArray(), bytes.size()));
    return bytes.toByteArray();
  }

  /** Reads what is between the head and the checksum. */
  @FunctionalInterface
  public interface Content<T> {
    /** The first thing that is wrong ends it. */
    T read(CheckpointInput in) throws IOException;
  }

  /**
   * What is in a file.
   *
   * @param file its path, for messages
   * @throws TareException if it is none, of another version, damaged, or says what cannot be
   */
  public static <T> T read(
      String letters, int version, byte[] bytes, String file, Content<T> content) {
    CheckpointInput in = new CheckpointInput(content(letters, version, bytes, file), file);
    try {
      T read = content.read(in);
      in.end();
      return read;
    } catch (UTFDataFormatException e) {
      throw cannot(file, "a text in it is damaged").causedBy(e);
    } catch (IOException e) {
      throw cannot(file, "it ends too early").causedBy(e);
    }
  }

  private static byte[] content(String letters, int version, byte[] bytes, String file) {
    if (bytes.length < HEAD_BYTES
        || !letters.equals(new String(bytes, 0, 4, StandardCharsets.ISO_8859_1))) {
      throw cannot(file, "it is no checkpoint, it does not begin with the letters " + letters);
    }
    int found = ByteBuffer.wrap(bytes, 4, 4).getInt();
    if (found != version) {
      throw cannot(file, "it is of version " + found + ", this Tare reads version " + version);
    }
    int end = bytes.length - SHA256_BYTES;
    if (end < HEAD_BYTES
        || !Arrays.equals(sha256(bytes, end), Arrays.copyOfRange(bytes, end, bytes.length))) {
      throw cannot(file, "its checksum does not fit, it is damaged or cut short");
    }
    return Arrays.copyOfRange(bytes, HEAD_BYTES, end);
  }

  /** Why a file is no checkpoint to go on from. */
  public static TareException cannot(String file, String why) {
    return TareException.badInput(
        "Cannot go on from the checkpoint %s: %s", PrintableText.of(file), why);
  }

  static byte[] sha256(byte[] bytes, int length) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      sha.update(bytes, 0, length);
      return sha.digest();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
