package org.tare.spark.functions;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.tare.TareException;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/** The SQL functions by name. */
final class FunctionTable {
  private FunctionTable() {}

  /** Makes an expression of a function's arguments. */
  static final class Builder extends AbstractFunction1<Seq<Expression>, Expression> {
    private final Function<Seq<Expression>, Expression> build;

    Builder(Function<Seq<Expression>, Expression> build) {
      this.build = build;
    }

    @Override
    public Expression apply(Seq<Expression> arguments) {
      return build.apply(arguments);
    }
  }

  static Map<String, Builder> builders() {
    Map<String, Builder> builders = new LinkedHashMap<>();
    builders.put("tare_observe", aggregate("tare_observe", StatsAggregate.Kind.OBSERVE));
    builders.put(
        "tare_observe_channels",
        aggregate("tare_observe_channels", StatsAggregate.Kind.OBSERVE_CHANNELS));
    builders.put("tare_merge", aggregate("tare_merge", StatsAggregate.Kind.MERGE));
    builders.put("tare_qparams", scalar(StateFunction.Kind.QPARAMS));
    builders.put("tare_channel_qparams", scalar(StateFunction.Kind.CHANNEL_QPARAMS));
    builders.put("tare_describe", scalar(StateFunction.Kind.DESCRIBE));
    return builders;
  }

  private static Builder aggregate(String name, StatsAggregate.Kind kind) {
    return new Builder(
        arguments -> {
          List<Expression> given = CollectionConverters.asJava(arguments);
          if (given.size() != 1) {
            throw TareException.usage("%s takes 1 argument, not %d", name, given.size());
          }
          return StatsAggregate.of(given.get(0), kind);
        });
  }

  private static Builder scalar(StateFunction.Kind kind) {
    return new Builder(arguments -> StateFunction.of(arguments, kind));
  }
}
