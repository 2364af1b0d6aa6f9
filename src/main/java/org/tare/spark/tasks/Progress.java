package org.tare.spark.tasks;

import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkJobInfo;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.tare.spark.JobLabel;
import scala.Option;
import scala.Tuple4;

/**
 * Tells every few seconds how far a job is: rows, rows per second, and the time left as the tasks
 * done so far suggest; nothing before the first row. Rows of running tasks are those that executors
 * told with their last heartbeat. Only for the eye: retried tasks count again.
 */
final class Progress implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Progress.class);
  private static final long INTERVAL_MILLIS = 3000;

  private final SparkContext context;
  private final Rows rows;
  private final Thread thread;

  /**
   * @param label whose jobs are counted
   */
  Progress(
      SparkSession spark, JobLabel label, String what, LongAccumulator seen, Consumer<String> out) {
    context = spark.sparkContext();
    rows = new Rows(seen);
    context.addSparkListener(rows);
    long started = System.nanoTime();
    thread =
        new Thread(
            () -> {
              try {
                while (true) {
                  Thread.sleep(INTERVAL_MILLIS);
                  double seconds = (System.nanoTime() - started) / 1e9;
                  String line = line(what, rows.count(), Tasks.of(context, label.tag()), seconds);
                  if (!line.isEmpty()) {
                    out.accept(line);
                  }
                }
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              } catch (RuntimeException e) {
                // Spark is being stopped: there is nothing more to tell.
                LOG.debug("No more progress is told", e);
              }
            },
            "tare-progress");
    thread.setDaemon(true);
    thread.start();
  }

  /** The tasks of the stages that run now. */
  record Tasks(int done, int all) {
    private static Tasks of(SparkContext context, String tag) {
      int done = 0;
      int all = 0;
      for (int job : context.statusTracker().getJobIdsForTag(tag)) {
        Option<SparkJobInfo> info = context.statusTracker().getJobInfo(job);
        for (int id : info.isDefined() ? info.get().stageIds() : new int[0]) {
          Option<SparkStageInfo> stage = context.statusTracker().getStageInfo(id);
          if (stage.isDefined() && stage.get().numActiveTasks() > 0) {
            done += stage.get().numCompletedTasks();
            all += stage.get().numTasks();
          }
        }
      }
      return new Tasks(done, all);
    }
  }

  /** Empty as long as nothing is known. */
  static String line(String what, long rows, Tasks tasks, double seconds) {
    if (rows == 0) {
      return "";
    }
    String done =
        tasks.all() == 0
            ? ""
            : String.format(Locale.ROOT, ", %d of %d tasks", tasks.done(), tasks.all());
    String left =
        tasks.done() == 0
            ? ""
            : String.format(
                Locale.ROOT,
                ", about %.0f s left",
                seconds * (tasks.all() - tasks.done()) / tasks.done());
    return String.format(
        Locale.ROOT, "%s: %,d rows, %,.0f rows/s%s%s", what, rows, rows / seconds, done, left);
  }

  /** Adds what running tasks have seen to what ended tasks have, and warns of lost executors. */
  static final class Rows extends SparkListener {
    private final LongAccumulator ended;
    private final Map<Long, Long> running = new ConcurrentHashMap<>();

    /** A heartbeat that comes after the end of its task counts no more. */
    private final Set<Long> over = ConcurrentHashMap.newKeySet();

    Rows(LongAccumulator ended) {
      this.ended = ended;
    }

    long count() {
      return ended.value() + running.values().stream().mapToLong(Long::longValue).sum();
    }

    @Override
    public void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate update) {
      scala.collection.Iterator<
              Tuple4<Object, Object, Object, scala.collection.immutable.Seq<AccumulableInfo>>>
          tasks = update.accumUpdates().iterator();
      while (tasks.hasNext()) {
        Tuple4<Object, Object, Object, scala.collection.immutable.Seq<AccumulableInfo>> task =
            tasks.next();
        scala.collection.Iterator<AccumulableInfo> values = task._4().iterator();
        while (values.hasNext()) {
          AccumulableInfo value = values.next();
          if (value.id() == ended.id()
              && !over.contains(task._1())
              && value.update().isDefined()
              && value.update().get() instanceof Long seen) {
            running.put((Long) task._1(), seen);
          }
        }
      }
    }

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
      over.add(end.taskInfo().taskId());
      running.remove(end.taskInfo().taskId());
    }

    @Override
    public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
      if (!removed.reason().contains("killed by driver")) {
        LOG.warn(
            "Executor {} was lost; its tasks run again elsewhere: {}",
            removed.executorId(),
            removed.reason());
      }
    }
  }

  @Override
  public void close() {
    thread.interrupt();
    context.removeSparkListener(rows);
  }
}
