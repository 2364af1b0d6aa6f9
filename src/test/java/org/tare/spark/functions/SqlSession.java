package org.tare.spark.functions;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** A session that has the functions by {@code spark.sql.extensions}, and what tests ask of it. */
final class SqlSession implements AutoCloseable {
  final SparkSession spark;

  SqlSession() {
    spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "3")
            .config("spark.sql.extensions", TareExtensions.class.getName())
            .getOrCreate();
    spark.sparkContext().setLogLevel("OFF");
  }

  Row first(String sql) {
    return spark.sql(sql).first();
  }

  byte[] bytes(String sql) {
    return first(sql).getAs(0);
  }

  /** Checks that the query is refused before it runs, and how. */
  void refuses(String sql, String... parts) {
    // Nothing asks for the rows.
    Exception e = assertThrows(AnalysisException.class, () -> spark.sql(sql), sql);
    says(e.getMessage(), parts);
  }

  /** Checks that the query is analyzed, but fails when it runs, and how. */
  void fails(String sql, String... parts) {
    var query = spark.sql(sql);
    Exception e = assertThrows(Exception.class, query::collectAsList, sql);
    assertFalse(e instanceof AnalysisException, sql);
    StringBuilder said = new StringBuilder();
    for (Throwable t = e; t != null; t = t.getCause()) {
      said.append(t.getMessage()).append('\n');
    }
    says(said.toString(), parts);
  }

  private static void says(String message, String... parts) {
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "\"" + part + "\" is not in: " + message);
    }
  }

  @Override
  public void close() {
    spark.stop();
  }
}
