package org.tare.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.api.python.PythonException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.TareException.Kind;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.DigitsCalibration;

/** Failures that Spark really gives: of which kind they are, and what is said of them. */
class SparkFailuresTest {
  @TempDir static Path folder;

  private static SparkSession spark;

  @FunctionalInterface
  private interface Work {
    void run() throws Throwable;
  }

  /** A failure, the kind it should be, and what its line should hold. */
  private record Case(String name, Kind kind, String text, Work work) {}

  @AfterAll
  static void stop() {
    if (spark != null) {
      spark.stop();
    }
  }

  private static Case query(Kind kind, String text, String sql) {
    return new Case(sql, kind, text, () -> spark.sql(sql).collectAsList());
  }

  private static Case load(Kind kind, String text, String format, String path) {
    return new Case(
        format + " " + path,
        kind,
        text,
        () ->
            new DataSource(
                    new DataSource.Files(path, format, Map.of()),
                    Optional.empty(),
                    Optional.empty())
                .load(spark)
                .collectAsList());
  }

  private static Case task(String name, Kind kind, String text, Function<Integer, Object> body) {
    return new Case(
        name,
        kind,
        text,
        () ->
            new JavaSparkContext(spark.sparkContext()).parallelize(List.of(1)).map(body).collect());
  }

  private static Object recurse(int depth) {
    return List.of(recurse(depth + 1));
  }

  /** A table of one file, whose bytes are then changed. */
  private static String damaged(String name, Function<byte[], byte[]> damage) throws Exception {
    Path whole = folder.resolve("whole");
    if (!Files.exists(whole)) {
      spark
          .range(2000)
          .selectExpr("id", "hex(id) AS text")
          .coalesce(1)
          .write()
          .parquet(whole.toString());
    }
    try (Stream<Path> files = Files.list(whole)) {
      Path file = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().orElseThrow();
      Path copy = folder.resolve(name);
      Files.write(copy, damage.call(Files.readAllBytes(file)));
      return copy.toString();
    }
  }

  private static List<Case> cases() throws Exception {
    String cut = damaged("cut.parquet", bytes -> Arrays.copyOf(bytes, bytes.length / 2));
    String flipped =
        damaged(
            "flipped.parquet",
            bytes -> {
              for (int i = 4; i < bytes.length / 2; i++) {
                bytes[i] ^= 0x55;
              }
              return bytes;
            });
    String vanishing = damaged("vanishing.parquet", bytes -> bytes);
    spark
        .udf()
        .register(
            "broken",
            (UDF1<Long, Long>)
                id -> {
                  throw new IllegalStateException("always");
                },
            DataTypes.LongType);
    spark.sparkContext().hadoopConfiguration().set("ipc.client.connect.max.retries", "0");
    return List.of(
        load(Kind.USAGE, "Spark has no format \"parquett\"", "parquett", "x"),
        load(Kind.USAGE, "no format \"image.DefaultSource\"", "image.DefaultSource", "x"),
        load(Kind.USAGE, "spark.jars.packages", "avro", "x"),
        load(Kind.USAGE, "S3AFileSystem not found", "parquet", "s3a://bucket/x"),
        load(Kind.USAGE, "no file system has the scheme foo", "parquet", "foo://bucket/x"),
        load(Kind.MISSING_INPUT, "there is no such path or table", "parquet", "/no/where"),
        load(
            Kind.MISSING_INPUT,
            "nowhere.invalid is not known",
            "parquet",
            "hdfs://nowhere.invalid/x"),
        load(Kind.TRY_AGAIN, "Connection refused", "parquet", "hdfs://127.0.0.1:9/x"),
        load(Kind.BAD_INPUT, "is not a Parquet file", "parquet", cut),
        query(Kind.BAD_INPUT, "flipped.parquet", "SELECT * FROM parquet.`" + flipped + "`"),
        new Case(
            "file that vanishes",
            Kind.MISSING_INPUT,
            "vanishing.parquet",
            () -> {
              Dataset<Row> table = spark.read().parquet(vanishing);
              Files.delete(Path.of(vanishing));
              table.collectAsList();
            }),
        query(Kind.MISSING_INPUT, "there is no such path or table", "SELECT * FROM nowhere"),
        query(Kind.BAD_INPUT, "[PARSE_SYNTAX_ERROR]", "SELEC"),
        query(
            Kind.BAD_INPUT,
            "CAST_INVALID_INPUT",
            "SELECT CAST(hex(id) || 'x' AS INT) FROM range(3)"),
        query(
            Kind.BAD_INPUT, "ARITHMETIC_OVERFLOW", "SELECT id + 9223372036854775807 FROM range(3)"),
        query(Kind.BAD_INPUT, "DIVIDE_BY_ZERO", "SELECT 1 / id FROM range(3)"),
        query(Kind.BAD_INPUT, "out of stock", "SELECT raise_error('out of stock') FROM range(3)"),
        query(Kind.BAD_INPUT, "always", "SELECT broken(id) FROM range(3)"),
        // Kryo's and the results' limits are of this session.
        new Case(
            "results too large",
            Kind.USAGE,
            "set spark.driver.maxResultSize higher",
            () -> spark.sql("SELECT uuid() FROM range(0, 100000, 1, 2)").collectAsList()),
        task(
            "heap",
            Kind.TRY_AGAIN,
            "set spark.driver.memory to at least",
            i -> new long[1 << 30][0]),
        task("stack", Kind.INTERNAL, ": internal error: StackOverflowError", i -> recurse(0)),
        task(
            "class that is not there",
            Kind.USAGE,
            "the class no.such.Helper is missing; name the package that has it",
            i -> {
              throw new NoClassDefFoundError("no/such/Helper");
            }),
        task(
            "Python",
            Kind.BAD_INPUT,
            ": a Python function of the query failed: ZeroDivisionError: division by zero",
            i -> {
              throw new PythonException(
                  "Traceback (most recent call last):\n  File \"udf.py\", line 3, in f\n"
                      + "ZeroDivisionError: division by zero\n",
                  null);
            }),
        task(
            "defect",
            Kind.INTERNAL,
            "internal error: IllegalStateException: a defect",
            i -> {
              throw new IllegalStateException("a defect");
            }),
        task(
            "remote file system",
            Kind.TRY_AGAIN,
            "SocketTimeoutException: read timed out",
            i -> {
              throw new SocketTimeoutException("read timed out");
            }),
        task(
            "disk",
            Kind.TRY_AGAIN,
            "set spark.local.dir",
            i -> {
              throw new IOException("No space left on device");
            }),
        task(
            "ours",
            Kind.CANNOT_WRITE,
            "as a task said it",
            i -> {
              throw TareException.cannotWrite("as a task said it");
            }));
  }

