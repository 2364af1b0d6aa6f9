package org.tare.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.tare.Calibration;
import org.tare.Tare;
import org.tare.examples.BareInference;
import org.tare.spark.tasks.StandaloneCluster;

/**
 * One executor of one core beside two, each a process of a standalone cluster: the second
 * calibration of each, when code is compiled and sessions are open.
 */
public final class ExecutorTable {
  private static final int BARE_ROWS = 512;

  private ExecutorTable() {}

  static void print(Path model, Path table, Path arrays, Path out) throws Exception {
    BareInference bare = BareInference.of(model, arrays);
    System.out.printf(
        Locale.ROOT,
        "%nTwo sessions of ONNX Runtime alone are %.2f times as fast as one.%n",
        bare.seconds(BARE_ROWS, 1) / bare.seconds(BARE_ROWS, 2));
    System.out.println("\n| executors of one core | s of the pass | of one |");
    System.out.println("|---|---:|---:|");
    double first = 0;
    String bytes = "";
    for (int executors : new int[] {1, 2}) {
      Path result = out.resolve("executors-" + executors);
      Path folder = Files.createDirectories(out.resolve("cluster-" + executors));
      try (StandaloneCluster cluster = StandaloneCluster.start(folder, executors)) {
        cluster.submit(
            Map.of(
                // In the place of the tests' option, which keeps the better compiler off.
                "spark.executor.extraJavaOptions",
                "-XX:+UseG1GC",
                // As the command sets it.
                "spark.locality.wait",
                "0s",
                "spark.cores.max",
                Integer.toString(executors)),
            ExecutorTable.class,
            List.of(model.toString(), table.toString(), result.toString()));
      }
      List<String> lines = Files.readAllLines(result);
      double seconds = Double.parseDouble(lines.get(0));
      first = first == 0 ? seconds : first;
      bytes = bytes.isEmpty() ? lines.get(1) : bytes;
      System.out.printf(
          Locale.ROOT,
          "| %d | %.1f | %.2f times as fast, %s state |%n",
          executors,
          seconds,
          first / seconds,
          bytes.equals(lines.get(1)) ? "the same" : "ANOTHER");
    }
  }

  /** A driver on the cluster: the model, the table, the file for seconds and the state's digest. */
  public static void main(String[] args) throws IOException {
    try (SparkSession spark = SparkSession.builder().appName("executors").getOrCreate()) {
      calibrate(spark, args);
      long started = System.nanoTime();
      Calibration second = calibrate(spark, args);
      double seconds = (System.nanoTime() - started) / 1e9;
      Files.writeString(Path.of(args[2]), seconds + "\n" + second.state().digest() + "\n");
    }
  }

  private static Calibration calibrate(SparkSession spark, String[] args) {
    return Tare.on(spark)
        .calibrate(args[0])
        .set("data.path", args[1])
        .set("quantize.smooth-quant", false)
        .run();
  }
}
