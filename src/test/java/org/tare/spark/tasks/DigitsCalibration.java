package org.tare.spark.tasks;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskStart;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.infer.TensorTypes;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.InputSpec;
import org.tare.spark.rows.Sample;
import org.tare.stats.CalibrationState;

/**
 * Calibrates the demo's model on 1,500 of its rows, in a given number of partitions and with a
 * given fault; as a program too, for a driver in its own process.
 */
public final class DigitsCalibration {
  /** What goes wrong on the way. */
  public enum Fault {
    NONE,
    /** A task fails in its first attempt, after half of its rows. */
    TASK,
    /** An executor dies in the midst of a task, once. */
    EXECUTOR,
    /** A task hangs in its first attempt, so that speculation starts another. */
    SLOW
  }

  private DigitsCalibration() {}

  /**
   * Rows, digest, the number of speculative tasks, and the number of files that the model traveled
   * as go to the file of the first argument.
   */
  public static void main(String[] args) throws IOException {
    Path result = Path.of(args[0]);
    int partitions = Integer.parseInt(args[1]);
    Fault fault = Fault.valueOf(args[2]);
    SparkSession spark = SparkSession.builder().appName("digits").getOrCreate();
    AtomicInteger speculative = new AtomicInteger();
    spark
        .sparkContext()
        .addSparkListener(
            new SparkListener() {
              @Override
              public void onTaskStart(SparkListenerTaskStart start) {
                speculative.addAndGet(start.taskInfo().speculative() ? 1 : 0);
              }
            });
    try {
      CalibrationState state = calibrate(spark, Path.of(args[3]), partitions, fault).state();
      String counts = speculative.get() + " " + files(spark, Path.of(args[3]));
      Files.writeString(result, state.rows() + " " + state.digest() + " " + counts);
    } finally {
      spark.stop();
    }
  }

  private static int files(SparkSession spark, Path folder) {
    OnnxModel model = request(folder, Optional.empty(), "").prepared();
    try (ShippedModel shipped = ShippedModel.ship(spark, model, "digits")) {
      return shipped.files();
    }
  }

  /** A session in this JVM. */
  public static SparkSession local(String master, Map<String, String> conf) {
    SparkSession.Builder builder =
        SparkSession.builder()
            .master(master)
            .appName("test")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1");
    conf.forEach(builder::config);
    SparkSession spark = builder.getOrCreate();
    spark.sparkContext().setLogLevel("OFF");
    return spark;
  }

  /** Waits until listeners have been told all that happened. */
  static void awaitListeners(SparkSession spark) throws java.util.concurrent.TimeoutException {
    spark.sparkContext().listenerBus().waitUntilEmpty(20_000);
  }

  /** Copies the demo's files out of the classpath. */
  public static Path demoFile(Path folder, String name) {
    Path file = folder.resolve(name);
    try (InputStream in = DigitsCalibration.class.getResourceAsStream("/org/tare/demo/" + name)) {
      Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return file;
  }

  static CalibrationJob.Result calibrate(
      SparkSession spark, Path folder, int partitions, Fault fault) {
    String data = demoFile(folder, "digits-train.parquet").toString();
    Dataset<Row> rows = spark.read().parquet(data).repartition(partitions);
    String marker = folder.resolve("executor-died").toString();
    rows.mapPartitions(new Inject(fault, marker), Encoders.row(rows.schema()))
        .createOrReplaceTempView("digits");
    return CalibrationJob.run(
        spark,
        request(folder, Optional.of(new Sample.Rows(1500)), "SELECT * FROM digits"),
        line -> {});
  }

  public static CalibrationJob.Request request(Path folder, Optional<Sample> sample, String query) {
    OnnxModel model =
        FloatPasses.prepare(OnnxModel.read(demoFile(folder, "digits-mobilenet.onnx")));
    Map<String, TensorType> types = TensorTypes.of(model, "digits");
    QConfigMapping mapping = new QConfigMapping(QConfig.standard(), List.of());
    InputSpec image =
        new InputSpec(
            Optional.of("image"),
            Optional.of("uint8"),
            List.of(),
            1 / 255.0,
            List.of(0.0),
            List.of(1.0),
            false,
            false,
            List.of(),
            List.of(),
            List.of(),
            OptionalInt.empty());
    return new CalibrationJob.Request(
        "digits",
        model,
        types,
        QuantizationPlan.of(model, types, mapping).observed(),
        new DataSource(new DataSource.Query(query), sample, Optional.of("id")),
        Map.of("image", image),
        32,
        new BadRows(false, 0),
        ObservedParts.none(),
        Optional.empty(),
        List.of());
  }

  /** Passes the rows on, and makes the fault in a partition that has rows. */
  private record Inject(Fault fault, String marker) implements MapPartitionsFunction<Row, Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
      TaskContext task = TaskContext.get();
      return new Iterator<>() {
        private int seen;

        @Override
        public boolean hasNext() {
          return rows.hasNext();
        }

        @Override
        public Row next() {
          if (++seen == 100 && task.partitionId() == 0) {
            fail(task);
          }
          return rows.next();
        }
      };
    }

    private void fail(TaskContext task) {
      if (fault == Fault.TASK && task.attemptNumber() == 0) {
        throw new IllegalStateException("injected");
      }
      if (fault == Fault.SLOW && task.attemptNumber() == 0) {
        try {
          Thread.sleep(20_000);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
      if (fault == Fault.EXECUTOR) {
        try {
          Files.createFile(Path.of(marker));
          Runtime.getRuntime().halt(1);
        } catch (IOException e) {
          // It died before: once is enough.
          return;
        }
      }
    }
  }
}
