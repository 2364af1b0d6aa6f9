package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkFiles;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.TareException.Kind;
import org.tare.onnx.ElementType;
import org.tare.onnx.TensorType;
import org.tare.settings.Key;
import org.tare.settings.Keys;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.Sample;
import org.tare.spark.rows.TableNeeds;

/** How the command starts Spark, and what it says if that fails. */
class SessionsTest {
  @TempDir static Path folder;

  private record Case(Kind kind, String text, Map<String, String> settings) {}

  private static SparkSession start(Map<String, String> settings) {
    return start(settings, true);
  }

  private static SparkSession start(Map<String, String> settings, boolean readsOnly) {
    settings.forEach(System::setProperty);
    try {
      return Sessions.start(new SparkConf(), "Tare model.onnx", readsOnly, false);
    } finally {
      settings.keySet().forEach(System::clearProperty);
    }
  }

  /** With Spark's own wait, executors that did not read the rows stand idle between tasks. */
  @Test
  void tasksWaitForNoPlaceUnlessTheUserWantsIt() throws Exception {
    Map<String, String> local = Map.of("spark.master", "local[1]");
    try (SparkSession spark = start(local)) {
      assertEquals("0s", spark.sparkContext().getConf().get("spark.locality.wait"));
    }
    Map<String, String> own = Map.of("spark.master", "local[1]", "spark.locality.wait", "2s");
    try (SparkSession spark = start(own)) {
      assertEquals("2s", spark.sparkContext().getConf().get("spark.locality.wait"));
    }
  }

  /**
   * A session for a user's SQL, of a cluster, or with a choice of the user's is as Spark has it.
   */
  @Test
  void codeIsNotCompiledWhereRowsAreOnlyRead() throws Exception {
    String stages = "spark.sql.codegen.wholeStage";
    String projections = "spark.sql.codegen.factoryMode";
    try (SparkSession spark = start(Map.of())) {
      assertEquals("NO_CODEGEN", spark.conf().get(projections));
      assertEquals("false", spark.conf().get(stages));
      try (SessionSettings settings = new SessionSettings(spark)) {
        settings.compile();
        assertEquals("FALLBACK", spark.conf().get(projections));
        assertEquals("true", spark.conf().get(stages));
      }
      assertEquals("NO_CODEGEN", spark.conf().get(projections));
      assertEquals("false", spark.conf().get(stages));
    }
    for (Map<String, String> own :
        List.of(Map.of("spark.master", "local[1]"), Map.of(stages, "true"))) {
      try (SparkSession spark = start(own)) {
        assertEquals("FALLBACK", spark.conf().get(projections));
        assertEquals("true", spark.conf().get(stages));
      }
    }
    try (SparkSession spark = start(Map.of(), false)) {
      assertEquals("FALLBACK", spark.conf().get(projections));
    }
    // What the user chose stays, whatever rows hold.
    try (SparkSession spark = start(Map.of(stages, "false"));
        SessionSettings settings = new SessionSettings(spark)) {
      settings.compile();
      assertEquals("false", spark.conf().get(stages));
    }
  }

  /** To interpret costs something for each value of a row, wherever in it the value stands. */
  @Test
  void codeIsCompiledForRowsOfManyValues() throws Exception {
    try (SparkSession spark = start(Map.of())) {
      assertEquals("NO_CODEGEN", projectionsFor(spark, "sequence(1, 100)", 100));
      assertEquals("FALLBACK", projectionsFor(spark, "sequence(1, 200)", 200));
      assertEquals("FALLBACK", projectionsFor(spark, "array(sequence(1, 200))", 1, 200));
      assertEquals("NO_CODEGEN", projectionsFor(spark, "CAST(repeat('a', 200) AS BINARY)", 200));
    }
  }

  /** A thousand rows of 200 values take 9 ms longer to interpret; a million, 9 s. */
  @Test
  void codeIsNotCompiledForFewRows() throws Exception {
    try (SparkSession spark = start(Map.of())) {
      Dataset<Row> rows = spark.sql("SELECT array_repeat(CAST(1 AS TINYINT), 200) AS x");
      DataSource.Origin query = DataSource.of(rows, "rows").origin();
      // All rows are looked at for a sample.
      assertEquals("FALLBACK", projectionsFor(spark, sample(query, 10), 200));
      // The rows of files are counted first.
      Path file = folder.resolve("wide.parquet");
      rows.write().parquet(file.toString());
      DataSource.Origin files = new DataSource.Files(file.toString(), "parquet", Map.of());
      DataSource all = new DataSource(files, Optional.empty(), Optional.empty());
      assertEquals("NO_CODEGEN", projectionsFor(spark, all, 200));
      assertEquals("NO_CODEGEN", projectionsFor(spark, all.pinned(spark), 200));
      assertEquals("NO_CODEGEN", projectionsFor(spark, sample(files, 10), 200), "a small file");
      Path large = folder.resolve("large.parquet");
      spark.range(30_000).selectExpr(LARGE).coalesce(1).write().parquet(large.toString());
      DataSource.Origin largeFiles = new DataSource.Files(large.toString(), "parquet", Map.of());
      assertEquals("FALLBACK", projectionsFor(spark, sample(largeFiles, 10), 200), "a large one");
      try (SessionSettings settings = new SessionSettings(spark)) {
        BoundTable table = bind(settings, all, 200);
        assertFalse(table.compile(settings, 1000));
        assertEquals("NO_CODEGEN", spark.conf().get("spark.sql.codegen.factoryMode"));
        assertTrue(table.compile(settings, 1_000_000));
        assertEquals("FALLBACK", spark.conf().get("spark.sql.codegen.factoryMode"));
        assertFalse(table.compile(settings, 1_000_000), "it is so already");
      }
    }
  }

