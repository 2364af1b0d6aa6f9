package org.tare.stats.bytes;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** Writes little-endian numbers, LEB128 varints and bit strings. */
public final class ByteWriter {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  public void u8(int value) {
    out.write(value);
  }

  public void i32(int value) {
    for (int shift = 0; shift < 32; shift += 8) {
      out.write(value >>> shift);
    }
  }

  public void i64(long value) {
    i32((int) value);
    i32((int) (value >>> 32));
  }

  public void f32(float value) {
    i32(Float.floatToRawIntBits(value));
  }

  /** Any NaN is written as the same one: which one arithmetic makes depends on the CPU. */
  public void f64(double value) {
    i64(Double.doubleToLongBits(value));
  }

  /** An unsigned number in groups of seven bits, the low ones first. */
  public void varint(long value) {
    long rest = value;
    while ((rest & ~0x7fL) != 0) {
      out.write((int) (rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    out.write((int) rest);
  }

  public static int varintLength(long value) {
    return Math.max(1, (70 - Long.numberOfLeadingZeros(value)) / 7);
  }

  public void string(String value) {
    block(value.getBytes(StandardCharsets.UTF_8));
  }

  /** Bytes after their length. */
  public void block(byte[] bytes) {
    varint(bytes.length);
    bytes(bytes);
  }

  public void bytes(byte[] bytes) {
    out.writeBytes(bytes);
  }

  public byte[] toByteArray() {
    return out.toByteArray();
  }
}
