package org.tare.onnx;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** One of the files that a model is written as; its bytes are made while they are written. */
public final class ModelFile {
  private final String name;
  private final long sizeBytes;
  private final Writer writer;

  /** Writes the same bytes each time. */
  @FunctionalInterface
  interface Writer {
    void writeTo(OutputStream out) throws IOException;
  }

  ModelFile(String name, long sizeBytes, Writer writer) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.writer = writer;
  }

  public String name() {
    return name;
  }

  public long sizeBytes() {
    return sizeBytes;
  }

  /** Writes the content; the stream is left open. */
  public void writeTo(OutputStream out) throws IOException {
    writer.writeTo(out);
  }

  /** SHA-256 of the content, in hexadecimal. */
  public String sha256() {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      writeTo(new DigestOutputStream(OutputStream.nullOutputStream(), sha));
      return HexFormat.of().formatHex(sha.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
