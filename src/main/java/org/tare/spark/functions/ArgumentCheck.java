package org.tare.spark.functions;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedArgumentExpression;
import org.apache.spark.sql.types.DataType;
import org.tare.TareException;

/**
 * Checks a call's arguments when Spark analyzes the query: how many there are, their types, and the
 * values of those that are known by then.
 */
final class ArgumentCheck {
  private ArgumentCheck() {}

  /** What Catalyst is told of a problem, or of none if it is empty. */
  static TypeCheckResult result(String problem) {
    return problem.isEmpty()
        ? TypeCheckResult.TypeCheckSuccess$.MODULE$
        : new TypeCheckResult.TypeCheckFailure(problem);
  }

  /** What is wrong with the arguments of a call; none if nothing is known to be. */
  static Optional<String> problem(SqlFunction function, List<Expression> given) {
    if (given.stream().anyMatch(NamedArgumentExpression.class::isInstance)) {
      return Optional.of(
          String.format(
              "%s takes its arguments by position, not by name: %s",
              function.sqlName(), function.signature()));
    }
    if (!function.takes(given.size())) {
      return Optional.of(
          String.format(
              "%s takes %s, not %d: %s",
              function.sqlName(), function.counts(), given.size(), function.signature()));
    }
    for (int i = 0; i < given.size(); i++) {
      Argument argument = function.arguments().get(i);
      DataType type = given.get(i).dataType();
      if (!argument.takes(type)) {
        return Optional.of(
            String.format(
                argument.isText()
                    ? "%s cannot take a value of type %s: argument %s is %s"
                    : "%s cannot read a column of type %s: argument %s is %s",
                function.sqlName(),
                type.simpleString(),
                argument.label(),
                argument.meaning()));
      }
      Optional<String> text = argument.isText() ? known(given.get(i)) : Optional.empty();
      if (text.isPresent()) {
        try {
          argument.read(function, text.get());
        } catch (TareException e) {
          return Optional.of(e.getMessage());
        }
      }
    }
    return Optional.empty();
  }

  /** The value of an expression without columns; none if it is NULL or not known before the run. */
  private static Optional<String> known(Expression expression) {
    if (!expression.foldable()) {
      return Optional.empty();
    }
    try {
      Object value = expression.eval(InternalRow.empty());
      return value == null ? Optional.empty() : Optional.of(value.toString());
    } catch (RuntimeException e) {
      // Some are replaced before the run and have no value until then. The run checks them.
      return Optional.empty();
    }
  }
}
