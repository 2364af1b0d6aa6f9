package org.tare.stats;

import java.nio.charset.StandardCharsets;
import org.tare.TareException;

/** Reads what {@link ByteWriter} writes; whatever runs past the end is reported as damage. */
final class ByteReader {
  private final byte[] bytes;
  private final String source;
  private final int end;
  private int position;

  ByteReader(byte[] bytes, int from, int end, String source) {
    this.bytes = bytes;
    this.position = from;
    this.end = end;
    this.source = source;
  }

  int u8() {
    if (position >= end) {
      throw damaged("it ends too early, after " + position + " bytes");
    }
    return bytes[position++] & 0xff;
  }

  int i32() {
    return u8() | u8() << 8 | u8() << 16 | u8() << 24;
  }

  long i64() {
    return (i32() & 0xffffffffL) | (long) i32() << 32;
  }

  float f32() {
    return Float.intBitsToFloat(i32());
  }

  double f64() {
    return Double.longBitsToDouble(i64());
  }

  /** How many bytes were read, from the beginning of the array. */
  int position() {
    return position;
  }

  /** Goes back by some bytes that were read. */
  void unread(int count) {
    position -= count;
  }

  boolean hasMore() {
    return position < end;
  }

  long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      int group = u8();
      value |= (long) (group & 0x7f) << shift;
      if ((group & 0x80) == 0) {
        if (value < 0) {
          throw damaged("a count is out of range");
        }
        return value;
      }
    }
    throw damaged("a number is too long");
  }

  /** A varint that counts things of at least one byte each in what is left. */
  int length() {
    long length = varint();
    if (length > end - position) {
      throw damaged("a length of " + length + " runs past its end");
    }
    return (int) length;
  }

  String string() {
    int length = length();
    String value = new String(bytes, position, length, StandardCharsets.UTF_8);
    position += length;
    return value;
  }

  byte[] bytes(int length) {
    if (length > end - position) {
      throw damaged("it ends too early");
    }
    byte[] part = java.util.Arrays.copyOfRange(bytes, position, position + length);
    position += length;
    return part;
  }

  boolean atEnd() {
    return position == end;
  }

  TareException damaged(String why) {
    return TareException.badInput("Cannot read calibration state %s: %s", source, why);
  }
}
