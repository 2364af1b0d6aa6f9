package org.tare.spark.functions;

import java.io.Serializable;
import java.util.List;
import java.util.Objects;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.aggregate.ImperativeAggregate;
import org.apache.spark.sql.catalyst.expressions.aggregate.TypedImperativeAggregate;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.tare.stats.StatsCodec;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * The aggregate functions as Catalyst knows them: one class, since an {@code Aggregator} has a
 * single input type and these take several.
 */
public final class StatsAggregate extends TypedImperativeAggregate<Object> implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Which function it is. */
  enum Kind {
    OBSERVE("tare_observe"),
    OBSERVE_CHANNELS("tare_observe_channels"),
    MERGE("tare_merge");

    private final String function;

    Kind(String function) {
      this.function = function;
    }
  }

  private final Expression child;
  private final String kindName;
  private final int mutableOffset;
  private final int inputOffset;
  private transient ValueReader reader;

  /** Catalyst copies expressions through their constructor, with {@link #productElement}s. */
  public StatsAggregate(Expression child, String kindName, int mutableOffset, int inputOffset) {
    this.child = child;
    this.kindName = kindName;
    this.mutableOffset = mutableOffset;
    this.inputOffset = inputOffset;
  }

  static StatsAggregate of(Expression child, Kind kind) {
    if (kind == Kind.MERGE) {
      if (!child.dataType().equals(DataTypes.BinaryType)) {
        throw org.tare.TareException.badInput(
            "tare_merge cannot read a column of type %s: it takes BINARY, the states of tare_observe",
            child.dataType().simpleString());
      }
    } else {
      ValueReader reader = ValueReader.of(kind.function, child.dataType());
      if (kind == Kind.OBSERVE_CHANNELS && reader.isScalar()) {
        throw org.tare.TareException.badInput(
            "tare_observe_channels cannot read a column of type %s: it takes arrays, each index a"
                + " channel",
            child.dataType().simpleString());
      }
    }
    return new StatsAggregate(child, kind.name(), 0, 0);
  }

  private Kind kind() {
    return Kind.valueOf(kindName);
  }

  private ValueReader reader() {
    if (reader == null) {
      reader = ValueReader.of(kind().function, child.dataType());
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
    Object value = child.eval(row);
    if (value == null) {
      return values;
    }
    switch (kind()) {
      case MERGE -> values.merge((byte[]) value);
      case OBSERVE_CHANNELS -> values.addChannels(reader().values(value));
      case OBSERVE -> {
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
    return new StatsAggregate(child, kindName, offset, inputOffset);
  }

  @Override
  public ImperativeAggregate withNewInputAggBufferOffset(int offset) {
    return new StatsAggregate(child, kindName, mutableOffset, offset);
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
    return CollectionConverters.asScala(List.of(child)).toList();
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return new StatsAggregate(children.apply(0), kindName, mutableOffset, inputOffset);
  }

  @Override
  public String prettyName() {
    return kind().function;
  }

  @Override
  public int productArity() {
    return 4;
  }

  @Override
  public Object productElement(int index) {
    return switch (index) {
      case 0 -> child;
      case 1 -> kindName;
      case 2 -> mutableOffset;
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
        && child.equals(that.child)
        && kindName.equals(that.kindName)
        && mutableOffset == that.mutableOffset
        && inputOffset == that.inputOffset;
  }

  @Override
  public int hashCode() {
    return Objects.hash(child, kindName, mutableOffset, inputOffset);
  }
}
