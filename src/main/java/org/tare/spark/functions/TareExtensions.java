package org.tare.spark.functions;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Tuple3;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * Brings Tare's SQL functions into every session: {@code
 * spark.sql.extensions=org.tare.spark.functions.TareExtensions}. What they do stands at {@link
 * TareFunctions}.
 */
public final class TareExtensions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {
  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    FunctionTable.builders()
        .forEach(
            (name, builder) ->
                extensions.injectFunction(
                    new Tuple3<>(
                        new FunctionIdentifier(name),
                        new ExpressionInfo(StatsAggregate.class.getName(), name),
                        builder)));
    return BoxedUnit.UNIT;
  }
}
