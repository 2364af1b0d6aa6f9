package org.tare.spark;

import org.apache.spark.SparkContext;
import org.apache.spark.SparkContext$;
import org.apache.spark.scheduler.SparkListenerEvent;
import scala.Option;

/**
 * What happened in Tare, as an event on Spark's listener bus: a {@link
 * org.apache.spark.scheduler.SparkListener} gets it by {@code onOtherEvent}, and it is in the event
 * log if there is one.
 */
public sealed interface JobEvent extends SparkListenerEvent {
  /**
   * A calibration ended.
   *
   * @param badRows rows that were skipped
   */
  record Calibrated(long rows, long badRows, double seconds) implements JobEvent {}

  /**
   * An evaluation ended.
   *
   * @param sqnrDb of the worst output, in dB
   */
  record Evaluated(double sqnrDb) implements JobEvent {}

  /**
   * Data were compared with those of before.
   *
   * @param effect of the tensor that moved most, in standard deviations
   * @param movedTensors how many tensors moved
   */
  record DriftChecked(double effect, long movedTensors) implements JobEvent {}

  /**
   * An output is at its place.
   *
   * @param output the path of its folder
   */
  record Published(String output) implements JobEvent {}

  /** Counts it in the metrics of this driver, and puts it on the bus of its Spark, if one runs. */
  default void post() {
    JobMetrics.count(this);
    Option<SparkContext> spark = SparkContext$.MODULE$.getActive();
    if (spark.isDefined() && !spark.get().isStopped()) {
      spark.get().listenerBus().post(this);
    }
  }
}
