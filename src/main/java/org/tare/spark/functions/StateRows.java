package org.tare.spark.functions;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelStats;
import org.tare.stats.TensorStats;

/** What the scalar functions say of a state, as Catalyst's rows, with their types. */
final class StateRows {
  static final StructType QPARAMS =
      new StructType()
          .add("scale", DataTypes.FloatType)
          .add("zero_point", DataTypes.IntegerType)
          .add("min", DataTypes.FloatType)
          .add("max", DataTypes.FloatType)
          .add("method", DataTypes.StringType)
          .add("expected_mse", DataTypes.DoubleType)
          .add("minmax_mse", DataTypes.DoubleType)
          .add("masked", DataTypes.LongType);

  static final ArrayType CHANNEL_QPARAMS =
      DataTypes.createArrayType(
          new StructType()
              .add("scale", DataTypes.FloatType)
              .add("zero_point", DataTypes.IntegerType)
              .add("min", DataTypes.FloatType)
              .add("max", DataTypes.FloatType),
          false);

  static final StructType DESCRIPTION =
      new StructType()
          .add("count", DataTypes.LongType)
          .add("zeros", DataTypes.LongType)
          .add("nans", DataTypes.LongType)
          .add("positive_infinities", DataTypes.LongType)
          .add("negative_infinities", DataTypes.LongType)
          .add("min", DataTypes.FloatType)
          .add("max", DataTypes.FloatType)
          .add("channels", DataTypes.IntegerType);

  static final StructType FILE_DESCRIPTION =
      new StructType()
          .add("model", DataTypes.StringType)
          .add("slice", DataTypes.StringType)
          .add("rows", DataTypes.LongType)
          .add("tensors", DataTypes.createArrayType(tensorDescription(), false));

  private StateRows() {}

  private static StructType tensorDescription() {
    StructType type = new StructType().add("tensor", DataTypes.StringType);
    for (StructField field : DESCRIPTION.fields()) {
      type = type.add(field);
    }
    return type;
  }

  /** Null if there is no finite value to choose a range from. */
  static InternalRow qparams(TensorStats stats, Map<Argument, Object> arguments) {
    if (stats.finiteCount() == 0) {
      return null;
    }
    QScheme scheme =
        (QScheme) arguments.getOrDefault(Argument.TENSOR_SCHEME, QScheme.PER_TENSOR_AFFINE);
    QuantSpec spec = spec(arguments, scheme);
    RangeMethod method = (RangeMethod) arguments.get(Argument.METHOD);
    RangeChoice choice = RangeSearch.chooseForColumn("of a group", stats, method, spec);
    QParams q = spec.qparams(choice.range().min(), choice.range().max());
    return new GenericInternalRow(
        new Object[] {
          q.scale(),
          q.zeroPoint(),
          choice.range().min(),
          choice.range().max(),
          UTF8String.fromString(choice.method()),
          choice.expectedError(),
          choice.minMaxError(),
          choice.masked()
        });
  }

  static GenericArrayData channelQParams(TensorStats stats, Map<Argument, Object> arguments) {
    ChannelStats channels =
        stats
            .channels()
            .orElseThrow(
                () ->
                    TareException.badInput(
                        "tare_channel_qparams: the state holds no channels; make it with"
                            + " tare_observe_channels"));
    QScheme scheme =
        (QScheme) arguments.getOrDefault(Argument.CHANNEL_SCHEME, QScheme.PER_CHANNEL_SYMMETRIC);
    QuantSpec spec = spec(arguments, scheme);
    Object[] all = new Object[channels.channels()];
    for (int c = 0; c < all.length; c++) {
      boolean hasValues = channels.finiteCount(c) > 0;
      Range range = hasValues ? new Range(channels.min(c), channels.max(c)) : new Range(0, 0);
      QParams q = spec.qparams(range.min(), range.max());
      all[c] =
          new GenericInternalRow(new Object[] {q.scale(), q.zeroPoint(), range.min(), range.max()});
    }
    return new GenericArrayData(all);
  }

  private static QuantSpec spec(Map<Argument, Object> arguments, QScheme scheme) {
    DTypeName dtype = (DTypeName) arguments.get(Argument.DTYPE);
    QParamsRule rule = (QParamsRule) arguments.getOrDefault(Argument.RULE, dtype.rule());
    return rule.spec(dtype.type(), scheme.isSymmetric());
  }

  /**
   * An integer type, with the tool in whose spelling it was given.
   *
   * @param rule PyTorch's arithmetic for PyTorch's names, ONNX Runtime's for ONNX's
   */
  record DTypeName(DType type, QParamsRule rule) {
    static DTypeName of(String name) {
      boolean isTorch = name.toLowerCase(java.util.Locale.ROOT).startsWith("q");
      return new DTypeName(DType.of(name), isTorch ? QParamsRule.PYTORCH : QParamsRule.ONNXRUNTIME);
    }
  }

  static InternalRow describe(TensorStats stats) {
    return new GenericInternalRow(description(stats).toArray());
  }

  static InternalRow describe(CalibrationState state) {
    List<Object> tensors = new ArrayList<>();
    state
        .tensors()
        .forEach(
            (name, stats) -> {
              List<Object> fields = description(stats);
              fields.add(0, UTF8String.fromString(name));
              tensors.add(new GenericInternalRow(fields.toArray()));
            });
    return new GenericInternalRow(
        new Object[] {
          UTF8String.fromString(state.modelDigest()),
          UTF8String.fromString(state.slice()),
          state.rows(),
          new GenericArrayData(tensors.toArray())
        });
  }

  private static List<Object> description(TensorStats stats) {
    boolean hasRange = stats.finiteCount() > 0;
    List<Object> fields = new ArrayList<>();
    fields.add(stats.count());
    fields.add(stats.zeros());
    fields.add(stats.nans());
    fields.add(stats.positiveInfinities());
    fields.add(stats.negativeInfinities());
    fields.add(hasRange ? stats.min() : null);
    fields.add(hasRange ? stats.max() : null);
    fields.add(stats.channels().map(ChannelStats::channels).orElse(null));
    return fields;
  }
}
