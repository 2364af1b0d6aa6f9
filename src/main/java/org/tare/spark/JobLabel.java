package org.tare.spark;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;

/**
 * What Spark's UI says of the jobs that this thread starts while this is open, and a tag of their
 * own to find and cancel them by. A job group that the caller chose stays, so that the caller's
 * cancelling still works; so does the description of an outer label.
 */
public final class JobLabel implements AutoCloseable {
  private static final String GROUP = "spark.jobGroup.id";
  private static final String DESCRIPTION = "spark.job.description";
  private static final String INTERRUPT = "spark.job.interruptOnCancel";

  private final SparkContext context;
  private final String tag = "tare-" + UUID.randomUUID();
  private final Map<String, String> before = new LinkedHashMap<>();

  /**
   * @param description what the jobs do, and for which model
   */
  public JobLabel(SparkSession spark, String description) {
    context = spark.sparkContext();
    for (String key : new String[] {GROUP, DESCRIPTION, INTERRUPT}) {
      before.put(key, context.getLocalProperty(key));
    }
    if (before.get(GROUP) == null) {
      context.setLocalProperty(GROUP, tag);
      context.setLocalProperty(INTERRUPT, "true");
    }
    context.setLocalProperty(DESCRIPTION, "Tare " + description);
    context.addJobTag(tag);
  }

  /** Which jobs are meant, for Spark's status and for cancelling. */
  public String tag() {
    return tag;
  }

  /**
   * Cancels what still runs, and says what happened.
   *
   * @param what could not be done
   * @param modelBytes what the models of the job take, for a hint if memory was short
   */
  public TareException failed(String what, Throwable failure, long modelBytes) {
    if (!context.isStopped()) {
      context.cancelJobsWithTag(tag);
    }
    return SparkFailures.translate(what, failure, modelBytes);
  }

  @Override
  public void close() {
    context.removeJobTag(tag);
    before.forEach(context::setLocalProperty);
  }
}
