package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.apache.spark.SparkFiles;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.onnx.OnnxModel;
import org.tare.spark.SparkFailures;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.KeptRows;
import org.tare.stats.CalibrationState;

/** Jobs in a session that is not theirs: they leave it as it was. */
class LibrarySessionTest {
  private static final String READER_BATCH = "spark.sql.parquet.columnarReaderBatchSize";
  private static final String CHOSEN = "spark.sql.sources.parallelPartitionDiscovery.threshold";

  @TempDir static Path folder;

  private static final int ROWS = 96;

  /** The view that the jobs read. */
  private static void view(SparkSession spark) {
    String data = DigitsCalibration.demoFile(folder, "digits-train.parquet").toString();
    spark
        .read()
        .schema("id LONG, image BINARY, label INT")
        .parquet(data)
        .limit(ROWS)
        .repartition(2)
        .createOrReplaceTempView("digits");
  }

  private static CalibrationJob.Request request() {
    return DigitsCalibration.request(folder, Optional.empty(), "SELECT * FROM digits");
  }

  private static CalibrationState calibrate(SparkSession spark) {
    return calibrate(spark, request());
  }

  private static CalibrationState calibrate(SparkSession spark, CalibrationJob.Request request) {
    return CalibrationJob.run(spark, request, line -> {}).state();
  }

  private static EvaluationJob.Result evaluate(SparkSession spark) {
    CalibrationJob.Request same = request();
    OnnxModel model = same.prepared();
    return EvaluationJob.run(
        spark,
        new EvaluationJob.Request(
            "digits",
            model,
            model,
            same.types(),
            same.data(),
            Optional.of("label"),
            Optional.empty(),
            same.inputs(),
            32,
            new BadRows(false, 0)),
        line -> {});
  }

  private static KeptRows keep(SparkSession spark, int count) {
    CalibrationJob.Request same = request();
    return KeptRows.of(
        spark, "digits", same.prepared(), same.types(), same.data(), same.inputs(), count);
  }

  @Test
  void artifactIsolationOff() {
    SparkSession spark =
        DigitsCalibration.local(
            "local[2]", Map.of("spark.sql.artifact.isolation.enabled", "false"));
    try {
      view(spark);
      assertEquals(ROWS, calibrate(spark).rows());
      assertEquals(ROWS, evaluate(spark).rows());
    } finally {
      spark.stop();
    }
  }

  /** And artifact isolation is on, as Spark 4 has it. */
  @Test
  void kryoMayAskForRegistration() {
    SparkSession spark =
        DigitsCalibration.local(
            "local[2]",
            Map.of(
                "spark.serializer",
                "org.apache.spark.serializer.KryoSerializer",
                "spark.kryo.registrationRequired",
                "true",
                // Sums of states go to disk too.
                "spark.shuffle.spill.numElementsForceSpillThreshold",
                "1"));
    try {
      view(spark);
      assertEquals("true", spark.conf().get("spark.sql.artifact.isolation.enabled"));
      // Spark itself sends classes that it does not register when it reads a schema.
      TareException refused =
          SparkFailures.translate(
              "Cannot test",
              assertThrows(
                  Exception.class,
                  () -> spark.read().parquet(folder.resolve("digits-train.parquet").toString())));
      assertEquals(TareException.Kind.USAGE, refused.kind());
      assertTrue(
          refused.getMessage().contains("spark.kryo.registrationRequired"), refused.getMessage());
      assertEquals(ROWS, calibrate(spark).rows());
      EvaluationJob.Result result = evaluate(spark);
      assertEquals(ROWS, result.rows());
      // A model and itself.
      assertTrue(Double.isInfinite(result.outputs().get("logits").sqnr()));
      try (KeptRows rows = keep(spark, 70)) {
        assertEquals(70, rows.source().load(spark).count());
      }
    } finally {
      spark.stop();
    }
  }

