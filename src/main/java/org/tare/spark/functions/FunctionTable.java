package org.tare.spark.functions;

import java.util.function.BiConsumer;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.collection.immutable.Seq;
import scala.runtime.AbstractFunction1;

/** The SQL functions in the form in which Spark registers them. */
final class FunctionTable {
  private FunctionTable() {}

  /** Makes an expression of a function's arguments, which Catalyst then asks to check them. */
  static final class Builder extends AbstractFunction1<Seq<Expression>, Expression> {
    private final SqlFunction function;

    Builder(SqlFunction function) {
      this.function = function;
    }

    @Override
    public Expression apply(Seq<Expression> arguments) {
      return function.isAggregate()
          ? new StatsAggregate(arguments, function.name(), 0, 0)
          : new StateFunction(arguments, function.name());
    }
  }

  /** Hands each function's description and builder over. */
  static void forEach(BiConsumer<ExpressionInfo, Builder> registration) {
    for (SqlFunction function : SqlFunction.values()) {
      registration.accept(info(function), new Builder(function));
    }
  }

  private static ExpressionInfo info(SqlFunction function) {
    Class<?> expression = function.isAggregate() ? StatsAggregate.class : StateFunction.class;
    String unsaid = "";
    return new ExpressionInfo(
        expression.getName(),
        null,
        function.sqlName(),
        function.usage(),
        function.argumentsSection(),
        function.examplesSection(),
        unsaid,
        function.sparkGroup(),
        unsaid,
        unsaid,
        "java_udf");
  }
}
