package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageCompleted;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.infer.ModelSession;
import org.tare.onnx.ElementType;
import org.tare.onnx.OneFileLimit;
import org.tare.onnx.OnnxModel;
import org.tare.spark.rows.Sample;
import org.tare.spark.tasks.DigitsCalibration.Fault;
import org.tare.stats.CalibrationState;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

/** The state is the same, byte for byte, however Spark comes to it. */
class CalibrationJobTest {
  @TempDir static Path folder;

  private static byte[] expected;

  /** The state of a plain loop over batches of 32, without aggregation. */
  @BeforeAll
  static void calibrateWithoutSpark() throws Exception {
    SparkSession spark = DigitsCalibration.local("local[1]", Map.of());
    try {
      CalibrationJob.Request request =
          DigitsCalibration.request(
              folder, Optional.of(new Sample.Rows(1500)), "SELECT * FROM digits");
      String data = DigitsCalibration.demoFile(folder, "digits-train.parquet").toString();
      spark.read().parquet(data).createOrReplaceTempView("digits");
      List<Row> rows =
          request
              .data()
              .select(spark.table("digits"), List.of("image"), List.of("id"))
              .collectAsList();
      assertEquals(1500, rows.size());
      List<String> computed =
          request.observed().stream().filter(tensor -> !tensor.equals("image")).toList();
      OnnxModel exposed = request.prepared().withOutputs(computed);
      Path file = folder.resolve("exposed.onnx");
      exposed.write(file);
      TreeMap<String, TensorStats> stats = new TreeMap<>();
      request.observed().forEach(tensor -> stats.put(tensor, TensorStats.empty()));
      StatsObserver observer = new StatsObserver();
      try (ModelSession session = ModelSession.open(file, "digits", 1)) {
        for (int from = 0; from < rows.size(); from += 32) {
          int real = Math.min(32, rows.size() - from);
          float[] pixels = new float[32 * 784];
          for (int i = 0; i < 32; i++) {
            byte[] image = rows.get(i < real ? from + i : from).getAs(0);
            for (int p = 0; p < 784; p++) {
              pixels[784 * i + p] = (float) ((image[p] & 0xff) * (1 / 255.0));
            }
          }
          observer.observe(stats.get("image"), pixels, 0, 784 * real);
          ByteBuffer bytes = ByteBuffer.allocateDirect(4 * pixels.length);
          bytes.order(ByteOrder.nativeOrder()).asFloatBuffer().put(pixels);
          session.run(
              Map.of(
                  "image",
                  new ModelSession.InputTensor(
                      ElementType.FLOAT32, new long[] {32, 1, 28, 28}, bytes)),
              session.outputs().keySet(),
              (name, tensor) -> {
                float[] values = new float[(int) tensor.size()];
                tensor.floats().get(values);
                observer.observe(stats.get(name), values, 0, values.length / 32 * real);
              });
        }
      }
      expected = new CalibrationState(request.prepared().digest(), 1500, stats).encode();
    } finally {
      spark.stop();
    }
  }

  private static CalibrationState calibrate(
      String master,
      int partitions,
      Fault fault,
      Map<String, String> conf,
      SparkListener listener) {
    SparkSession spark = DigitsCalibration.local(master, conf);
    try {
      if (listener != null) {
        spark.sparkContext().addSparkListener(listener);
      }
      return DigitsCalibration.calibrate(spark, folder, partitions, fault).state();
    } finally {
      spark.stop();
    }
  }

  @ParameterizedTest
  @CsvSource({"local[1], 1", "local[2], 2", "local[2], 7", "local[2], 64"})
  void stateIsTheSameForAnyPartitions(String master, int partitions) {
    assertArrayEquals(expected, calibrate(master, partitions, Fault.NONE, Map.of(), null).encode());
  }

  @Test
  void failedTaskCountsOnce() {
    AtomicInteger failed = new AtomicInteger();
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onTaskEnd(SparkListenerTaskEnd end) {
            failed.addAndGet(end.taskInfo().failed() ? 1 : 0);
          }
        };
    CalibrationState state = calibrate("local[2,4]", 7, Fault.TASK, Map.of(), listener);
    assertTrue(failed.get() > 0, "no task failed");
    assertArrayEquals(expected, state.encode());
  }

  @Test
  void stageThatRunsAgainAfterAFailedFetchCountsOnce() {
    AtomicInteger repeated = new AtomicInteger();
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onStageCompleted(SparkListenerStageCompleted completed) {
            repeated.addAndGet(completed.stageInfo().attemptNumber() > 0 ? 1 : 0);
          }
        };
    int before = FailingShuffleManager.FAILURES.get();
    CalibrationState state =
        calibrate(
            "local[2,4]",
            7,
            Fault.NONE,
            Map.of("spark.shuffle.manager", FailingShuffleManager.class.getName()),
            listener);
    assertTrue(FailingShuffleManager.FAILURES.get() > before, "no fetch failed");
    assertTrue(repeated.get() > 0, "no stage ran again");
    assertArrayEquals(expected, state.encode());
  }

  @Test
  void layoutsAreTold() {
    float[] one = {1, 2, 3};
    assertEquals(TensorLayout.BATCH_MAJOR, Probed.layout(one, new float[] {1, 2, 3, 7, 8, 9}));
    assertEquals(TensorLayout.MIXED, Probed.layout(one, new float[] {1, 7, 2, 8, 3, 9}));
    assertEquals(TensorLayout.PER_BATCH, Probed.layout(one, new float[] {1, 2, 3}));
    assertEquals(TensorLayout.MIXED, Probed.layout(one, new float[] {1, 2, 3, 4}));
  }

  /** A Master and two Workers in their own processes, a driver in another. */
  @Test
  void clusterGivesTheSameState() throws Exception {
    try (StandaloneCluster cluster = StandaloneCluster.start(folder, 2)) {
      assertEquals("1500 " + digest() + " 0 1", runOn(cluster, 7, Fault.EXECUTOR, Map.of()));
      assertTrue(Files.exists(folder.resolve("executor-died")), "no executor died");
      // A model of two files, as those over 2 GB are, reaches executors in other processes whole;
      // here without the files of their own that Spark 4's sessions have above.
      String speculated =
          runOn(
              cluster,
              7,
              Fault.SLOW,
              Map.of(
                  OneFileLimit.PROPERTY,
                  "50000",
                  "spark.sql.artifact.isolation.enabled",
                  "false",
                  "spark.speculation",
                  "true",
                  "spark.speculation.quantile",
                  "0.1",
                  "spark.speculation.minTaskRuntime",
                  "2s",
                  "spark.speculation.interval",
                  "200ms"));
      assertTrue(
          speculated.matches("1500 " + digest() + " [1-9][0-9]* 2"),
          "another state, no speculative task, or not two files: " + speculated);
      assertEquals(List.of(), modelsOfExecutors());
    }
  }

  /** What executors that ended by themselves left behind. */
  private static List<Path> modelsOfExecutors() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(file -> file.getFileName().toString().startsWith("tare-")).toList();
    }
  }

  private static String digest() {
    return CalibrationState.decode(expected, "expected").digest();
  }

  private static String runOn(
      StandaloneCluster cluster, int partitions, Fault fault, Map<String, String> extra)
      throws Exception {
    Path result = folder.resolve("result-" + fault);
    Map<String, String> conf = new LinkedHashMap<>(extra);
    conf.put("spark.task.maxFailures", "4");
    cluster.submit(
        conf,
        DigitsCalibration.class,
        List.of(result.toString(), Integer.toString(partitions), fault.name(), folder.toString()));
    return Files.readString(result);
  }
}
