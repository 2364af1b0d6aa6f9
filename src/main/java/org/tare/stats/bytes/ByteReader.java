package org.tare.stats.bytes;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.tare.TareException;

/**
 * Reads what {@link ByteWriter} writes, and nothing else: whatever runs past the end, or is not
 * written as ByteWriter would, is reported as damage.
 */
public final class ByteReader {
  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final byte[] bytes;
  private final String source;
  private final int end;
  private int position;

  public ByteReader(byte[] bytes, int from, int end, String source) {
    this.bytes = bytes;
    this.position = from;
    this.end = end;
    this.source = source;
  }

  public int u8() {
    if (position >= end) {
      throw tooEarly();
    }
    return bytes[position++] & 0xff;
  }

  public int i32() {
    if (left() < Integer.BYTES) {
      throw tooEarly();
    }
    int value = (int) INTS.get(bytes, position);
    position += Integer.BYTES;
    return value;
  }

  public long i64() {
    if (left() < Long.BYTES) {
      throw tooEarly();
    }
    long value = peekI64();
    position += Long.BYTES;
    return value;
  }

  /** The next eight bytes, of which none counts as read. They must be there. */
  public long peekI64() {
    return (long) LONGS.get(bytes, position);
  }

  public float f32() {
    return Float.intBitsToFloat(i32());
  }

  /** A number, infinity, or NaN in the one form that is written. */
  public double f64() {
    long bits = i64();
    double value = Double.longBitsToDouble(bits);
    if (Double.isNaN(value) && bits != Double.doubleToLongBits(Double.NaN)) {
      throw damaged("a NaN is not in the form that Tare writes");
    }
    return value;
  }

  /** How many bytes were read, from the beginning of the array. */
  public int position() {
    return position;
  }

  /** How many bytes are left. */
  public int left() {
    return end - position;
  }

  /** Counts bytes as read that {@link #peekI64} showed. */
  public void skip(int count) {
    position += count;
  }

  /** Goes back by some bytes that were read. */
  public void unread(int count) {
    position -= count;
  }

  public boolean hasMore() {
    return position < end;
  }

  /** A number from 0 to 2^63 - 1, in as few bytes as hold it. */
  public long varint() {
    if (position < end && bytes[position] >= 0) {
      return bytes[position++];
    }
    long value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      int group = u8();
      value |= (long) (group & 0x7f) << shift;
      if ((group & 0x80) == 0) {
        if (group == 0 && shift > 0) {
          throw damaged("a number is not in its shortest form");
        }
        return value;
      }
    }
    // Nine groups are 63 bits: a tenth has no place, whatever it is.
    throw damaged("a number is out of range, it is above 2^63 - 1");
  }

  /** A varint that counts things of at least the given number of bytes each in what is left. */
  public int count(String things, long bytesOfEach) {
    long count = varint();
    requireRoom(count, things, bytesOfEach);
    return (int) count;
  }

  /** Makes sure that things of at least that many bytes each fit into what is left. */
  public void requireRoom(long count, String things, long bytesOfEach) {
    if (count > left() / bytesOfEach) {
      throw damaged(count + " " + things + " do not fit into the " + left() + " bytes left");
    }
  }

  /** UTF-8, well formed. */
  public String string() {
    int length = count("bytes of a text", 1);
    String value = new String(bytes, position, length, StandardCharsets.UTF_8);
    byte[] again = value.getBytes(StandardCharsets.UTF_8);
    if (!Arrays.equals(again, 0, again.length, bytes, position, position + length)) {
      throw damaged("a text is not UTF-8");
    }
    position += length;
    return value;
  }

  /** Bytes after their length. */
  public byte[] block(String things) {
    return bytes(count(things, 1));
  }

  public byte[] bytes(int length) {
    if (length > left()) {
      throw tooEarly();
    }
    byte[] part = Arrays.copyOfRange(bytes, position, position + length);
    position += length;
    return part;
  }

  public boolean atEnd() {
    return position == end;
  }

  private TareException tooEarly() {
    return damaged("it ends too early, after " + end + " bytes");
  }

  public TareException damaged(String why) {
    return TareException.badInput("Cannot read calibration state %s: %s", source, why);
  }
}
