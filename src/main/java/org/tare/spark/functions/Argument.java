package org.tare.spark.functions;

import java.util.Arrays;
import java.util.stream.Collectors;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StringType;
import org.tare.TareException;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.spark.rows.FloatValues;

/** An argument of a SQL function: its name, what it is, and how its text is read. */
enum Argument {
  VALUES("x", "numbers, arrays of numbers, or BINARY with little-endian float32 values"),
  CHANNEL_VALUES(
      "x",
      "arrays of numbers, or BINARY with little-endian float32 values; all of one length, each index"
          + " a channel"),
  STATE("state", "BINARY, a state of tare_observe or tare_merge"),
  CONTENT(
      "content",
      "BINARY, the bytes of a state file, as in the column content of the source binaryFile"),
  TENSOR("tensor", "STRING, the name of a tensor in the file"),
  METHOD(
      "method",
      "STRING, how the range is chosen: one of "
          + String.join(", ", RangeMethod.PARAMETERS.keySet())
          + "; with parameters as in 'percentile(percentile=99.9)'"),
  DTYPE("dtype", "STRING, the integer type: ONNX's name, as uint8, or PyTorch's, as quint8"),
  TENSOR_SCHEME("scheme", "STRING, per_tensor_affine (the default) or per_tensor_symmetric"),
  CHANNEL_SCHEME("scheme", "STRING, per_channel_symmetric (the default) or per_channel_affine"),
  RULE(
      "rule",
      "STRING, whose arithmetic: pytorch or onnxruntime; by default the one whose name dtype has");

  private final String label;
  private final String meaning;

  Argument(String label, String meaning) {
    this.label = label;
    this.meaning = meaning;
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
    return switch (this) {
      case VALUES, CHANNEL_VALUES, STATE, CONTENT -> false;
      case TENSOR, METHOD, DTYPE, TENSOR_SCHEME, CHANNEL_SCHEME, RULE -> true;
    };
  }

  /** Whether an expression of the type can be given. NULL always can. */
  boolean takes(DataType type) {
    if (type instanceof NullType) {
      return true;
    }
    return switch (this) {
      case VALUES -> FloatValues.of(type, label).isPresent();
      case CHANNEL_VALUES ->
          FloatValues.of(type, label).filter(found -> !found.isScalar()).isPresent();
      case STATE, CONTENT -> type instanceof BinaryType;
      // Types of strings with and without a collation are not equal.
      default -> type instanceof StringType;
    };
  }

  /**
   * What the text stands for.
   *
   * @throws TareException if it is none of the allowed values, which the message lists
   */
  Object read(SqlFunction function, String text) {
    try {
      return switch (this) {
        case METHOD -> RangeMethod.parse(text);
        case DTYPE -> StateRows.DTypeName.of(text);
        case TENSOR_SCHEME -> scheme(text, QScheme.PER_TENSOR_AFFINE, QScheme.PER_TENSOR_SYMMETRIC);
        case CHANNEL_SCHEME ->
            scheme(text, QScheme.PER_CHANNEL_AFFINE, QScheme.PER_CHANNEL_SYMMETRIC);
        case RULE -> QParamsRule.of(text);
        default -> text;
      };
    } catch (TareException e) {
      throw TareException.of(
              e.kind(), function.sqlName() + ", argument " + label + ": " + e.getMessage())
          .causedBy(e);
    }
  }

  private static QScheme scheme(String text, QScheme... allowed) {
    for (QScheme scheme : allowed) {
      if (scheme.id().equalsIgnoreCase(text)) {
        return scheme;
      }
    }
    throw TareException.usage(
        "\"%s\" cannot be taken here: the scheme is one of %s",
        text, Arrays.stream(allowed).map(QScheme::id).collect(Collectors.joining(", ")));
  }
}
