package org.tare.job;

import java.util.Arrays;
import java.util.List;
import org.tare.TareException;
import org.tare.spark.tasks.ObserveJob;

/** How columns of a table are observed. */
public enum Observer {
  HISTOGRAM("histogram", ObserveJob.Part.STATS),
  MINMAX("minmax", ObserveJob.Part.STATS),
  MOVING_AVERAGE("moving-average", ObserveJob.Part.MOVING_AVERAGE),
  PER_CHANNEL_MINMAX("per-channel-minmax", ObserveJob.Part.CHANNELS),
  PER_CHANNEL_MOVING_AVERAGE("per-channel-moving-average", ObserveJob.Part.CHANNEL_MOVING_AVERAGE),
  RECORDING("recording", ObserveJob.Part.RECORDING),
  /** Keeps nothing: gives the qparams that dynamic quantization chooses for each batch. */
  PLACEHOLDER("placeholder", ObserveJob.Part.STATS),
  /** PyTorch's HistogramObserver, as its releases compute it. */
  TORCH_1_13("torch-1.13", ObserveJob.Part.STATS),
  TORCH_2_0("torch-2.0", ObserveJob.Part.STATS),
  TORCH_2_5("torch-2.5", ObserveJob.Part.STATS);

  private final String id;
  private final ObserveJob.Part part;

  Observer(String id, ObserveJob.Part part) {
    this.id = id;
    this.part = part;
  }

  /** The name in settings. */
  public String id() {
    return id;
  }

  /** The names of all, in order. */
  public static List<String> ids() {
    return Arrays.stream(values()).map(Observer::id).toList();
  }

  /**
   * The observer of the given name.
   *
   * @throws TareException if there is none
   */
  public static Observer of(String name) {
    for (Observer observer : values()) {
      if (observer.id.equals(name)) {
        return observer;
      }
    }
    throw TareException.usage(
        "observe.observer cannot be \"%s\": it is one of %s", name, String.join(", ", ids()));
  }

  ObserveJob.Part part() {
    return part;
  }

  public boolean isPerChannel() {
    return this == PER_CHANNEL_MINMAX || this == PER_CHANNEL_MOVING_AVERAGE;
  }

  /** Whether it is one of PyTorch's own. */
  public boolean isTorch() {
    return id.startsWith("torch-");
  }

  /** Whether its result depends on the order of batches. */
  public boolean dependsOnOrder() {
    return this == MOVING_AVERAGE
        || this == PER_CHANNEL_MOVING_AVERAGE
        || this == RECORDING
        || seesAllInOrder();
  }

  /** Whether it sees all batches on the driver, one after the other. */
  boolean seesAllInOrder() {
    return isTorch() || this == PLACEHOLDER;
  }
}
