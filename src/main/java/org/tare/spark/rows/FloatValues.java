package org.tare.spark.rows;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.ShortType;
import org.tare.TareException;

/**
 * Reads the float32 values of a column: a number, an array of numbers, or the little-endian bytes
 * of float32 values. A value is taken as a {@code Row} holds it and as Catalyst does.
 *
 * <p>Numbers of other types become the nearest float32; what exceeds float32 becomes infinite.
 * Nulls in arrays are NaN.
 */
public final class FloatValues implements Serializable {
  private static final long serialVersionUID = 1L;

  private enum Form {
    NUMBER,
    ARRAY,
    BYTES
  }

  private final Form form;

  /** Of an array's elements, or of the number. */
  private final DataType number;

  private final String failure;

  private FloatValues(Form form, DataType number, String failure) {
    this.form = form;
    this.number = number;
    this.failure = failure;
  }

  /**
   * A reader of columns of the type; none if such a column holds no numbers.
   *
   * @param failure how messages about a value begin, as in {@code Cannot observe column "x"}
   */
  public static Optional<FloatValues> of(DataType type, String failure) {
    if (type instanceof NumericType) {
      return Optional.of(new FloatValues(Form.NUMBER, type, failure));
    } else if (type.equals(DataTypes.BinaryType)) {
      return Optional.of(new FloatValues(Form.BYTES, DataTypes.FloatType, failure));
    } else if (type instanceof ArrayType array && array.elementType() instanceof NumericType) {
      return Optional.of(new FloatValues(Form.ARRAY, array.elementType(), failure));
    }
    return Optional.empty();
  }

  /** Whether a value is one number and not several. */
  public boolean isScalar() {
    return form == Form.NUMBER;
  }

  /** The value of a column that {@link #isScalar}. */
  public float number(Object value) {
    if (value instanceof Decimal decimal) {
      return decimal.toJavaBigDecimal().floatValue();
    }
    return ((Number) value).floatValue();
  }

  /**
   * The values; of a number, that one.
   *
   * @throws TareException if bytes end within a float32
   */
  public float[] values(Object value) {
    return switch (form) {
      case NUMBER -> new float[] {number(value)};
      case BYTES -> values((byte[]) value);
      case ARRAY ->
          value instanceof ArrayData array
              ? values(array)
              : values((scala.collection.Seq<?>) value);
    };
  }

  private float[] values(byte[] bytes) {
    if (bytes.length % Float.BYTES != 0) {
      throw TareException.badInput(
          "%s: it holds %d bytes, no multiple of the 4 of a float32", failure, bytes.length);
    }
    float[] floats = new float[bytes.length / Float.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
    return floats;
  }

  private float[] values(scala.collection.Seq<?> list) {
    float[] floats = new float[list.size()];
    int i = 0;
    for (scala.collection.Iterator<?> it = list.iterator(); it.hasNext(); i++) {
      Object element = it.next();
      floats[i] = element == null ? Float.NaN : number(element);
    }
    return floats;
  }

  private float[] values(ArrayData array) {
    float[] floats = new float[array.numElements()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = array.isNullAt(i) ? Float.NaN : element(array, i);
    }
    return floats;
  }

  private float element(ArrayData array, int i) {
    if (number instanceof FloatType) {
      return array.getFloat(i);
    } else if (number instanceof DoubleType) {
      return (float) array.getDouble(i);
    } else if (number instanceof ByteType) {
      return array.getByte(i);
    } else if (number instanceof ShortType) {
      return array.getShort(i);
    } else if (number instanceof IntegerType) {
      return array.getInt(i);
    } else if (number instanceof LongType) {
      return array.getLong(i);
    }
    DecimalType decimal = (DecimalType) number;
    return number(array.getDecimal(i, decimal.precision(), decimal.scale()));
  }
}
