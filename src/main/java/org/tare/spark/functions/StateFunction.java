package org.tare.spark.functions;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
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
import org.tare.stats.ChannelStats;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** The scalar functions on states as Catalyst knows them. */
public final class StateFunction extends Expression implements CodegenFallback, Serializable {
  private static final long serialVersionUID = 1L;

  /** Which function it is. */
  enum Kind {
    /** {@code tare_qparams(state, method, dtype [, scheme [, rule]])}. */
    QPARAMS("tare_qparams", 3, 5),
    /** {@code tare_channel_qparams(state, dtype [, scheme [, rule]])}. */
    CHANNEL_QPARAMS("tare_channel_qparams", 2, 4),
    /** {@code tare_describe(state)}. */
    DESCRIBE("tare_describe", 1, 1);

    private final String function;
    private final int least;
    private final int most;

    Kind(String function, int least, int most) {
      this.function = function;
      this.least = least;
      this.most = most;
    }
  }

  private static final StructType QPARAMS_TYPE =
      new StructType()
          .add("scale", DataTypes.FloatType)
          .add("zero_point", DataTypes.IntegerType)
          .add("min", DataTypes.FloatType)
          .add("max", DataTypes.FloatType)
          .add("method", DataTypes.StringType)
          .add("expected_mse", DataTypes.DoubleType)
          .add("minmax_mse", DataTypes.DoubleType)
          .add("masked", DataTypes.LongType);

  private static final StructType CHANNEL_TYPE =
      new StructType()
          .add("scale", DataTypes.FloatType)
          .add("zero_point", DataTypes.IntegerType)
          .add("min", DataTypes.FloatType)
          .add("max", DataTypes.FloatType);

  private static final StructType DESCRIBE_TYPE =
      new StructType()
          .add("count", DataTypes.LongType)
          .add("zeros", DataTypes.LongType)
          .add("nans", DataTypes.LongType)
          .add("positive_infinities", DataTypes.LongType)
          .add("negative_infinities", DataTypes.LongType)
          .add("min", DataTypes.FloatType)
          .add("max", DataTypes.FloatType)
          .add("channels", DataTypes.IntegerType);

  private final Seq<Expression> arguments;
  private final String kindName;

  /** Catalyst copies expressions through their constructor. */
  public StateFunction(Seq<Expression> arguments, String kindName) {
    this.arguments = arguments;
    this.kindName = kindName;
  }

  static StateFunction of(Seq<Expression> arguments, Kind kind) {
    List<Expression> given = CollectionConverters.asJava(arguments);
    if (given.size() < kind.least || given.size() > kind.most) {
      throw TareException.usage(
          "%s takes %d to %d arguments, not %d",
          kind.function, kind.least, kind.most, given.size());
    }
    for (int i = 0; i < given.size(); i++) {
      DataType expected = i == 0 ? DataTypes.BinaryType : DataTypes.StringType;
      DataType found = given.get(i).dataType();
      if (!found.getClass().isInstance(expected) && !found.equals(expected)) {
        throw TareException.badInput(
            "%s: argument %d is of type %s, not %s",
            kind.function, i + 1, found.simpleString(), expected.simpleString());
      }
    }
    return new StateFunction(arguments, kind.name());
  }

  private Kind kind() {
    return Kind.valueOf(kindName);
  }

  @Override
  public Object eval(InternalRow row) {
    List<Object> values = new ArrayList<>();
    for (Expression argument : CollectionConverters.asJava(arguments)) {
      Object value = argument.eval(row);
      if (value == null) {
        return null;
      }
      values.add(value instanceof UTF8String text ? text.toString() : value);
    }
    TensorStats stats = StatsCodec.decode((byte[]) values.get(0));
    return switch (kind()) {
      case QPARAMS -> qparams(stats, values);
      case CHANNEL_QPARAMS -> channelQParams(stats, values);
      case DESCRIBE -> describe(stats);
    };
  }

  private static QuantSpec spec(List<Object> values, int dtype, QScheme scheme) {
    String name = (String) values.get(dtype);
    String rule = values.size() > dtype + 2 ? (String) values.get(dtype + 2) : "";
    return spec(name, scheme, rule.isEmpty() ? Optional.empty() : Optional.of(rule));
  }

  /** PyTorch's arithmetic for PyTorch's type names, ONNX Runtime's for ONNX's, unless told. */
  private static QuantSpec spec(String dtype, QScheme scheme, Optional<String> rule) {
    QParamsRule chosen =
        rule.map(QParamsRule::of)
            .orElse(dtype.startsWith("q") ? QParamsRule.PYTORCH : QParamsRule.ONNXRUNTIME);
    return chosen.spec(DType.of(dtype), scheme.isSymmetric());
  }

  /** Null if there is no finite value to choose a range from. */
  private static InternalRow qparams(TensorStats stats, List<Object> values) {
    RangeMethod method = RangeMethod.parse((String) values.get(1));
    QScheme scheme =
        values.size() > 3 ? QScheme.of((String) values.get(3)) : QScheme.PER_TENSOR_AFFINE;
    if (scheme.isPerChannel()) {
      throw TareException.usage(
          "tare_qparams cannot take the scheme %s: tare_channel_qparams does", scheme.id());
    }
    if (stats.finiteCount() == 0) {
      return null;
    }
    QuantSpec spec = spec(values, 2, scheme);
    boolean isLiteral = method instanceof RangeMethod.MinMax;
    RangeChoice choice =
        isLiteral
            ? RangeSearch.extremes("of a group", stats, spec)
            : RangeSearch.choose("of a group", stats, method, spec);
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

  private static GenericArrayData channelQParams(TensorStats stats, List<Object> values) {
    ChannelStats channels =
        stats
            .channels()
            .orElseThrow(
                () ->
                    TareException.badInput(
                        "tare_channel_qparams: the state holds no channels; make it with"
                            + " tare_observe_channels"));
    QScheme scheme =
        values.size() > 2 ? QScheme.of((String) values.get(2)) : QScheme.PER_CHANNEL_SYMMETRIC;
    QuantSpec spec = spec(values, 1, scheme);
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

  private static InternalRow describe(TensorStats stats) {
    boolean hasRange = stats.finiteCount() > 0;
    return new GenericInternalRow(
        new Object[] {
          stats.count(),
          stats.zeros(),
          stats.nans(),
          stats.positiveInfinities(),
          stats.negativeInfinities(),
          hasRange ? stats.min() : null,
          hasRange ? stats.max() : null,
          stats.channels().map(ChannelStats::channels).orElse(null)
        });
  }

  @Override
  public ExprCode doGenCode(CodegenContext context, ExprCode code) {
    return CodegenFallback.super.doGenCode(context, code);
  }

  @Override
  public boolean nullable() {
    return true;
  }

  @Override
  public DataType dataType() {
    return switch (kind()) {
      case QPARAMS -> QPARAMS_TYPE;
      case CHANNEL_QPARAMS -> DataTypes.createArrayType(CHANNEL_TYPE, false);
      case DESCRIBE -> DESCRIBE_TYPE;
    };
  }

  @Override
  public Seq<Expression> children() {
    return arguments;
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return new StateFunction(children, kindName);
  }

  @Override
  public String prettyName() {
    return kind().function;
  }

  @Override
  public int productArity() {
    return 2;
  }

  @Override
  public Object productElement(int index) {
    return index == 0 ? arguments : kindName;
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof StateFunction;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof StateFunction that
        && arguments.equals(that.arguments)
        && kindName.equals(that.kindName);
  }

  @Override
  public int hashCode() {
    return Objects.hash(arguments, kindName);
  }
}
