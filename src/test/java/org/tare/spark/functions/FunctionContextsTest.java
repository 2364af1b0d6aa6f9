package org.tare.spark.functions;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.stats.Samples;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/** The functions give the same wherever a query may use them, and under any of Spark's settings. */
class FunctionContextsTest {
  private static final float[] VALUES = Samples.wild(new Random(9), 600);

  private static SqlSession sql;

  @BeforeAll
  static void start() {
    sql = new SqlSession();
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < VALUES.length; i++) {
      rows.add(RowFactory.create(i, i % 3 == 0 ? "a" : "b", VALUES[i]));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.IntegerType)
            .add("layer", DataTypes.StringType)
            .add("f", DataTypes.FloatType);
    Dataset<Row> table = sql.spark.createDataFrame(rows, schema);
    table.repartition(4).createOrReplaceTempView("t");
  }

  @AfterAll
  static void stop() {
    sql.close();
  }

  /** The state of the values at the places that a test names. */
  private static byte[] state(java.util.function.IntPredicate places) {
    float[] chosen = new float[VALUES.length];
    int n = 0;
    for (int i = 0; i < VALUES.length; i++) {
      if (places.test(i)) {
        chosen[n++] = VALUES[i];
      }
    }
    return StatsCodec.encode(TensorStats.of(java.util.Arrays.copyOf(chosen, n)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "spark.sql.ansi.enabled=true",
        "spark.sql.ansi.enabled=false",
        "spark.sql.caseSensitive=true",
        "spark.sql.adaptive.enabled=false",
        "spark.sql.codegen.wholeStage=false spark.sql.codegen.factoryMode=NO_CODEGEN",
        "spark.sql.codegen.factoryMode=CODEGEN_ONLY",
        "spark.sql.execution.useObjectHashAggregateExec=false",
        "spark.sql.objectHashAggregate.sortBased.fallbackThreshold=1"
      })
  void settingsChangeNothing(String settings) {
    List<String> keys = new ArrayList<>();
    for (String setting : settings.split(" ")) {
      String[] sides = setting.split("=");
      keys.add(sides[0]);
      sql.spark.conf().set(sides[0], sides[1]);
    }
    try {
      List<Row> rows =
          sql.spark
              .sql(
                  "SELECT layer, s, tare_describe(s).count FROM (SELECT layer,"
                      + " TARE_observe(f) AS s FROM t GROUP BY layer) ORDER BY layer")
              .collectAsList();
      assertArrayEquals(state(i -> i % 3 == 0), rows.get(0).<byte[]>getAs(1));
      assertArrayEquals(state(i -> i % 3 != 0), rows.get(1).<byte[]>getAs(1));
      assertEquals(200, rows.get(0).getLong(2));
      sql.refuses("SELECT tare_qparams(tare_observe(f), 'best', 'uint8') FROM t", "\"best\"");
    } finally {
      keys.forEach(sql.spark.conf()::unset);
    }
  }

  @Test
  void viewsHavingAndOrderByTakeTheFunctions() {
    sql.spark.sql(
        "CREATE OR REPLACE TEMP VIEW states AS SELECT layer, tare_observe(f) AS s FROM t GROUP BY"
            + " layer");
    assertArrayEquals(state(i -> true), sql.bytes("SELECT tare_merge(s) FROM states"));
    List<Row> rows =
        sql.spark
            .sql(
                "SELECT layer FROM t GROUP BY layer ORDER BY tare_describe(tare_observe(f)).count"
                    + " DESC")
            .collectAsList();
    assertEquals("[[b], [a]]", rows.toString());
    Row larger =
        sql.first(
            "SELECT layer FROM t GROUP BY layer HAVING tare_describe(tare_observe(f)).count > 200");
    assertEquals("b", larger.getString(0));
  }

  @Test
  void filterAndDistinctAreThoseOfAnyAggregate() {
    Row row =
        sql.first(
            "SELECT tare_observe(f) FILTER (WHERE id < 100), tare_observe(f), count(DISTINCT layer)"
                + " FROM t");
    assertArrayEquals(state(i -> i < 100), row.<byte[]>getAs(0));
    assertArrayEquals(state(i -> true), row.<byte[]>getAs(1));
    assertEquals(
        2,
        sql.first(
                "SELECT tare_describe(tare_observe(DISTINCT x)).count FROM VALUES (1f), (2f), (1f)"
                    + " AS v(x)")
            .getLong(0));
  }

  @Test
  void windowsOfAnyFrameObserveTheirRows() {
    List<Row> rows =
        sql.spark
            .sql(
                "SELECT id, tare_observe(f) OVER (ORDER BY id) AS so_far, tare_observe(f) OVER"
                    + " (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS three,"
                    + " tare_observe(f) OVER (PARTITION BY layer) AS of_layer FROM t ORDER BY id")
            .collectAsList();
    for (int at : new int[] {0, 1, 7, 300, 599}) {
      Row row = rows.get(at);
      assertArrayEquals(state(i -> i <= at), row.<byte[]>getAs("so_far"), "" + at);
      assertArrayEquals(state(i -> i <= at && i >= at - 2), row.<byte[]>getAs("three"), "" + at);
      boolean isThird = at % 3 == 0;
      assertArrayEquals(
          state(i -> (i % 3 == 0) == isThird), row.<byte[]>getAs("of_layer"), "" + at);
    }
  }

  @Test
  void groupsWithoutValuesHaveTheStateOfNothing() {
    byte[] empty = StatsCodec.encode(TensorStats.empty());
    assertArrayEquals(empty, sql.bytes("SELECT tare_observe(f) FROM t WHERE f > 0 AND f < 0"));
    assertArrayEquals(
        empty, sql.bytes("SELECT tare_merge(CAST(NULL AS BINARY)) FROM t WHERE id > 9"));
    assertTrue(
        sql.first("SELECT tare_qparams(tare_observe(f), 'mse', 'uint8') FROM t WHERE id < 0")
            .isNullAt(0));
    Row described = sql.first("SELECT tare_describe(tare_observe(f)) FROM t WHERE id < 0");
    assertEquals("[[0,0,0,0,0,null,null,null]]", described.toString());
    assertEquals(
        0, sql.spark.sql("SELECT tare_observe(f) FROM t WHERE id < 0 GROUP BY layer").count());
  }

  /** A stream of two micro-batches: the state goes through Spark's state store in between. */
  @Test
  void streamsAddToTheState(@TempDir Path folder) throws Exception {
    String data = folder.resolve("data").toUri().toString();
    sql.spark.table("t").coalesce(2).repartition(2).write().parquet(data);
    Dataset<Row> stream =
        sql.spark
            .readStream()
            .schema(sql.spark.table("t").schema())
            .option("maxFilesPerTrigger", 1)
            .parquet(data)
            .groupBy("layer")
            .agg(org.apache.spark.sql.functions.expr("tare_observe(f)").as("s"));
    StreamingQuery query =
        stream
            .writeStream()
            .outputMode("complete")
            .format("memory")
            .queryName("streamed")
            .options(Map.of("checkpointLocation", folder.resolve("checkpoint").toUri().toString()))
            .trigger(Trigger.AvailableNow())
            .start();
    query.awaitTermination();
    assertEquals(2, query.recentProgress().length);
    List<Row> rows = sql.spark.sql("SELECT layer, s FROM streamed ORDER BY layer").collectAsList();
    assertArrayEquals(state(i -> i % 3 == 0), rows.get(0).<byte[]>getAs(1));
    assertArrayEquals(state(i -> i % 3 != 0), rows.get(1).<byte[]>getAs(1));
  }
}
