package org.tare.spark.functions;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
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
    FunctionTable.forEach(
        (info, builder) ->
            extensions.injectFunction(
                new Tuple3<>(new FunctionIdentifier(info.getName()), info, builder)));
    return BoxedUnit.UNIT;
  }
}
