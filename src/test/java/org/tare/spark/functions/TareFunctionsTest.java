package org.tare.spark.functions;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;
import org.tare.quant.QuantSpec;
import org.tare.range.Range;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.stats.Samples;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/** The SQL functions, in a session that has them by {@code spark.sql.extensions}. */
class TareFunctionsTest {
  private static SparkSession spark;
  private static final float[] VALUES = Samples.wild(new Random(5), 3000);

  @BeforeAll
  static void start() {
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
    table().createOrReplaceTempView("t");
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  /** Each row holds a value as FLOAT and DOUBLE, and three as ARRAY and BINARY. */
  private static Dataset<Row> table() {
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < VALUES.length; i += 3) {
      float[] three = {VALUES[i], VALUES[i + 1], VALUES[i + 2]};
      ByteBuffer bytes = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
      List<Float> list = new ArrayList<>();
      List<Double> doubles = new ArrayList<>();
      for (float value : three) {
        bytes.putFloat(value);
        list.add(value);
        doubles.add((double) value);
      }
      rows.add(
          RowFactory.create(
              i % 2 == 0 ? "even" : "odd",
              three[0],
              (double) three[0],
              list.toArray(),
              doubles.toArray(),
              bytes.array(),
              i % 4));
    }
    rows.add(RowFactory.create("even", null, null, null, null, null, 0));
    StructType schema =
        new StructType()
            .add("layer", DataTypes.StringType)
            .add("f", DataTypes.FloatType)
            .add("d", DataTypes.DoubleType)
            .add("a", DataTypes.createArrayType(DataTypes.FloatType))
            .add("ad", DataTypes.createArrayType(DataTypes.DoubleType))
            .add("b", DataTypes.BinaryType)
            .add("day", DataTypes.IntegerType);
    return spark.createDataFrame(rows, schema).repartition(7);
  }

  private static byte[] state(String sql) {
    return spark.sql(sql).first().getAs(0);
  }

  @Test
  void everyTypeOfColumnIsObserved() {
    TensorStats all = TensorStats.of(VALUES);
    for (String column : List.of("a", "ad", "b")) {
      assertArrayEquals(
          StatsCodec.encode(all), state("SELECT tare_observe(" + column + ") FROM t"), column);
    }
    float[] firsts = new float[VALUES.length / 3];
    for (int i = 0; i < firsts.length; i++) {
      firsts[i] = VALUES[3 * i];
    }
    for (String column : List.of("f", "d")) {
      assertArrayEquals(
          StatsCodec.encode(TensorStats.of(firsts)),
          state("SELECT tare_observe(" + column + ") FROM t"),
          column);
    }
  }

  @Test
  void statesOfDaysMergeToTheStateOfAll() {
    byte[] merged =
        state(
            "SELECT tare_merge(s) FROM (SELECT layer, day, tare_observe(a) AS s FROM t GROUP BY"
                + " layer, day)");
    assertArrayEquals(StatsCodec.encode(TensorStats.of(VALUES)), merged);
  }

  @Test
  void qparamsAreThoseOfTheLibrary() {
    List<Row> rows =
        spark
            .sql(
                "SELECT layer, q.scale, q.zero_point, q.method, q.expected_mse <= q.minmax_mse FROM"
                    + " (SELECT layer, tare_qparams(tare_observe(f), 'mse', 'quint8') AS q FROM t"
                    + " WHERE f > -1000 AND f < 1000 GROUP BY layer) ORDER BY layer")
            .collectAsList();
    assertEquals(2, rows.size());
    float[] evens = new float[VALUES.length];
    int n = 0;
    for (int i = 0; i < VALUES.length; i += 3) {
      if (i % 2 == 0 && VALUES[i] > -1000 && VALUES[i] < 1000) {
        evens[n++] = VALUES[i];
      }
    }
    QuantSpec spec = QParamsRule.PYTORCH.spec(DType.UINT8, false);
    Range range =
        RangeSearch.range(
            "t", TensorStats.of(java.util.Arrays.copyOf(evens, n)), new RangeMethod.Mse(), spec);
    QParams q = spec.qparams(range.min(), range.max());
    assertEquals("even", rows.get(0).getString(0));
    assertEquals(q.scale(), rows.get(0).getFloat(1));
    assertEquals(q.zeroPoint(), rows.get(0).getInt(2));
    assertEquals("mse", rows.get(0).getString(3));
    assertTrue(rows.get(0).getBoolean(4));
  }

