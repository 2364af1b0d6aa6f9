package org.tare.spark.rows;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.TensorType;

/**
 * One input of the model with the column it is read from, checked against both.
 *
 * @param expects the model's type of the input, for messages
 * @param column its name in the table
 * @param index of the column among those that are selected
 * @param source what the column holds
 * @param elementType what the model reads
 * @param shape of one row, without the batch axis; -1 where the rows differ
 */
record InputBinding(
    String input,
    String expects,
    String column,
    int index,
    Source source,
    ElementType elementType,
    long[] shape,
    InputSpec.Transform transform)
    implements Serializable {

  /** Forms of a column. */
  enum Source {
    UINT8_BYTES(1),
    INT8_BYTES(1),
    INT64_BYTES(8),
    FLOAT32_BYTES(4),
    ARRAY(0),
    SCALAR(0),
    IMAGE(0);

    private final int bytes;

    Source(int bytes) {
      this.bytes = bytes;
    }

    /** Bytes per value in a binary column, 0 for other columns. */
    int bytes() {
      return bytes;
    }
  }

  /**
   * Binds every input of the model.
   *
   * @param model what to call it in messages
   * @param action what could not be done, in messages: calibrate, evaluate
   */
  static List<InputBinding> bind(
      String action,
      String model,
      Map<String, TensorType> inputs,
      Map<String, InputSpec> specs,
      StructType table) {
    for (String named : specs.keySet()) {
      if (!inputs.containsKey(named)) {
        throw TareException.badInput(
            "Cannot %s %s: it has no input \"%s\"; its inputs are %s",
            action, model, named, String.join(", ", inputs.keySet()));
      }
    }
    List<InputBinding> bindings = new ArrayList<>();
    for (Map.Entry<String, TensorType> input : inputs.entrySet()) {
      InputSpec spec = specs.getOrDefault(input.getKey(), InputSpec.derived());
      String where = "Cannot " + action + " " + model + ": input \"" + input.getKey() + "\"";
      String column = column(where, input.getKey(), inputs.size(), spec, table);
      bindings.add(
          bind(where, input.getKey(), input.getValue(), spec, table, column).at(bindings.size()));
    }
    return bindings;
  }

  /** The same binding for a column at another place. */
  InputBinding at(int newIndex) {
    return new InputBinding(
        input, expects, column, newIndex, source, elementType, shape, transform);
  }

  private static String column(
      String where, String input, int inputs, InputSpec spec, StructType table) {
    List<String> names = Arrays.asList(table.fieldNames());
    if (spec.column().isPresent()) {
      if (!names.contains(spec.column().get())) {
        throw TareException.badInput(
            "%s is to come from column \"%s\", which is not there; the columns are %s",
            where, spec.column().get(), String.join(", ", names));
      }
      return spec.column().get();
    }
    if (names.contains(input)) {
      return input;
    }
    if (inputs == 1 && names.size() == 1) {
      return names.get(0);
    }
    throw TareException.badInput(
        "%s has no column of its name; the columns are %s; set inputs.%s.column",
        where, String.join(", ", names), input);
  }

  private static InputBinding bind(
      String where,
      String input,
      TensorType type,
      InputSpec spec,
      StructType table,
      String column) {
    DataType dataType = table.apply(column).dataType();
    Source source = source(where, column, dataType, spec, type);
    if (type.elementType().sizeBytes() == 0 || !isFillable(type.elementType())) {
      throw TareException.badInput(
          "%s expects %s, which Tare does not fill from tables", where, type);
    }
    long[] shape = rowShape(where, input, type, spec);
    int channels = shape.length == 3 && shape[0] > 0 ? (int) shape[0] : -1;
    for (List<Double> perChannel : List.of(spec.mean(), spec.std())) {
      boolean fits = perChannel.size() == 1 || channels < 0 || perChannel.size() == channels;
      if (!fits) {
        throw TareException.usage(
            "inputs.%s: mean and std take one value or one per channel (%d), not %d",
            input, channels, perChannel.size());
      }
    }
    if (spec.std().contains(0.0)) {
      throw TareException.usage("inputs.%s.std cannot be 0: values are divided by it", input);
    }
    return new InputBinding(
        input, type.toString(), column, 0, source, type.elementType(), shape, spec.transform());
  }

  private static boolean isFillable(ElementType type) {
    return switch (type) {
      case FLOAT32, FLOAT64, INT64, INT32, INT16, INT8, UINT8, BOOL -> true;
      default -> false;
    };
  }

  private static long[] rowShape(String where, String input, TensorType type, InputSpec spec) {
    if (type.rank() == 0) {
      throw TareException.badInput("%s is a scalar: there is no batch axis", where);
    }
    long[] ofModel = Arrays.copyOfRange(type.shape(), 1, type.rank());
    if (spec.shape().isEmpty()) {
      return ofModel;
    }
    long[] given = spec.shape().stream().mapToLong(Long::longValue).toArray();
    boolean fits = given.length == ofModel.length;
    for (int i = 0; fits && i < given.length; i++) {
      fits = ofModel[i] < 0 || ofModel[i] == given[i];
    }
    if (!fits) {
      throw TareException.badInput(
          "%s expects %s, inputs.%s.shape says %s for one row", where, type, input, spec.shape());
    }
    return given;
  }

  private static Source source(
      String where, String column, DataType dataType, InputSpec spec, TensorType type) {
    if (dataType.equals(DataTypes.BinaryType)) {
      if (spec.image()) {
        return Source.IMAGE;
      }
      Optional<String> given = spec.dtype().map(name -> name.toLowerCase(Locale.ROOT));
      // float32 models read images, whose bytes are uint8, more often than raw floats; the byte
      // count of the first row decides where nothing is said.
      return switch (given.orElseGet(() -> derivedDtype(type))) {
        case "uint8" -> Source.UINT8_BYTES;
        case "int8" -> Source.INT8_BYTES;
        case "int64" -> Source.INT64_BYTES;
        case "float32" -> Source.FLOAT32_BYTES;
        default ->
            throw TareException.usage(
                "%s: dtype cannot be \"%s\": it is one of uint8, int8, int64, float32",
                where, given.orElse(""));
      };
    }
    if (dataType instanceof ArrayType array && isNumber(array.elementType())) {
      return Source.ARRAY;
    }
    if (isNumber(dataType) || dataType.equals(DataTypes.BooleanType)) {
      return Source.SCALAR;
    }
    throw TareException.badInput(
        "%s cannot be read from column \"%s\" of type %s: it takes binary, numbers, or arrays of"
            + " float, double, int or bigint",
        where, column, dataType.simpleString());
  }

  private static String derivedDtype(TensorType type) {
    return switch (type.elementType()) {
      case INT64 -> "int64";
      case INT8 -> "int8";
      default -> "uint8";
    };
  }

  private static boolean isNumber(DataType type) {
    return type.equals(DataTypes.FloatType)
        || type.equals(DataTypes.DoubleType)
        || type.equals(DataTypes.IntegerType)
        || type.equals(DataTypes.LongType)
        || type.equals(DataTypes.ShortType)
        || type.equals(DataTypes.ByteType);
  }

  /** The same binding for raw float32 bytes. */
  InputBinding asFloats() {
    return new InputBinding(
        input, expects, column, index, Source.FLOAT32_BYTES, elementType, shape, transform);
  }
}