  /** 200 bytes that no codec makes less of. */
  private static final String LARGE =
      "transform(sequence(1, 200), i -> CAST(xxhash64(id, i) % 128 AS TINYINT)) AS x";

  private static DataSource sample(DataSource.Origin origin, int rows) {
    return new DataSource(origin, Optional.of(new Sample.Rows(rows)), Optional.empty());
  }

  /** A new setting that takes a user's SQL, or names a view, has to be in the list too. */
  @Test
  void settingsThatMeanSqlAreKnown() {
    Set<String> all =
        Keys.list().stream()
            .map(Key::name)
            .filter(name -> name.matches(".*[.-](table|query|sql)"))
            .collect(Collectors.toSet());
    assertEquals(all, Set.copyOf(CommandSpark.SQL));
  }

  private static String projectionsFor(SparkSession spark, String x, long... shape) {
    return projectionsFor(spark, DataSource.of(spark.sql("SELECT " + x + " AS x"), "rows"), shape);
  }

  private static String projectionsFor(SparkSession spark, DataSource data, long... shape) {
    try (SessionSettings settings = new SessionSettings(spark)) {
      bind(settings, data, shape);
      return spark.conf().get("spark.sql.codegen.factoryMode");
    }
  }

  private static BoundTable bind(SessionSettings settings, DataSource data, long... shape) {
    long[] all = LongStream.concat(LongStream.of(-1), LongStream.of(shape)).toArray();
    TensorType type = new TensorType(ElementType.UINT8, all);
    return TableNeeds.of(
            "calibrate", "m.onnx", Map.of("x", type), Map.of(), 1, new BadRows(false, 0))
        .bind(settings, data);
  }

  @Test
  void wrongSettingsAreNamed() throws Exception {
    Path file = Files.writeString(folder.resolve("a-file"), "");
    String serializer = "no.such.Serializer";
    List<Case> cases =
        List.of(
            new Case(
                Kind.USAGE,
                "set spark.task.cpus lower",
                Map.of("spark.master", "local[2]", "spark.task.cpus", "4")),
            new Case(Kind.USAGE, "'foo'; spark.master is", Map.of("spark.master", "foo")),
            new Case(Kind.USAGE, "0 threads; spark.master is", Map.of("spark.master", "local[0]")),
            new Case(
                Kind.USAGE,
                ": spark.memory.fraction should be between 0 and 1",
                Map.of("spark.master", "local[2]", "spark.memory.fraction", "7")),
            new Case(
                Kind.USAGE,
                "the class no.such.Listener is missing",
                Map.of("spark.master", "local[2]", "spark.extraListeners", "no.such.Listener")),
            new Case(Kind.USAGE, "'yarn'; spark.master is", Map.of("spark.master", "yarn")),
            new Case(
                Kind.MISSING_INPUT,
                "see the setting spark.eventLog.dir",
                Map.of(
                    "spark.eventLog.enabled",
                    "true",
                    "spark.eventLog.dir",
                    folder.resolve("nowhere").toString())),
            new Case(
                Kind.USAGE,
                "spark.sql.catalogImplementation is hive",
                Map.of("spark.sql.catalogImplementation", "hive")),
            new Case(
                Kind.USAGE,
                "see the setting spark.serializer",
                Map.of("spark.serializer", serializer)),
            new Case(
                Kind.USAGE,
                "\"spark.sql.shuffle.partitions\" is invalid",
                Map.of("spark.sql.shuffle.partitions", "many")),
            new Case(
                Kind.CANNOT_WRITE,
                "no folder of spark.local.dir (" + file + "/x) can be written",
                Map.of("spark.local.dir", file + "/x")));
    List<String> wrong = new ArrayList<>();
    for (Case one : cases) {
      TareException found =
          assertThrows(TareException.class, () -> start(one.settings()), one.text());
      boolean isOneLine = found.getMessage().lines().count() == 1;
      if (found.kind() != one.kind() || !found.getMessage().contains(one.text()) || !isOneLine) {
        wrong.add(one.text() + ": " + found.kind() + ": " + found.getMessage());
      }
      assertTrue(found.getMessage().startsWith("Cannot start Spark: "), found.getMessage());
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void sessionIsNamedAndLeavesNoWarehouse() {
    boolean wasThere = Files.exists(Path.of("spark-warehouse"));
    SparkSession spark = start(Map.of());
    Path warehouse;
    try {
      assertEquals("Tare model.onnx", spark.sparkContext().appName());
      assertEquals(0, spark.sql("SHOW TABLES").count());
      warehouse = Path.of(SparkFiles.getRootDirectory(), "warehouse");
      assertTrue(Files.exists(warehouse), "the warehouse is elsewhere");
    } finally {
      spark.stop();
    }
    assertFalse(Files.exists(warehouse));
    assertEquals(wasThere, Files.exists(Path.of("spark-warehouse")));
  }
}
