package org.tare.spark.rows;

import java.nio.ByteBuffer;
import org.tare.onnx.ElementType;
import org.tare.onnx.Float16;

/**
 * Writes numbers as a model's type. A number that the type does not hold is not written: integers
 * take whole numbers of their range, bool takes 0 and 1, and floating-point types what stays finite
 * in them. Rounding to the nearest number of these is not a loss in this sense.
 */
final class Narrowing {
  /** The type of the model's input holds no such number; the reason follows a number. */
  static final class NotHeld extends Exception {
    private static final long serialVersionUID = 1L;

    NotHeld(String reason) {
      super(reason, null, false, false);
    }
  }

  /** 2 to the power of 63, the least number above int64. */
  private static final double ABOVE_INT64 = 0x1p63;

  private Narrowing() {}

  /** Writes a floating-point number. */
  static void put(ByteBuffer bytes, ElementType type, double value) throws NotHeld {
    switch (type) {
      case FLOAT32 -> {
        float narrow = (float) value;
        if (!Float.isFinite(narrow)) {
          throw notHeld(type);
        }
        bytes.putFloat(narrow);
      }
      case FLOAT64 -> {
        if (!Double.isFinite(value)) {
          throw notHeld(type);
        }
        bytes.putDouble(value);
      }
      case FLOAT16 -> {
        short narrow = Float16.bits(value);
        if (!Double.isFinite(Float16.value(narrow))) {
          throw notHeld(type);
        }
        bytes.putShort(narrow);
      }
      default -> {
        if (!(value >= -ABOVE_INT64 && value < ABOVE_INT64)) {
          throw notHeld(type);
        }
        if (value != Math.rint(value)) {
          throw new NotHeld("which is no whole number");
        }
        put(bytes, type, (long) value);
      }
    }
  }

  /** Writes a whole number, all 64 bits of it. */
  static void put(ByteBuffer bytes, ElementType type, long value) throws NotHeld {
    switch (type) {
      case INT64 -> bytes.putLong(value);
      case INT32 -> bytes.putInt((int) inRange(type, value, Integer.MIN_VALUE, Integer.MAX_VALUE));
      case INT16 -> bytes.putShort((short) inRange(type, value, Short.MIN_VALUE, Short.MAX_VALUE));
      case INT8 -> bytes.put((byte) inRange(type, value, Byte.MIN_VALUE, Byte.MAX_VALUE));
      case UINT8 -> bytes.put((byte) inRange(type, value, 0, 255));
      case BOOL -> bytes.put((byte) inRange(type, value, 0, 1));
      default -> put(bytes, type, (double) value);
    }
  }

  private static long inRange(ElementType type, long value, long least, long most) throws NotHeld {
    if (value < least || value > most) {
      throw notHeld(type);
    }
    return value;
  }

  private static NotHeld notHeld(ElementType type) {
    String name =
        switch (type) {
          case BOOL -> "bool, of 0 and 1,";
          default -> type.id();
        };
    return new NotHeld("which " + name + " does not hold");
  }
}
