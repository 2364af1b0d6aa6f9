package org.tare.spark.functions;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.stats.CalibrationState;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/** What calls of the functions are refused for and when, what describes them, and state files. */
class FunctionCallsTest {
  private static SqlSession sql;

  @TempDir private static Path folder;

  @BeforeAll
  static void start() {
    sql = new SqlSession();
    sql.spark
        .sql(
            "SELECT f, CAST(f AS STRING) AS text, tare_observe(f) OVER () AS s, 'mse' AS method,"
                + " 'uint8' AS dtype FROM VALUES (1f), (-3f), (0f) AS v(f)")
        .createOrReplaceTempView("t");
  }

  @AfterAll
  static void stop() {
    sql.close();
  }

  @Test
  void wrongLiteralsAreRefusedByTheAnalysis() {
    sql.refuses(
        "SELECT tare_qparams(s, 'best', 'uint8') FROM t",
        "tare_qparams, argument method: Unknown range method \"best\": it is one of auto, entropy,");
    sql.refuses(
        "SELECT tare_qparams(s, 'percentile(percentile=101)', 'uint8') FROM t",
        "argument method: percentile cannot be 101.0: it is above 50 and at most 100");
    sql.refuses(
        "SELECT tare_qparams(s, 'mse', 'uint7') FROM t",
        "tare_qparams, argument dtype: Unknown quantized type \"uint7\": it is one of uint8, int8,");
    sql.refuses(
        "SELECT tare_qparams(s, 'mse', 'int8', 'affine') FROM t",
        "tare_qparams, argument scheme: \"affine\" cannot be taken here: the scheme is one of"
            + " per_tensor_affine, per_tensor_symmetric");
    sql.refuses(
        "SELECT tare_channel_qparams(s, 'int8', 'per_channel_affine_float_qparams') FROM t",
        "tare_channel_qparams, argument scheme:",
        "the scheme is one of per_channel_affine, per_channel_symmetric");
    sql.refuses(
        "SELECT tare_qparams(s, 'mse', 'int8', 'per_tensor_affine', 'tensorflow') FROM t",
        "tare_qparams, argument rule: Unknown rule \"tensorflow\": it is one of onnxruntime, pytorch");
    // An expression of literals is as known as a literal.
    sql.refuses("SELECT tare_qparams(s, concat('be', 'st'), 'uint8') FROM t", "method \"best\"");
  }

  @Test
  void whereTheCallStandsDoesNotMatter() {
    String said = "tare_qparams, argument method: Unknown range method \"best\"";
    String call = "tare_qparams(tare_observe(f), 'best', 'uint8').scale";
    sql.refuses("SELECT " + call + " FROM t", said);
    sql.refuses("SELECT q.scale FROM (SELECT " + call + " AS q FROM t)", said);
    sql.refuses("WITH c AS (SELECT " + call + " AS q FROM t) SELECT q + 1 FROM c", said);
    sql.refuses("SELECT method FROM t GROUP BY method HAVING " + call + " > 0", said);
    sql.refuses("SELECT method FROM t GROUP BY method ORDER BY " + call, said);
    sql.refuses("SELECT f FROM t WHERE tare_qparams(s, 'best', 'uint8').scale > 0", said);
    sql.refuses("CREATE OR REPLACE TEMP VIEW bad AS SELECT " + call + " AS q FROM t", said);
    Exception e =
        assertThrows(
            AnalysisException.class, () -> sql.spark.table("t").select(functions.expr(call)));
    assertTrue(e.getMessage().contains(said), e.getMessage());
  }

