package org.tare.spark.functions;

import java.util.function.BiConsumer;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/** The SQL functions in the form in which Spark registers them. */
final class FunctionTable {
  private FunctionTable() {}

  /**
   * Makes an expression of a function's arguments. They are checked here, once: the optimizer may
   * put literals in the place of columns later, when it is too late for a refusal that a user can
   * read.
   */
  static final class Builder extends AbstractFunction1<Seq<Expression>, Expression> {
    private final SqlFunction function;

    Builder(SqlFunction function) {
      this.function = function;
    }

    @Override
    public Expression apply(Seq<Expression> arguments) {
      String problem =
          ArgumentCheck.problem(function, CollectionConverters.asJava(arguments)).orElse("");
      return function.isAggregate()
          ? new StatsAggregate(arguments, function.name(), problem, 0, 0)
          : new StateFunction(arguments, function.name(), problem);
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
