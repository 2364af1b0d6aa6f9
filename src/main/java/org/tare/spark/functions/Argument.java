package org.tare.spark.functions;

import java.util.EnumSet;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StringType;
import org.tare.TareException;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.spark.FloatValues;

/** An argument of a SQL function: its name, what it is, and how its text is read. */
enum Argument {
  VALUES(
      "x",
      Argument::isNumbers,
      "numbers, arrays of numbers, or BINARY with little-endian float32 values",
      null),
  CHANNEL_VALUES(
      "x",
      Argument::isArray,
      "arrays of numbers, or BINARY with little-endian float32 values; all of one length, each index"
          + " a channel",
      null),
  STATE("state", Argument::isBinary, "BINARY, a state of tare_observe or tare_merge", null),
  CONTENT(
      "content",
      Argument::isBinary,
      "BINARY, the bytes of a state file, as in the column content of the source binaryFile",
      null),
  TENSOR("tensor", Argument::isString, "STRING, the name of a tensor in the file", text -> text),
  METHOD(
      "method",
      Argument::isString,
      "STRING, how the range is chosen: one of "
          + String.join(", ", RangeMethod.PARAMETERS.keySet())
          + "; with parameters as in 'percentile(percentile=99.9)'",
      RangeMethod::parse),
  DTYPE(
      "dtype",
      Argument::isString,
      "STRING, the integer type: ONNX's name, as uint8, or PyTorch's, as quint8",
      StateRows.DTypeName::of),
  TENSOR_SCHEME(
      "scheme",
      Argument::isString,
      "STRING, per_tensor_affine (the default) or per_tensor_symmetric",
      text ->
          scheme(text, EnumSet.of(QScheme.PER_TENSOR_AFFINE, QScheme.PER_TENSOR_SYMMETRIC))),
  CHANNEL_SCHEME(
      "scheme",
      Argument::isString,
      "STRING, per_channel_symmetric (the default) or per_channel_affine",
      text ->
          scheme(text, EnumSet.of(QScheme.PER_CHANNEL_AFFINE, QScheme.PER_CHANNEL_SYMMETRIC))),
  RULE(
      "rule",
      Argument::isString,
      "STRING, whose arithmetic: pytorch or onnxruntime; by default the one whose name dtype has",
      QParamsRule::of);

  private final String label;
  private final Predicate<DataType> type;
  private final String meaning;
  private final Function<String, Object> reader;

  /**
   * An argument.
   *
   * @param reader of its text; null if it is no text
   */
  Argument(
      String label, Predicate<DataType> type, String meaning, Function<String, Object> reader) {
    this.label = label;
    this.type = type;
    this.meaning = meaning;
    this.reader = reader;
  }

  /** The name in the function's signature. */
  String label() {
    return label;
  }

  /** What it is, for a reader of the function's description. */
  String meaning() {
    return meaning;
  }

  boolean isText() {
    return reader != null;
  }

  /** Whether an expression of the type can be given. NULL always can. */
  boolean takes(DataType given) {
    return given instanceof NullType || type.test(given);
  }

  /**
   * What the text stands for.
   *
   * @throws TareException if it is none of the allowed values, which the message lists
   */
  Object read(SqlFunction function, String text) {
    try {
      return reader.apply(text);
    } catch (TareException e) {
      throw TareException.of(
              e.kind(), function.sqlName() + ", argument " + label + ": " + e.getMessage())
          .causedBy(e);
    }
  }

  private static boolean isNumbers(DataType type) {
    return FloatValues.of(type, "").isPresent();
  }

  private static boolean isArray(DataType type) {
    return FloatValues.of(type, "").filter(found -> !found.isScalar()).isPresent();
  }

  private static boolean isBinary(DataType type) {
    return type instanceof BinaryType;
  }

  private static boolean isString(DataType type) {
    return type instanceof StringType;
  }

  private static QScheme scheme(String text, Set<QScheme> allowed) {
    for (QScheme scheme : allowed) {
      if (scheme.id().equalsIgnoreCase(text)) {
        return scheme;
      }
    }
    throw TareException.usage(
        "\"%s\" cannot be taken here: the scheme is one of %s",
        text, allowed.stream().map(QScheme::id).collect(Collectors.joining(", ")));
  }
}