  @Test
  void everyFailureHasItsKindAndOneLine() throws Exception {
    spark =
        DigitsCalibration.local(
            "local[2]",
            Map.of(
                "spark.driver.maxResultSize", "1m", "spark.executor.killOnFatalError.depth", "0"));
    List<String> wrong = new ArrayList<>();
    for (Case one : cases()) {
      TareException found =
          SparkFailures.translate(
              "Cannot test", assertThrows(Throwable.class, one.work()::run, one.name()));
      boolean isOneLine = found.getMessage().lines().count() == 1;
      if (found.kind() != one.kind() || !found.getMessage().contains(one.text()) || !isOneLine) {
        wrong.add(one.name() + ": " + found.kind() + ": " + found.getMessage());
      }
    }
    assertEquals(List.of(), wrong);
  }

  /** Settings that Spark does not look at before it needs them. */
  @Test
  void settingsThatFailLate() {
    TareException codec =
        SparkFailures.translate(
            "Cannot test",
            new org.apache.spark.SparkIllegalArgumentException(
                "CODEC_NOT_AVAILABLE.WITH_CONF_SUGGESTION",
                Map.of(
                    "codecName", "none",
                    "configKey", "\"spark.io.compression.codec\"",
                    "configVal", "\"snappy\"")));
    assertEquals(Kind.USAGE, codec.kind(), codec.getMessage());
    assertTrue(codec.getMessage().contains("spark.io.compression.codec"), codec.getMessage());
    TareException parallelism =
        SparkFailures.translate(
            "Cannot test", new IllegalArgumentException("Positive number of partitions required"));
    assertEquals(
        "Cannot test: Positive number of partitions required; set spark.default.parallelism to a"
            + " number above 0",
        parallelism.getMessage());
    assertEquals(Kind.USAGE, parallelism.kind());
  }

  /** Spark's words for executors that are gone; a cluster to lose them is in another test. */
  @Test
  void lostExecutors() {
    String lost =
        "Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure:"
            + " Lost task 0.3 in stage 1.0 (TID 7) (10.0.0.1 executor 2): ExecutorLostFailure"
            + " (executor 2 exited caused by one of the running tasks) Reason: ";
    TareException gone = failure(lost + "Remote RPC client disassociated");
    assertEquals(Kind.TRY_AGAIN, gone.kind());
    TareException heap = failure(lost + "Command exited with code 52");
    assertEquals(Kind.TRY_AGAIN, heap.kind());
    // 1 GB and four times the model's 100 MB.
    assertTrue(
        heap.getMessage().endsWith("set spark.executor.memory to at least 1424m"),
        heap.getMessage());
    TareException killed = failure(lost + "Command exited with code 137");
    assertTrue(
        killed.getMessage().contains("set spark.executor.memoryOverhead to at least 1224m"),
        killed.getMessage());
    TareException refused =
        SparkFailures.translate("Cannot test", new SparkException("a word nobody knows"));
    assertEquals(Kind.INTERNAL, refused.kind());
  }

  private static TareException failure(String message) {
    return SparkFailures.translate("Cannot test", new SparkException(message), 100 << 20);
  }

  @Test
  void interruptedThreadStaysInterrupted() {
    TareException found =
        SparkFailures.translate("Cannot test", new SparkException("", new InterruptedException()));
    assertEquals(Kind.TRY_AGAIN, found.kind());
    assertTrue(Thread.interrupted());
  }
}
