package org.tare.stats.bytes;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Writes little-endian numbers, LEB128 varints and bit strings. */
public final class ByteWriter {
  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  /** As many as Java's collections take: some JVMs have no arrays of more. */
  private static final int MOST_BYTES = Integer.MAX_VALUE - 8;

  private static final int MOST_VARINT_BYTES = 10;

  private byte[] bytes = new byte[256];
  private int length;

  /** Makes room for so many bytes more. */
  private void room(int more) {
    if (bytes.length - length < more) {
      int least = length + more;
      if (least < 0) {
        throw new OutOfMemoryError("2 GB and more cannot be written into one array");
      }
      bytes = Arrays.copyOf(bytes, Math.max(least, (int) Math.min(2L * bytes.length, MOST_BYTES)));
    }
  }

  public void u8(int value) {
    room(1);
    bytes[length++] = (byte) value;
  }

  public void i32(int value) {
    room(Integer.BYTES);
    INTS.set(bytes, length, value);
    length += Integer.BYTES;
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
    room(MOST_VARINT_BYTES);
    while ((rest & ~0x7fL) != 0) {
      bytes[length++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    bytes[length++] = (byte) rest;
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

  public void bytes(byte[] more) {
    room(more.length);
    System.arraycopy(more, 0, bytes, length, more.length);
    length += more.length;
  }

  public byte[] toByteArray() {
    return Arrays.copyOf(bytes, length);
  }
}
