package org.tare.spark.rows;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.UserDefinedType;

/** What the types of columns mean for the inputs of models. */
final class ColumnForm {
  /** The fields of Spark's image source. */
  private static final Set<String> IMAGE_FIELDS =
      Set.of("height", "width", "nChannels", "mode", "data");

  /** The fields of Spark ML's vectors, in their order. */
  private static final List<String> VECTOR_FIELDS = List.of("type", "size", "indices", "values");

  private ColumnForm() {}

  /** Whether a column holds images as Spark's image source gives them. */
  static boolean isImage(DataType type) {
    return type instanceof StructType struct
        && Arrays.asList(struct.fieldNames()).containsAll(IMAGE_FIELDS)
        && struct.apply("data").dataType().equals(DataTypes.BinaryType);
  }

  /** Whether a column holds Spark ML's vectors, as objects or as the struct below them. */
  static boolean isVector(DataType type) {
    if (type instanceof UserDefinedType<?> defined) {
      return isVector(defined.sqlType());
    }
    return type instanceof StructType struct
        && Arrays.asList(struct.fieldNames()).equals(VECTOR_FIELDS);
  }

  /** Whether a column holds one number or boolean. */
  static boolean isNumber(DataType type) {
    return type instanceof NumericType || type.equals(DataTypes.BooleanType);
  }

  /** Whether a column holds arrays, of any depth, of numbers or booleans. */
  static boolean isArrayOfNumbers(DataType type) {
    return type instanceof ArrayType && isNumber(element(type));
  }

  /** The type of the values of arrays, of any depth; other types as they are. */
  static DataType element(DataType type) {
    DataType element = type;
    while (element instanceof ArrayType array) {
      element = array.elementType();
    }
    return element;
  }

  /** How many arrays lie in each other. */
  static int depth(DataType type) {
    int depth = 0;
    for (DataType element = type; element instanceof ArrayType array; depth++) {
      element = array.elementType();
    }
    return depth;
  }

  /** Whether the numbers of a column are exact, so that they do not pass through floating point. */
  static boolean isExact(DataType type) {
    DataType element = element(type);
    return element instanceof DecimalType
        || element.equals(DataTypes.ByteType)
        || element.equals(DataTypes.ShortType)
        || element.equals(DataTypes.IntegerType)
        || element.equals(DataTypes.LongType)
        || element.equals(DataTypes.BooleanType);
  }
}
