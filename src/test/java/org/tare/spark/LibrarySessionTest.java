package org.tare.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.onnx.OnnxModel;
import org.tare.stats.CalibrationState;

/** Jobs in a session that is not theirs: they leave it as it was. */
class LibrarySessionTest {
  private static final String READER_BATCH = "spark.sql.parquet.columnarReaderBatchSize";
  private static final String THRESHOLD =
      "spark.sql.objectHashAggregate.sortBased.fallbackThreshold";

  @TempDir static Path folder;

  private static CalibrationState calibrate(SparkSession spark) {
    return DigitsCalibration.calibrate(spark, folder, 3, DigitsCalibration.Fault.NONE).state();
  }

  private static EvaluationJob.Result evaluate(SparkSession spark) {
    CalibrationJob.Request same =
        DigitsCalibration.request(folder, Optional.of(200.0), "SELECT * FROM digits");
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
    CalibrationJob.Request same =
        DigitsCalibration.request(folder, Optional.empty(), "SELECT * FROM digits");
    return KeptRows.of(
        spark, "digits", same.prepared(), same.types(), same.data(), same.inputs(), count);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void artifactIsolationOnAndOff(boolean isolated) {
    SparkSession spark =
        DigitsCalibration.local(
            "local[2]",
            Map.of("spark.sql.artifact.isolation.enabled", Boolean.toString(isolated)));
    try {
      assertEquals(1500, calibrate(spark).rows());
      EvaluationJob.Result result = evaluate(spark);
      assertEquals(200, result.rows());
      // A model and itself.
      assertTrue(Double.isInfinite(result.outputs().get("logits").sqnr()));
    } finally {
      spark.stop();
    }
  }

  @Test
  void kryoMayAskForRegistration() {
    SparkSession spark =
        DigitsCalibration.local(
            "local[2]",
            Map.of(
                "spark.serializer",
                "org.apache.spark.serializer.KryoSerializer",
                "spark.kryo.registrationRequired",
                "true"));
    try {
      assertEquals(1500, calibrate(spark).rows());
      assertEquals(200, evaluate(spark).rows());
      try (KeptRows rows = keep(spark, 70)) {
        assertEquals(70, rows.source().load(spark).count());
      }
    } finally {
      spark.stop();
    }
  }

  @Test
  void settingsPropertiesAndViewsStayAsTheyWere() throws Exception {
    SparkSession spark = DigitsCalibration.local("local[2]", Map.of(THRESHOLD, "7"));
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
      // The view that the jobs read.
      spark
          .read()
          .parquet(DigitsCalibration.demoFile(folder, "digits-train.parquet").toString())
          .createOrReplaceTempView("digits");
      spark.sparkContext().setJobGroup("mine", "my own", false);
      Map<String, String> before = settings(spark);
      assertFalse(before.containsKey(READER_BATCH));
      assertEquals("7", before.get(THRESHOLD));
      List<String> views = views(spark);
      CalibrationJob.run(
          spark,
          DigitsCalibration.request(folder, Optional.of(100.0), "SELECT * FROM digits"),
          line -> {});
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
      byte[] expected = calibrate(spark).encode();
      CalibrationJob.Request request =
          DigitsCalibration.request(folder, Optional.of(1500.0), "SELECT * FROM digits");
      List<Future<byte[]>> runs = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        runs.add(
            threads.submit(() -> CalibrationJob.run(spark, request, line -> {}).state().encode()));
      }
      for (Future<byte[]> run : runs) {
        assertArrayEquals(expected, run.get());
      }
      assertFalse(settings(spark).containsKey(READER_BATCH));
      assertFalse(settings(spark).containsKey(THRESHOLD));
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
    for (String master : List.of("local[1]", "local[2]", "local[4]")) {
      for (int partitions : new int[] {1, 5}) {
        SparkSession spark =
            DigitsCalibration.local(
                master, Map.of("spark.default.parallelism", Integer.toString(3 * partitions)));
        try {
          String data = DigitsCalibration.demoFile(folder, "digits-train.parquet").toString();
          // Rows that only what is not the key tells apart, and rows that are equal.
          spark
              .read()
              .parquet(data)
              .limit(300)
              .selectExpr("id div 3 AS id", "image", "label")
              .repartition(partitions)
              .createOrReplaceTempView("digits");
          try (KeptRows rows = keep(spark, 100)) {
            List<List<String>> found =
                rows.source().load(spark).javaRDD().glom().collect().stream()
                    .map(part -> part.stream().map(LibrarySessionTest::text).toList())
                    .toList();
            assertEquals(4, found.size());
            assertEquals(100, found.stream().mapToInt(List::size).sum());
            expected = expected == null ? found : expected;
            assertEquals(expected, found, master + ", " + partitions + " partitions");
          }
        } finally {
          spark.stop();
        }
      }
    }
  }

  private static String text(Row row) {
    return row.getLong(row.fieldIndex("id"))
        + ":"
        + java.util.Arrays.hashCode((byte[]) row.getAs("image"));
  }
}
