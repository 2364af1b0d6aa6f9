package org.tare.spark.functions;

import java.io.Serializable;
import java.util.Objects;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.aggregate.ImperativeAggregate;
import org.apache.spark.sql.catalyst.expressions.aggregate.TypedImperativeAggregate;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.tare.spark.rows.FloatValues;
import org.tare.stats.StatsCodec;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;

/**
 * The aggregate functions as Catalyst knows them: one class, since an {@code Aggregator} has a
 * single input type and these take several.
 */
public final class StatsAggregate extends TypedImperativeAggregate<Object> implements Serializable {
  private static final long serialVersionUID = 1L;

  private final Seq<Expression> arguments;
  private final String functionName;
  private final String problem;
  private final int mutableOffset;
  private final int inputOffset;
  private transient FloatValues reader;

  /** Catalyst copies expressions through their constructor, with {@link #productElement}s. */
  public StatsAggregate(
      Seq<Expression> arguments,
      String functionName,
      String problem,
      int mutableOffset,
      int inputOffset) {
    this.arguments = arguments;
    this.functionName = functionName;
    this.problem = problem;
    this.mutableOffset = mutableOffset;
    this.inputOffset = inputOffset;
  }

  private SqlFunction function() {
    return SqlFunction.valueOf(functionName);
  }

  @Override
  public TypeCheckResult checkInputDataTypes() {
    return ArgumentCheck.result(problem);
  }

  private FloatValues reader() {
    if (reader == null) {
      String failure = function().sqlName() + " cannot read a value";
      reader = FloatValues.of(arguments.apply(0).dataType(), failure).orElseThrow();
    }
    return reader;
  }

  @Override
  public Object createAggregationBuffer() {
    return new ObservedValues();
  }

  @Override
  public Object update(Object buffer, InternalRow row) {
    ObservedValues values = (ObservedValues) buffer;
    Object value = arguments.apply(0).eval(row);
    if (value == null) {
      return values;
    }
    switch (function()) {
      case TARE_MERGE -> values.merge(StateBytes.ofOneTensor(function(), (byte[]) value));
      case TARE_OBSERVE_CHANNELS -> values.addChannels(reader().values(value));
      default -> {
        if (reader().isScalar()) {
          values.add(reader().number(value));
        } else {
          values.add(reader().values(value));
        }
      }
    }
    return values;
  }

  @Override
  public Object merge(Object buffer, Object other) {
    ((ObservedValues) buffer).merge((ObservedValues) other);
    return buffer;
  }

  @Override
  public Object eval(Object buffer) {
    return StatsCodec.encode(((ObservedValues) buffer).stats());
  }

  @Override
  public byte[] serialize(Object buffer) {
    return StatsCodec.encode(((ObservedValues) buffer).stats());
  }

  @Override
  public Object deserialize(byte[] bytes) {
    return new ObservedValues(StatsCodec.decode(bytes));
  }

  @Override
  public int mutableAggBufferOffset() {
    return mutableOffset;
  }

  @Override
  public int inputAggBufferOffset() {
    return inputOffset;
  }

  @Override
  public ImperativeAggregate withNewMutableAggBufferOffset(int offset) {
    return new StatsAggregate(arguments, functionName, problem, offset, inputOffset);
  }

  @Override
  public ImperativeAggregate withNewInputAggBufferOffset(int offset) {
    return new StatsAggregate(arguments, functionName, problem, mutableOffset, offset);
  }

  @Override
  public boolean nullable() {
    return false;
  }

  @Override
  public DataType dataType() {
    return DataTypes.BinaryType;
  }

  @Override
  public Seq<Expression> children() {
    return arguments;
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return new StatsAggregate(children, functionName, problem, mutableOffset, inputOffset);
  }

  @Override
  public String prettyName() {
    return function().sqlName();
  }

  @Override
  public int productArity() {
    return 5;
  }

  @Override
  public Object productElement(int index) {
    return switch (index) {
      case 0 -> arguments;
      case 1 -> functionName;
      case 2 -> problem;
      case 3 -> mutableOffset;
      default -> inputOffset;
    };
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof StatsAggregate;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof StatsAggregate that
        && arguments.equals(that.arguments)
        && functionName.equals(that.functionName)
        && problem.equals(that.problem)
        && mutableOffset == that.mutableOffset
        && inputOffset == that.inputOffset;
  }

  @Override
  public int hashCode() {
    return Objects.hash(arguments, functionName, problem, mutableOffset, inputOffset);
  }
}