  @Test
  void settingsPropertiesAndViewsStayAsTheyWere() throws Exception {
    SparkSession spark = DigitsCalibration.local("local[2]", Map.of(CHOSEN, "7"));
    Map<String, String> seen = new ConcurrentHashMap<>();
    Set<String> descriptions = ConcurrentHashMap.newKeySet();
    try {
      spark
          .sparkContext()
          .addSparkListener(
              new SparkListener() {
                @Override
                public void onJobStart(SparkListenerJobStart start) {
                  descriptions.add(
                      String.valueOf(start.properties().getProperty("spark.job.description")));
                  String group = start.properties().getProperty("spark.jobGroup.id");
                  seen.put(String.valueOf(start.jobId()), String.valueOf(group));
                }
              });
      spark.conf().set("spark.sql.shuffle.partitions", "3");
      view(spark);
      spark.sparkContext().setJobGroup("mine", "my own", false);
      Map<String, String> before = settings(spark);
      assertFalse(before.containsKey(READER_BATCH));
      assertEquals("7", before.get(CHOSEN));
      List<String> views = views(spark);
      calibrate(spark);
      evaluate(spark);
      try (KeptRows rows = keep(spark, 40)) {
        assertEquals(40, rows.source().load(spark).count());
      }
      assertEquals(before, settings(spark));
      assertEquals(views, views(spark));
      assertEquals("mine", spark.sparkContext().getLocalProperty("spark.jobGroup.id"));
      assertEquals("my own", spark.sparkContext().getLocalProperty("spark.job.description"));
      assertTrue(spark.sparkContext().getJobTags().isEmpty());
      assertTrue(spark.sparkContext().getPersistentRDDs().isEmpty());
      spark.sparkContext().clearJobGroup();
      evaluate(spark);
      assertNull(spark.sparkContext().getLocalProperty("spark.jobGroup.id"));
      assertNull(spark.sparkContext().getLocalProperty("spark.job.description"));
      spark.range(1).collectAsList();
      DigitsCalibration.awaitListeners(spark);
      assertTrue(
          descriptions.stream()
              .anyMatch(text -> text.matches("Tare calibrate digits: observe \\d+ tensors")),
          descriptions.toString());
      assertTrue(
          descriptions.stream().anyMatch(text -> text.startsWith("Tare evaluate digits: ")),
          descriptions.toString());
      assertTrue(seen.containsValue("mine"), seen.toString());
      assertTrue(seen.values().stream().anyMatch(g -> g.startsWith("tare-")), seen.toString());
      assertTrue(seen.containsValue("null"), "the caller's own job has no group: " + seen);
    } finally {
      spark.stop();
    }
  }

  private static Map<String, String> settings(SparkSession spark) {
    Map<String, String> all = new LinkedHashMap<>();
    scala.collection.Iterator<scala.Tuple2<String, String>> entries =
        spark.conf().getAll().iterator();
    while (entries.hasNext()) {
      scala.Tuple2<String, String> entry = entries.next();
      all.put(entry._1(), entry._2());
    }
    return all;
  }

  private static List<String> views(SparkSession spark) {
    return spark.catalog().listTables().collectAsList().stream()
        .map(table -> table.name())
        .sorted()
        .toList();
  }

  @Test
  void severalThreadsAtOnceAndNothingIsLeft() throws Exception {
    SparkSession spark = DigitsCalibration.local("local[2]", Map.of());
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      view(spark);
      CalibrationJob.Request request = request();
      byte[] expected = calibrate(spark, request).encode();
      List<Future<byte[]>> runs = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        runs.add(threads.submit(() -> calibrate(spark, request).encode()));
      }
      for (Future<byte[]> run : runs) {
        assertArrayEquals(expected, run.get());
      }
      assertFalse(settings(spark).containsKey(READER_BATCH));
      try (Stream<Path> files = Files.list(Path.of(SparkFiles.getRootDirectory()))) {
        assertEquals(
            List.of(),
            files.filter(file -> file.getFileName().toString().startsWith("tare-")).toList());
      }
      assertEquals(0, spark.sparkContext().addedFiles().size());
    } finally {
      threads.shutdown();
      spark.stop();
    }
  }

  @Test
  void keptRowsAreTheSamePartitionsOnAnyCluster() {
    List<List<String>> expected = null;
    for (int cores : new int[] {1, 2, 4}) {
      SparkSession spark =
          DigitsCalibration.local(
              "local[" + cores + "]",
              Map.of("spark.default.parallelism", Integer.toString(3 * cores)));
      try {
        String data = DigitsCalibration.demoFile(folder, "digits-train.parquet").toString();
        // Rows that only what is not the key tells apart, in other places each time.
        spark
            .read()
            .parquet(data)
            .limit(300)
            .selectExpr("id div 3 AS id", "image", "label")
            .repartition(2 * cores - 1)
            .createOrReplaceTempView("digits");
        try (KeptRows rows = keep(spark, 100)) {
          List<List<String>> found =
              rows.source().load(spark).javaRDD().glom().collect().stream()
                  .map(part -> part.stream().map(LibrarySessionTest::text).toList())
                  .toList();
          assertEquals(4, found.size());
          assertEquals(100, found.stream().mapToInt(List::size).sum());
          expected = expected == null ? found : expected;
          assertEquals(expected, found, cores + " cores");
        }
      } finally {
        spark.stop();
      }
    }
  }

  private static String text(Row row) {
    return row.getLong(row.fieldIndex("id"))
        + ":"
        + java.util.Arrays.hashCode((byte[]) row.getAs("image"));
  }
}
