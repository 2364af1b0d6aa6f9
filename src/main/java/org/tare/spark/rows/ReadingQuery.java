package org.tare.spark.rows;

import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.plans.logical.Command;
import org.apache.spark.sql.catalyst.plans.logical.InsertIntoDir;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.ParsedStatement;
import org.apache.spark.sql.execution.SparkSqlParser;
import org.tare.PrintableText;
import org.tare.TareException;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Queries that give rows and change nothing. Spark carries out a command as soon as it is given
 * one, and Tare gives it a query several times.
 */
public final class ReadingQuery {
  private ReadingQuery() {}

  /**
   * The rows of a query.
   *
   * @throws TareException if the text is a command, as DROP, INSERT, SET or SHOW; what is no SQL is
   *     Spark's own exception
   */
  public static Dataset<Row> rows(SparkSession spark, String sql) {
    parsed(sql).ifPresent(plan -> check(plan, sql));
    return spark.sql(sql);
  }

  /** Nothing if Spark's own parser does not take it: that of an extension may. */
  private static Optional<LogicalPlan> parsed(String sql) {
    try {
      return Optional.of(new SparkSqlParser().parsePlan(sql));
    } catch (Exception e) { // ParseException, which Scala throws unchecked
      return Optional.empty();
    }
  }

  private static void check(LogicalPlan plan, String sql) {
    boolean isCommand =
        plan instanceof Command
            || plan instanceof ParsedStatement
            || plan instanceof InsertIntoDir
            || plan.getClass().getSimpleName().contains("ExecuteImmediate");
    if (isCommand) {
      throw TareException.usage(
          "Cannot read the query \"%s\": it is a command (%s), and data are only read; give a"
              + " SELECT",
          PrintableText.of(sql), plan.getClass().getSimpleName());
    }
    CollectionConverters.asJava(plan.children()).forEach(child -> check(child, sql));
  }
}
