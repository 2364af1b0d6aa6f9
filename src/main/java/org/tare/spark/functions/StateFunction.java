package org.tare.spark.functions;

import java.io.Serializable;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** The scalar functions on states as Catalyst knows them. */
public final class StateFunction extends Expression implements CodegenFallback, Serializable {
  private static final long serialVersionUID = 1L;

  private final Seq<Expression> arguments;
  private final String functionName;
  private final String problem;

  /** Catalyst copies expressions through their constructor, with {@link #productElement}s. */
  public StateFunction(Seq<Expression> arguments, String functionName, String problem) {
    this.arguments = arguments;
    this.functionName = functionName;
    this.problem = problem;
  }

  private SqlFunction function() {
    return SqlFunction.valueOf(functionName);
  }

  @Override
  public TypeCheckResult checkInputDataTypes() {
    return ArgumentCheck.result(problem);
  }

  @Override
  public Object eval(InternalRow row) {
    SqlFunction function = function();
    List<Expression> given = CollectionConverters.asJava(arguments);
    Object[] values = new Object[given.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = given.get(i).eval(row);
      if (values[i] == null) {
        return null;
      }
    }
    Map<Argument, Object> texts = new EnumMap<>(Argument.class);
    for (int i = 1; i < values.length; i++) {
      Argument argument = function.arguments().get(i);
      texts.put(argument, argument.read(function, values[i].toString()));
    }
    byte[] bytes = (byte[]) values[0];
    return switch (function) {
      case TARE_DESCRIBE_FILE -> StateRows.describe(StateBytes.file(function, bytes));
      case TARE_STATE -> StateBytes.tensor(function, bytes, (String) texts.get(Argument.TENSOR));
      case TARE_DESCRIBE -> StateRows.describe(stats(function, bytes));
      case TARE_QPARAMS -> StateRows.qparams(stats(function, bytes), texts);
      case TARE_CHANNEL_QPARAMS -> StateRows.channelQParams(stats(function, bytes), texts);
      default -> throw new IllegalStateException(function.sqlName());
    };
  }

  private static TensorStats stats(SqlFunction function, byte[] bytes) {
    return StatsCodec.decode(StateBytes.ofOneTensor(function, bytes));
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
    return switch (function()) {
      case TARE_QPARAMS -> StateRows.QPARAMS;
      case TARE_CHANNEL_QPARAMS -> StateRows.CHANNEL_QPARAMS;
      case TARE_DESCRIBE -> StateRows.DESCRIPTION;
      case TARE_DESCRIBE_FILE -> StateRows.FILE_DESCRIPTION;
      default -> DataTypes.BinaryType;
    };
  }

  @Override
  public Seq<Expression> children() {
    return arguments;
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return new StateFunction(children, functionName, problem);
  }

  @Override
  public String prettyName() {
    return function().sqlName();
  }

  @Override
  public int productArity() {
    return 3;
  }

  @Override
  public Object productElement(int index) {
    return switch (index) {
      case 0 -> arguments;
      case 1 -> functionName;
      default -> problem;
    };
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof StateFunction;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof StateFunction that
        && arguments.equals(that.arguments)
        && functionName.equals(that.functionName)
        && problem.equals(that.problem);
  }

  @Override
  public int hashCode() {
    return Objects.hash(arguments, functionName, problem);
  }
}
