package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.TareException;
import org.tare.spark.tasks.DigitsCalibration;

class ReadingQueryTest {
  private static SparkSession spark;

  @BeforeAll
  static void start() {
    spark = DigitsCalibration.local("local[1]", Map.of());
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT 1 AS x",
        "SELECT 1 AS x -- DROP TABLE t",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a ORDER BY x LIMIT 1",
        "SELECT x FROM (VALUES (1)) AS t(x) WHERE x > 0 UNION ALL SELECT 2 WHERE false",
        "VALUES (1)",
        "SELECT x FROM (VALUES (1)) AS t(x) GROUP BY x HAVING count(*) = 1;"
      })
  void queriesGiveTheirRows(String sql) {
    assertEquals(1, ReadingQuery.rows(spark, sql).count());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "DROP VIEW kept|DropView",
        "CREATE OR REPLACE TEMPORARY VIEW kept AS SELECT 2 AS x|CreateView",
        "INSERT INTO kept SELECT 2|InsertIntoStatement",
        "FROM kept INSERT INTO kept SELECT x INSERT INTO kept SELECT x|InsertIntoStatement",
        "SET spark.sql.ansi.enabled=false|SetCommand",
        "SHOW TABLES|ShowTables",
        "TRUNCATE TABLE kept|TruncateTable",
        "CACHE TABLE kept|CacheTable"
      })
  void commandsAreRefusedAndChangeNothing(String sql, String name) {
    spark.sql("SELECT 1 AS x").createOrReplaceTempView("kept");
    TareException e = assertThrows(TareException.class, () -> ReadingQuery.rows(spark, sql));
    assertTrue(
        e.getMessage()
            .startsWith("Cannot read the query \"" + sql + "\": it is a command (" + name),
        e.getMessage());
    assertTrue(e.getMessage().endsWith("), and data are only read; give a SELECT"), e.getMessage());
    assertEquals(TareException.Kind.USAGE, e.kind());
    assertEquals(1, spark.table("kept").first().getInt(0));
  }

  @Test
  void folderIsNotWritten() {
    Path written = folder.resolve("written");
    String sql = "INSERT OVERWRITE DIRECTORY '" + written + "' USING parquet SELECT 1";
    assertThrows(TareException.class, () -> ReadingQuery.rows(spark, sql));
    assertFalse(Files.exists(written));
  }

  @Test
  void whatIsNoSqlIsTold() {
    DataSource data =
        new DataSource(
            new DataSource.Query("SELECT FROM WHERE"), Optional.empty(), Optional.empty());
    TareException e = assertThrows(TareException.class, () -> data.load(spark));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
  }
}