  @Test
  void methodsTakeParametersAndSchemes() {
    Row q =
        spark
            .sql(
                "SELECT tare_qparams(tare_observe(f), 'percentile(percentile=90)', 'int8',"
                    + " 'per_tensor_symmetric', 'onnxruntime') FROM VALUES (1f), (2f), (100f) AS v(f)")
            .first()
            .getStruct(0);
    assertEquals(0, (int) q.<Integer>getAs("zero_point"));
    assertTrue(q.<Float>getAs("max") < 100);
    Row none =
        spark
            .sql("SELECT tare_qparams(tare_observe(f), 'mse', 'uint8') FROM t WHERE f IS NULL")
            .first();
    assertTrue(none.isNullAt(0));
  }

  @Test
  void channelsAreTheIndexesOfArrays() {
    Row row =
        spark
            .sql(
                "SELECT s.channels, c[1].max, c[1].scale FROM (SELECT tare_describe(o) AS s,"
                    + " tare_channel_qparams(o, 'int8') AS c FROM (SELECT tare_observe_channels(x)"
                    + " AS o FROM VALUES (array(1f, -5f)), (array(2f, 254f)) AS v(x)))")
            .first();
    assertEquals(2, row.getInt(0));
    assertEquals(254f, row.getFloat(1));
    assertEquals(2f, row.getFloat(2));
  }

  @Test
  void describeCounts() {
    Row row =
        spark
            .sql(
                "SELECT tare_describe(tare_observe(f)) FROM VALUES (0f), (-2f), (float('nan')),"
                    + " (float('inf')) AS v(f)")
            .first()
            .getStruct(0);
    assertEquals(4L, (long) row.<Long>getAs("count"));
    assertEquals(1L, (long) row.<Long>getAs("zeros"));
    assertEquals(1L, (long) row.<Long>getAs("nans"));
    assertEquals(-2f, (float) row.<Float>getAs("min"));
    assertEquals(0f, (float) row.<Float>getAs("max"));
  }

  @Test
  void registeringInARunningSessionIsEnoughForTheDataFrameApi() {
    SparkSession other = spark.newSession();
    TareFunctions.register(other);
    Row row =
        other
            .range(10)
            .select(functions.expr("tare_qparams(tare_observe(id), 'minmax', 'uint8').scale"))
            .first();
    assertEquals(9 / 255f, row.getFloat(0), 1e-9);
  }

  @Test
  void wrongUseIsSaid() {
    assertSays(
        "tare_observe cannot read a column of type string", "SELECT tare_observe(layer) FROM t");
    assertSays("tare_merge cannot read a column of type float", "SELECT tare_merge(f) FROM t");
    assertSays(
        "Unknown range method \"best\"",
        "SELECT tare_qparams(tare_observe(f), 'best', 'uint8') FROM t");
    assertSays(
        "tare_qparams takes 3 to 5 arguments, not 2",
        "SELECT tare_qparams(tare_observe(f), 'mse') FROM t");
    assertSays(
        "each index is a channel, so their number must be the same",
        "SELECT tare_observe_channels(x) FROM (SELECT /*+ COALESCE(1) */ x FROM VALUES"
            + " (array(1f)), (array(1f, 2f)) AS v(x))");
  }

  private static void assertSays(String part, String sql) {
    Exception e = assertThrows(Exception.class, () -> spark.sql(sql).collectAsList());
    StringBuilder said = new StringBuilder();
    for (Throwable t = e; t != null; t = t.getCause()) {
      said.append(t.getMessage()).append('\n');
    }
    assertTrue(said.toString().contains(part), said.toString());
  }
}
