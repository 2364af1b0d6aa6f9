package org.tare.spark.tasks;

import java.util.Locale;
import java.util.function.Consumer;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/**
 * Tells every few seconds how far a job is: rows, rows per second, and the time left as the tasks
 * done so far suggest. Only for the eye: retried tasks count again.
 */
final class Progress implements AutoCloseable {
  private static final long INTERVAL_MILLIS = 3000;

  private final Thread thread;

  Progress(SparkSession spark, String what, LongAccumulator rows, Consumer<String> out) {
    JavaSparkContext context = new JavaSparkContext(spark.sparkContext());
    long started = System.nanoTime();
    thread =
        new Thread(
            () -> {
              try {
                while (true) {
                  Thread.sleep(INTERVAL_MILLIS);
                  out.accept(line(context, what, rows.value(), started));
                }
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            },
            "tare-progress");
    thread.setDaemon(true);
    thread.start();
  }

  private static String line(JavaSparkContext context, String what, long rows, long started) {
    double seconds = (System.nanoTime() - started) / 1e9;
    int tasks = 0;
    int done = 0;
    for (int stage : context.statusTracker().getActiveStageIds()) {
      SparkStageInfo info = context.statusTracker().getStageInfo(stage);
      if (info != null) {
        tasks += info.numTasks();
        done += info.numCompletedTasks();
      }
    }
    String left =
        done == 0 || tasks == 0
            ? ""
            : String.format(Locale.ROOT, ", about %.0f s left", seconds * (tasks - done) / done);
    return String.format(
        Locale.ROOT,
        "%s: %,d rows, %,.0f rows/s, %d of %d tasks%s",
        what,
        rows,
        rows / seconds,
        done,
        tasks,
        left);
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