  @Test
  void wrongNumbersAndTypesOfArgumentsAreRefusedByTheAnalysis() {
    sql.refuses(
        "SELECT tare_qparams(s, 'mse') FROM t",
        "tare_qparams takes 3 to 5 arguments, not 2:"
            + " tare_qparams(state, method, dtype [, scheme [, rule]])");
    sql.refuses(
        "SELECT tare_state(content => s, tensor => 'x') FROM t",
        "tare_state takes its arguments by position, not by name: tare_state(content, tensor)");
    sql.refuses(
        "SELECT tare_describe() FROM t",
        "tare_describe takes 1 argument, not 0: tare_describe(state)");
    sql.refuses("SELECT tare_state(s) FROM t", "tare_state takes 2 arguments, not 1");
    sql.refuses("SELECT tare_observe() FROM t", "tare_observe takes 1 argument, not 0");
    sql.refuses("SELECT tare_observe(f, f) FROM t", "tare_observe takes 1 argument, not 2");
    sql.refuses(
        "SELECT tare_observe(text) FROM t",
        "tare_observe cannot read a column of type string: argument x is numbers, arrays of numbers,");
    sql.refuses(
        "SELECT tare_observe_channels(f) FROM t",
        "tare_observe_channels cannot read a column of type float: argument x is arrays of numbers");
    sql.refuses(
        "SELECT tare_merge(f) FROM t",
        "tare_merge cannot read a column of type float: argument state is BINARY, a state of");
    sql.refuses(
        "SELECT tare_qparams(f, 'mse', 'uint8') FROM t",
        "tare_qparams cannot read a column of type float: argument state is BINARY");
    sql.refuses(
        "SELECT tare_qparams(s, 'mse', 8) FROM t",
        "tare_qparams cannot take a value of type int: argument dtype is STRING, the integer type");
  }

  @Test
  void argumentsFromColumnsAreCheckedWhenTheyAreRead() {
    Row row = sql.first("SELECT tare_qparams(s, method, dtype).zero_point FROM t");
    assertEquals(191, row.getInt(0));
    sql.fails(
        "SELECT tare_qparams(s, text, dtype) FROM t WHERE f = 1",
        "tare_qparams, argument method: Unknown range method \"1.0\": it is one of auto, entropy,");
    sql.fails(
        "SELECT tare_qparams(s, method, text) FROM t WHERE f = 1",
        "tare_qparams, argument dtype: Unknown quantized type \"1.0\": it is one of uint8,");
    // The optimizer makes literals of these.
    String said = "tare_qparams, argument method: Unknown range method \"best\"";
    sql.fails("SELECT tare_qparams(s, m, 'uint8') FROM (SELECT s, 'best' AS m FROM t)", said);
    sql.fails("SELECT tare_qparams(s, nvl(NULL, 'best'), 'uint8') FROM t", said);
  }

  @Test
  void nullArgumentsGiveNull() {
    for (String call :
        List.of(
            "tare_qparams(NULL, 'mse', 'uint8')",
            "tare_qparams(s, NULL, 'uint8')",
            "tare_qparams(s, 'mse', CAST(NULL AS STRING))",
            "tare_qparams(s, 'mse', 'uint8', NULL)",
            "tare_qparams(s, 'mse', 'uint8', 'per_tensor_affine', NULL)",
            "tare_channel_qparams(s, NULL)",
            "tare_describe(NULL)",
            "tare_describe_file(NULL)",
            "tare_state(s, NULL)")) {
      assertTrue(sql.first("SELECT " + call + " FROM t").isNullAt(0), call);
    }
    // What is known to be wrong is said, whatever the others are.
    sql.refuses("SELECT tare_qparams(s, 'best', NULL) FROM t", "method \"best\"");
    assertArrayEquals(
        StatsCodec.encode(TensorStats.empty()), sql.bytes("SELECT tare_observe(NULL) FROM t"));
  }

  @Test
  void wrongBytesAreRefusedWhenTheyAreRead() {
    sql.fails(
        "SELECT tare_observe(X'00112233445566')",
        "tare_observe cannot read a value: it holds 7 bytes, no multiple of the 4 of a float32");
    sql.fails(
        "SELECT tare_describe_file(s) FROM t",
        "Cannot read calibration state given to tare_describe_file: it does not begin with");
    sql.fails(
        "SELECT tare_channel_qparams(s, 'int8') FROM t", "make it with tare_observe_channels");
  }

