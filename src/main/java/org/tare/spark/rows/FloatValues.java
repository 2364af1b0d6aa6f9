package org.tare.spark.rows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.tare.TareException;

/**
 * The float32 values in a column of a row: a number, an array of numbers, or the little-endian
 * bytes of float32 values. Nulls in arrays are NaN; what exceeds float32 becomes infinite.
 */
public final class FloatValues {
  private FloatValues() {}

  /**
   * Checks that a column holds numbers.
   *
   * @param asArray whether single numbers are not enough
   */
  public static void check(String column, DataType type, boolean asArray) {
    boolean isNumber = isNumber(type);
    boolean isMany =
        type.equals(DataTypes.BinaryType)
            || (type instanceof ArrayType array && isNumber(array.elementType()));
    if (asArray ? !isMany : !isMany && !isNumber) {
      throw TareException.badInput(
          "Cannot observe column \"%s\": it is of type %s; %s",
          column,
          type.simpleString(),
          asArray
              ? "channels are the indexes of an array of numbers, or of binary float32 values"
              : "it takes numbers, arrays of numbers, and binary float32 values");
    }
  }

  private static boolean isNumber(DataType type) {
    return type instanceof NumericType;
  }

  /** The values. */
  public static float[] of(String column, Object value) {
    if (value instanceof Number number) {
      return new float[] {number.floatValue()};
    } else if (value instanceof byte[] bytes) {
      if (bytes.length % Float.BYTES != 0) {
        throw TareException.badInput(
            "Cannot observe column \"%s\": it holds %d bytes, no multiple of the 4 of a float32",
            column, bytes.length);
      }
      float[] floats = new float[bytes.length / Float.BYTES];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
      return floats;
    }
    scala.collection.Seq<?> list = (scala.collection.Seq<?>) value;
    float[] floats = new float[list.size()];
    int i = 0;
    for (scala.collection.Iterator<?> it = list.iterator(); it.hasNext(); i++) {
      Object element = it.next();
      floats[i] = element == null ? Float.NaN : ((Number) element).floatValue();
    }
    return floats;
  }
}
