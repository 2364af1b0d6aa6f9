package org.tare.spark.functions;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.tare.TareException;

/**
 * Reads a column's values as float32: numbers, arrays of numbers, or the little-endian bytes of
 * float32 values. Numbers of other types are narrowed; what exceeds float32 becomes infinite.
 */
final class ValueReader implements Serializable {
  private static final long serialVersionUID = 1L;

  private enum Kind {
    NUMBER,
    FLOATS,
    DOUBLES,
    BYTES_OF_ARRAY,
    SHORTS,
    INTS,
    LONGS,
    BYTES
  }

  private final Kind kind;

  private ValueReader(Kind kind) {
    this.kind = kind;
  }

  /**
   * A reader of columns of the type.
   *
   * @throws TareException if no values can be read from it
   */
  static ValueReader of(String function, DataType type) {
    boolean isDecimal = type instanceof org.apache.spark.sql.types.DecimalType;
    if (type instanceof NumericType && !isDecimal) {
      return new ValueReader(Kind.NUMBER);
    } else if (type.equals(DataTypes.BinaryType)) {
      return new ValueReader(Kind.BYTES);
    } else if (type instanceof ArrayType array) {
      DataType element = array.elementType();
      if (element.equals(DataTypes.FloatType)) {
        return new ValueReader(Kind.FLOATS);
      } else if (element.equals(DataTypes.DoubleType)) {
        return new ValueReader(Kind.DOUBLES);
      } else if (element.equals(DataTypes.ByteType)) {
        return new ValueReader(Kind.BYTES_OF_ARRAY);
      } else if (element.equals(DataTypes.ShortType)) {
        return new ValueReader(Kind.SHORTS);
      } else if (element.equals(DataTypes.IntegerType)) {
        return new ValueReader(Kind.INTS);
      } else if (element.equals(DataTypes.LongType)) {
        return new ValueReader(Kind.LONGS);
      }
    }
    throw TareException.badInput(
        "%s cannot read a column of type %s: it takes FLOAT, DOUBLE and whole numbers, arrays of"
            + " them, and BINARY with the little-endian bytes of float32 values; cast decimals"
            + " to DOUBLE",
        function, type.simpleString());
  }

  /** Whether a value is one number and not several. */
  boolean isScalar() {
    return kind == Kind.NUMBER;
  }

  float number(Object value) {
    return ((Number) value).floatValue();
  }

  /** The values of an array or of bytes; nulls among them are NaN. */
  float[] values(Object value) {
    if (kind == Kind.BYTES) {
      byte[] bytes = (byte[]) value;
      if (bytes.length % Float.BYTES != 0) {
        throw TareException.badInput(
            "Cannot read float32 values from %d bytes: that is no multiple of 4", bytes.length);
      }
      float[] floats = new float[bytes.length / Float.BYTES];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
      return floats;
    }
    ArrayData array = (ArrayData) value;
    float[] floats = new float[array.numElements()];
    for (int i = 0; i < floats.length; i++) {
      if (array.isNullAt(i)) {
        floats[i] = Float.NaN;
        continue;
      }
      floats[i] =
          switch (kind) {
            case FLOATS -> array.getFloat(i);
            case DOUBLES -> (float) array.getDouble(i);
            case BYTES_OF_ARRAY -> array.getByte(i);
            case SHORTS -> array.getShort(i);
            case INTS -> array.getInt(i);
            case LONGS -> array.getLong(i);
            default -> throw new IllegalStateException(kind.name());
          };
    }
    return floats;
  }
}