  @Test
  void stateFilesAreRead() throws Exception {
    TreeMap<String, TensorStats> tensors = new TreeMap<>();
    tensors.put("x", TensorStats.of(new float[] {0, 255, Float.NaN}));
    tensors.put("y", TensorStats.empty());
    CalibrationState state = new CalibrationState("abc", "day=1", 7, tensors);
    Path file = folder.resolve("two.tare");
    Files.write(file, state.encode());
    String from = " FROM binaryFile.`" + file + "`";

    Row file1 =
        sql.first(
            "SELECT d.model, d.slice, d.rows FROM (SELECT tare_describe_file(content) AS d"
                + from
                + ")");
    assertEquals("[abc,day=1,7]", file1.toString());
    List<Row> rows =
        sql.spark.sql("SELECT inline(tare_describe_file(content).tensors)" + from).collectAsList();
    assertEquals("[x,3,1,1,0,0,0.0,255.0,null]", rows.get(0).toString());
    assertEquals("[y,0,0,0,0,0,null,null,null]", rows.get(1).toString());

    assertArrayEquals(
        StatsCodec.encode(tensors.get("x")), sql.bytes("SELECT tare_state(content, 'x')" + from));
    assertEquals(
        1f,
        sql.first("SELECT tare_qparams(tare_state(content, 'x'), 'minmax', 'uint8').scale" + from)
            .getFloat(0));
    sql.fails(
        "SELECT tare_state(content, 'z')" + from,
        "tare_state cannot find tensor \"z\": the state file holds 2 tensors: x, y");
    String said =
        "they are a state file, and it takes the state of one tensor; use tare_state(content";
    sql.fails(
        "SELECT tare_describe(content)" + from, "tare_describe cannot read these bytes", said);
    sql.fails("SELECT tare_qparams(content, 'mse', 'uint8')" + from, said);
    sql.fails("SELECT tare_merge(content)" + from, "tare_merge cannot read these bytes", said);
  }

  @ParameterizedTest
  @EnumSource(SqlFunction.class)
  void describeFunctionExplains(SqlFunction function) {
    SparkSession registered = sql.spark.newSession();
    TareFunctions.register(registered);
    for (SparkSession session : List.of(sql.spark, registered)) {
      String name = function.sqlName();
      String brief = lines(session, "DESCRIBE FUNCTION " + name);
      assertTrue(brief.contains("Usage: " + function.signature() + " - "), brief);
      String whole = lines(session, "DESCRIBE FUNCTION EXTENDED " + name);
      assertTrue(whole.contains("Arguments:"), whole);
      function
          .arguments()
          .forEach(a -> assertTrue(whole.contains("* " + a.label() + " - " + a.meaning()), whole));
      assertTrue(whole.contains("Examples:\n      > SELECT "), whole);
    }
  }

  private static String lines(SparkSession session, String statement) {
    return session.sql(statement).collectAsList().stream()
        .map(row -> row.getString(0))
        .collect(Collectors.joining("\n"));
  }

  @ParameterizedTest
  @EnumSource(SqlFunction.class)
  void examplesGiveWhatIsWrittenBelowThem(SqlFunction function) throws Exception {
    TreeMap<String, TensorStats> tensors = new TreeMap<>();
    tensors.put("x", TensorStats.of(new float[] {0, 255}));
    Path file = folder.resolve("state.tare");
    Files.write(file, new CalibrationState("", 2, tensors).encode());
    String[] lines = function.examplesSection().strip().split("\n");
    String query = lines[1].strip().replace("> ", "").replace(";", "");
    Object given = sql.first(query.replace("out/state.tare", file.toString())).get(0);
    String shown =
        given instanceof scala.collection.Seq<?> several
            ? several.mkString("[", ",", "]")
            : given + "";
    assertEquals(lines[2].strip(), shown);
  }
}
