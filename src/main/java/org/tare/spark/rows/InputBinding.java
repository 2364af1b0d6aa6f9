package org.tare.spark.rows;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
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
 * @param found the column in the table
 * @param index of the column among those that are selected
 * @param source what the column holds
 * @param exact whether whole numbers go to the model without passing through floating point
 * @param elementType what the model reads
 * @param shape of one row, without the batch axis; -1 where the rows differ
 * @param batchAxis the axis of the model's input that counts rows, or {@link InputSpec#NO_AXIS}
 * @param channelAxis the axis of {@code shape} that several means and standard deviations count
 * @param value what every row has, if it comes from no column; else empty
 */
record InputBinding(
    String input,
    String expects,
    ColumnNames.Found found,
    int index,
    Source source,
    boolean exact,
    ElementType elementType,
    long[] shape,
    int batchAxis,
    int channelAxis,
    InputSpec.Transform transform,
    double[] value)
    implements Serializable {

  /** Forms of a column. */
  enum Source {
    UINT8_BYTES(1),
    INT8_BYTES(1),
    INT32_BYTES(4),
    INT64_BYTES(8),
    FLOAT16_BYTES(2),
    FLOAT32_BYTES(4),
    FLOAT64_BYTES(8),
    /** Numbers, in arrays of any depth. */
    ARRAY(0),
    SCALAR(0),
    /** Spark ML's vectors. */
    VECTOR(0),
    /** PNG or JPEG files. */
    IMAGE(0),
    /** Pixels as Spark's image source gives them. */
    PIXELS(0),
    /** No column: the settings have the value. */
    VALUE(0);

    private final int bytes;

    Source(int bytes) {
      this.bytes = bytes;
    }

    /** Bytes per value in a binary column, 0 for other columns. */
    int bytes() {
      return bytes;
    }

    /** What the bytes of a binary column are, as settings name it. */
    String dtype() {
      return name().substring(0, name().indexOf("_BYTES")).toLowerCase(Locale.ROOT);
    }

    /** The form of binary columns that settings name so. */
    static Optional<Source> ofDtype(String name) {
      return Arrays.stream(values())
          .filter(source -> source.bytes > 0 && source.dtype().equals(name))
          .findFirst();
    }

    boolean isImage() {
      return this == IMAGE || this == PIXELS;
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
      ColumnNames table) {
    checkNames(action, model, inputs, specs);
    BatchAxes axes = BatchAxes.of("Cannot " + action + " " + model, inputs, specs);
    return bind(action, model, inputs, specs, table, axes);
  }

  /** Checks that what is said of inputs is said of inputs that are there. */
  static void checkNames(
      String action, String model, Map<String, TensorType> inputs, Map<String, InputSpec> specs) {
    for (String named : specs.keySet()) {
      if (!inputs.containsKey(named)) {
        throw TareException.badInput(
            "Cannot %s %s: it has no input \"%s\"; its inputs are %s",
            action, model, named, String.join(", ", inputs.keySet()));
      }
    }
  }

  /** The same, where the axes of the rows are known. */
  static List<InputBinding> bind(
      String action,
      String model,
      Map<String, TensorType> inputs,
      Map<String, InputSpec> specs,
      ColumnNames table,
      BatchAxes axes) {
    List<InputBinding> bindings = new ArrayList<>();
    for (Map.Entry<String, TensorType> input : inputs.entrySet()) {
      InputSpec spec = specs.getOrDefault(input.getKey(), InputSpec.derived());
      String where = "Cannot " + action + " " + model + ": input \"" + input.getKey() + "\"";
      ColumnNames.Found column =
          column(where, input.getKey(), inputs.size(), spec, table, axes.axis(input.getKey()));
      bindings.add(
          bind(where, input.getKey(), input.getValue(), spec, column, axes.axis(input.getKey()))
              .at(bindings.size()));
    }
    return bindings;
  }

  /** The column's name once it is selected. */
  String column() {
    return found.name();
  }

  /** The same binding for a column at another place. */
  InputBinding at(int newIndex) {
    return new InputBinding(
        input,
        expects,
        found,
        newIndex,
        source,
        exact,
        elementType,
        shape,
        batchAxis,
        channelAxis,
        transform,
        value);
  }

  /** The same binding for raw bytes of another type. */
  InputBinding asBytes(Source form) {
    return new InputBinding(
        input,
        expects,
        found,
        index,
        form,
        form == source ? exact : transform.keepsValues() && isExact(form, found, elementType),
        elementType,
        shape,
        batchAxis,
        channelAxis,
        transform,
        value);
  }

  /** Whether the input comes from a column, and not from the settings. */
  boolean hasColumn() {
    return source != Source.VALUE;
  }

  /** Whether all rows of a batch share the input. */
  boolean isShared() {
    return batchAxis == InputSpec.NO_AXIS;
  }

  /**
   * A row that this input cannot take.
   *
   * @param what completes the sentence "column … "
   */
  RowDecoder.BadRow bad(String what) {
    return new RowDecoder.BadRow(
        "input \"" + input + "\" expects " + expects + ", column \"" + column() + "\" " + what);
  }

  private static ColumnNames.Found column(
      String where, String input, int inputs, InputSpec spec, ColumnNames table, int batchAxis) {
    if (!spec.value().isEmpty()) {
      return new ColumnNames.Found(List.of("inputs." + input + ".value"), DataTypes.DoubleType);
    }
    if (spec.column().isPresent()) {
      return table
          .find(spec.column().get())
          .orElseThrow(
              () ->
                  TareException.badInput(
                      "%s is to come from column \"%s\", which is not there; the columns are %s",
                      where, spec.column().get(), table.list()));
    }
    Optional<ColumnNames.Found> named = table.findColumn(input);
    if (named.isEmpty() && inputs == 1) {
      named = table.only();
    }
    return named.orElseThrow(
        () ->
            TareException.badInput(
                "%s has no column of its name; the columns are %s; set inputs.%s.column%s",
                where,
                table.list(),
                input,
                batchAxis == 0 ? "" : ", or inputs." + input + ".value for all rows"));
  }

  private static InputBinding bind(
      String where,
      String input,
      TensorType type,
      InputSpec spec,
      ColumnNames.Found column,
      int batchAxis) {
    Source source =
        spec.value().isEmpty() ? source(where, input, column, spec, type) : Source.VALUE;
    if (type.elementType().sizeBytes() == 0 || !isFillable(type.elementType())) {
      throw TareException.badInput(
          "%s expects %s, which Tare does not fill from tables", where, type);
    }
    long[] shape = rowShape(where, input, type, spec, batchAxis);
    checkTransform(input, spec);
    checkImage(where, input, type, spec, source, shape);
    boolean needsImageAxes = spec.channelsLast() && !source.isImage();
    if (needsImageAxes && shape.length != 3) {
      throw TareException.usage(
          "inputs.%s.layout=nhwc is for inputs of three axes besides the batch; this one is %s",
          input, type);
    }
    InputSpec.Transform transform = spec.transform();
    return new InputBinding(
        input,
        type.toString(),
        column,
        0,
        source,
        transform.keepsValues() && isExact(source, column, type.elementType()),
        type.elementType(),
        shape,
        batchAxis,
        channelAxis(input, type, spec, source, shape),
        transform,
        FixedValue.of(where, input, type, shape, spec));
  }

  private static boolean isExact(Source source, ColumnNames.Found column, ElementType type) {
    boolean isWhole =
        switch (source) {
          case UINT8_BYTES, INT8_BYTES, INT32_BYTES, INT64_BYTES, IMAGE, PIXELS -> true;
          case ARRAY, SCALAR -> ColumnForm.isExact(column.type());
          case VECTOR, FLOAT16_BYTES, FLOAT32_BYTES, FLOAT64_BYTES, VALUE -> false;
        };
    return isWhole && isInteger(type);
  }

  private static boolean isFillable(ElementType type) {
    return switch (type) {
      case FLOAT16, FLOAT32, FLOAT64 -> true;
      default -> isInteger(type);
    };
  }

  private static boolean isInteger(ElementType type) {
    return switch (type) {
      case INT64, INT32, INT16, INT8, UINT8, BOOL -> true;
      default -> false;
    };
  }

  private static void checkTransform(String input, InputSpec spec) {
    if (spec.std().contains(0.0)) {
      throw TareException.usage("inputs.%s.std cannot be 0: values are divided by it", input);
    }
    List<Double> numbers = new ArrayList<>(spec.mean());
    numbers.addAll(spec.std());
    numbers.add(spec.scale());
    for (double number : numbers) {
      if (!Double.isFinite(number)) {
        throw TareException.usage(
            "inputs.%s: scale, mean and std are finite numbers, not %s", input, number);
      }
    }
  }

  private static void checkImage(
      String where, String input, TensorType type, InputSpec spec, Source source, long[] shape) {
    if (!source.isImage()) {
      for (String field : List.of("resize", "crop")) {
        if (!(field.equals("crop") ? spec.crop() : spec.resize()).isEmpty()) {
          throw TareException.usage(
              "inputs.%s.%s is for images; set inputs.%s.image=true, or leave it out",
              input, field, input);
        }
      }
      return;
    }
    if (shape.length != 3) {
      throw TareException.badInput(
          "%s expects %s; images need an input of three axes besides the batch", where, type);
    }
    boolean hasColors = shape[0] < 0 || shape[0] == 1 || shape[0] == 3;
    if (!hasColors) {
      throw TareException.badInput(
          "%s expects %s; images are given as [channels, height, width] with 1 or 3 channels, not"
              + " %d",
          where, type, shape[0]);
    }
    if (spec.crop().isEmpty()) {
      return;
    }
    for (int i = 0; i < 2; i++) {
      int crop = spec.crop().get(Math.min(i, spec.crop().size() - 1));
      int resized = spec.resize().isEmpty() ? crop : spec.resize().get(i % spec.resize().size());
      String side = i == 0 ? "height" : "width";
      if (spec.resize().size() == 2 && crop > resized) {
        throw TareException.usage(
            "inputs.%s.crop: the %s of %d is more than the %d that resize leaves",
            input, side, crop, resized);
      }
      if (shape[i + 1] >= 0 && shape[i + 1] != crop) {
        throw TareException.usage(
            "inputs.%s.crop: the %s of %d is not the %d of the model's %s",
            input, side, crop, shape[i + 1], type);
      }
    }
  }

  /** Several means or standard deviations are those of the channels, or else of the last axis. */
  private static int channelAxis(
      String input, TensorType type, InputSpec spec, Source source, long[] shape) {
    int count = Math.max(spec.mean().size(), spec.std().size());
    int last = shape.length - 1;
    if (count == 1) {
      return Math.max(0, last);
    }
    for (int given : new int[] {spec.mean().size(), spec.std().size()}) {
      if (given != 1 && given != count) {
        throw TareException.usage(
            "inputs.%s: mean has %d values and std %d; each takes one value, or both one for each"
                + " channel",
            input, spec.mean().size(), spec.std().size());
      }
    }
    if (shape.length == 3) {
      boolean isLast = shape[last] == count && shape[0] != count && !source.isImage();
      int axis = isLast ? last : 0;
      if (shape[axis] >= 0 && shape[axis] != count) {
        throw TareException.usage(
            "inputs.%s: mean and std take one value or one per channel (%d), not %d",
            input, shape[0], count);
      }
      return axis;
    }
    if (shape.length == 0 || (shape[last] >= 0 && shape[last] != count)) {
      throw TareException.usage(
          "inputs.%s: mean and std take one value or one for each place of the last axis of %s, not"
              + " %d",
          input, type, count);
    }
    return last;
  }

  private static long[] rowShape(
      String where, String input, TensorType type, InputSpec spec, int batchAxis) {
    long[] ofModel =
        IntStream.range(0, type.rank())
            .filter(axis -> axis != batchAxis)
            .mapToLong(axis -> type.shape()[axis])
            .toArray();
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
      String where, String input, ColumnNames.Found column, InputSpec spec, TensorType type) {
    DataType dataType = column.type();
    boolean isBinary = dataType.equals(DataTypes.BinaryType);
    boolean isPixels = ColumnForm.isImage(dataType);
    if (spec.dtype().isPresent() && !isBinary) {
      throw TareException.usage(
          "inputs.%s.dtype says what the bytes of a binary column are; column \"%s\" is of type %s",
          input, column.name(), dataType.simpleString());
    }
    if (spec.image() && !isBinary && !isPixels) {
      throw TareException.usage(
          "inputs.%s.image=true is for binary columns of PNG or JPEG files and for Spark's image"
              + " source; column \"%s\" is of type %s%s",
          input, column.name(), dataType.simpleString(), fieldHint(input, column));
    }
    if (isBinary) {
      if (spec.image()) {
        return Source.IMAGE;
      }
      if (spec.dtype().isEmpty()) {
        return derivedForm(type);
      }
      String given = spec.dtype().get().toLowerCase(Locale.ROOT);
      return Source.ofDtype(given)
          .orElseThrow(
              () ->
                  TareException.usage(
                      "%s: dtype cannot be \"%s\": it is one of uint8, int8, int32, int64, float16,"
                          + " float32, float64",
                      where, given));
    }
    if (isPixels) {
      return Source.PIXELS;
    }
    if (ColumnForm.isVector(dataType)) {
      return Source.VECTOR;
    }
    if (ColumnForm.isArrayOfNumbers(dataType)) {
      return Source.ARRAY;
    }
    if (ColumnForm.isNumber(dataType)) {
      return Source.SCALAR;
    }
    throw TareException.badInput(
        "%s cannot be read from column \"%s\" of type %s: it takes binary, numbers, booleans, arrays"
            + " of these, and Spark's images and vectors%s",
        where, column.name(), dataType.simpleString(), fieldHint(input, column));
  }

  private static String fieldHint(String input, ColumnNames.Found column) {
    if (column.type() instanceof StructType struct && struct.length() > 0) {
      return "; name one of its fields, as in inputs."
          + input
          + ".column="
          + column.name()
          + "."
          + struct.apply(0).name();
    }
    return "";
  }

  /**
   * Models of floats read images, whose bytes are uint8, more often than raw floats; the byte count
   * of the first rows decides where nothing is said.
   */
  private static Source derivedForm(TensorType type) {
    return switch (type.elementType()) {
      case INT64 -> Source.INT64_BYTES;
      case INT8 -> Source.INT8_BYTES;
      default -> Source.UINT8_BYTES;
    };
  }
}
