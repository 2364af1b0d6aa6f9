package org.tare.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.SparkSession;
import org.tare.Finetune;
import org.tare.Tare;

/**
 * What training of the demo's digits costs as a whole: the memory of a thousand steps, and two
 * workers beside one on the same rows. {@code deploy/train-cost} runs it.
 */
final class TrainingCost {
  private static final int MEMORY_STEPS = 1000;

  /** By then all is loaded, and compiled once. */
  private static final int MEMORY_FROM = 100;

  private static final double MEMORY_GROWTH = 0.05;

  private final String model;
  private final String data;
  private final List<Memory> memory = new ArrayList<>();

  private TrainingCost(String folder) {
    this.model = folder + "/digits-mobilenet.onnx";
    this.data = folder + "/digits-train.parquet";
  }

  /**
   * What a process has in memory.
   *
   * @param resident megabytes of the process
   * @param heap megabytes of live objects
   */
  private record Memory(long step, double resident, double heap) {
    static Memory now(long step) {
      System.gc();
      Runtime runtime = Runtime.getRuntime();
      return new Memory(
          step, residentMegabytes(), (runtime.totalMemory() - runtime.freeMemory()) / 1e6);
    }

    private static double residentMegabytes() {
      String pid = Long.toString(ProcessHandle.current().pid());
      try {
        Process ps = new ProcessBuilder("ps", "-o", "rss=", "-p", pid).start();
        String kilobytes =
            new String(ps.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        return Long.parseLong(kilobytes) * 1024 / 1e6;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** The arguments: the folder of the demo's files; memory, or workers and how often. */
  public static void main(String[] args) {
    TrainingCost cost = new TrainingCost(args[0]);
    if (args[1].equals("memory")) {
      cost.memory();
    } else {
      cost.workers(Integer.parseInt(args[2]));
    }
  }

  private void memory() {
    SparkSession spark = session("local[1]");
    try {
      Tare tare = Tare.on(spark).withProgress(this::remember);
      finetune(tare, "SELECT * FROM parquet.`" + data + "` LIMIT 800")
          .set("train.batch", 4)
          .set("train.epochs", 5)
          .set("train.evaluate-every", 10)
          .run();
    } finally {
      spark.stop();
    }
    for (Memory one : memory) {
      System.out.printf(
          Locale.ROOT,
          "after step %,d: %.0f MB resident, of them %.0f MB of live objects%n",
          one.step(),
          one.resident(),
          one.heap());
    }
    double growth = memory.get(memory.size() - 1).resident() / memory.get(0).resident() - 1;
    System.out.printf(
        Locale.ROOT,
        "resident after step %,d against step %,d: %+.1f %%%n",
        MEMORY_STEPS,
        MEMORY_FROM,
        100 * growth);
    if (Math.abs(growth) > MEMORY_GROWTH) {
      throw new IllegalStateException("memory is not flat");
    }
  }

  private void remember(String line) {
    String begin = "Training: step ";
    if (line.startsWith(begin)) {
      long step = Long.parseLong(line.substring(begin.length()).split(" ")[0].replace(",", ""));
      if (step % MEMORY_FROM == 0) {
        memory.add(Memory.now(step));
      }
    }
  }

  /**
   * What a training took.
   *
   * @param clock seconds by the clock, which others on the machine make more of
   * @param path seconds of CPU time of the driver and of the longest task of each stage: what the
   *     clock would say if every task had a core
   */
  private record Took(double clock, double path) {
    Took least(Took other) {
      return new Took(Math.min(clock, other.clock), Math.min(path, other.path));
    }
  }

  private void workers(int times) {
    Took one = new Took(Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY);
    Took two = one;
    // The first pair is for warming up.
    took("local[1]", 1);
    took("local[2]", 2);
    for (int i = 0; i < times; i++) {
      one = one.least(took("local[1]", 1));
      two = two.least(took("local[2]", 2));
    }
    System.out.printf(
        Locale.ROOT,
        "1 worker on local[1], 2 workers on local[2], same rows, least of %d by turns: by the clock"
            + " %.1f s, %.1f s, ratio %.2f; CPU time of the longest path %.1f s, %.1f s, ratio %.2f%n",
        times,
        one.clock(),
        two.clock(),
        two.clock() / one.clock(),
        one.path(),
        two.path(),
        two.path() / one.path());
  }

  private Took took(String master, int workers) {
    SparkSession spark = session(master);
    LongestTasks tasks = new LongestTasks();
    spark.sparkContext().addSparkListener(tasks);
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long driver = threads.getCurrentThreadCpuTime();
    double clock;
    try {
      clock =
          finetune(Tare.on(spark), "SELECT * FROM parquet.`" + data + "` LIMIT 3200")
              .set("train.workers", workers)
              .set("train.epochs", 1)
              .set("train.evaluate-every", 1000)
              .run()
              .training()
              .orElseThrow()
              .seconds();
    } finally {
      // The listener has heard of all tasks when the context has stopped.
      spark.stop();
    }
    return new Took(clock, (threads.getCurrentThreadCpuTime() - driver) / 1e9 + tasks.seconds());
  }

  /** The CPU time of each stage's longest task. */
  private static final class LongestTasks extends SparkListener {
    private final Map<Integer, Long> nanoseconds = new ConcurrentHashMap<>();

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
      if (end.taskMetrics() != null) {
        nanoseconds.merge(end.stageId(), end.taskMetrics().executorCpuTime(), Math::max);
      }
    }

    double seconds() {
      return nanoseconds.values().stream().mapToLong(Long::longValue).sum() / 1e9;
    }
  }

  private Finetune finetune(Tare tare, String rows) {
    return tare.finetune(model)
        .data(SparkSession.active().sql(rows))
        .set("inputs.image.dtype", "uint8")
        .set("inputs.image.scale", 0.00392156862745098)
        .set("quantize.weight.bits", 4)
        .set("quantize.measure-rows", 0)
        .set("train.measure-rows", 64);
  }

  private static SparkSession session(String master) {
    SparkSession spark =
        SparkSession.builder()
            .master(master)
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate();
    spark.sparkContext().setLogLevel("OFF");
    return spark;
  }
}
