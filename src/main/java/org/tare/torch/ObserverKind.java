package org.tare.torch;

import java.util.Arrays;
import java.util.stream.Collectors;
import org.tare.TareException;

/** PyTorch's observers. */
public enum ObserverKind {
  /** Running least and greatest value. */
  MIN_MAX("MinMaxObserver", "minmax"),
  /** Exponential average of the batches' least and greatest value. */
  MOVING_AVERAGE("MovingAverageMinMaxObserver", "moving-average"),
  /** A histogram with a search for the range of least squared error. */
  HISTOGRAM("HistogramObserver", "histogram"),
  /** Least and greatest value of each channel. */
  PER_CHANNEL("PerChannelMinMaxObserver", "per-channel-minmax"),
  /** Exponential average for each channel. */
  MOVING_AVERAGE_PER_CHANNEL("MovingAveragePerChannelMinMaxObserver", "per-channel-moving-average"),
  /** Keeps the values. */
  RECORDING("RecordingObserver", "recording"),
  /** Observes nothing: qparams are chosen for each batch when the model runs. */
  PLACEHOLDER("PlaceholderObserver", "placeholder"),
  /** Qparams are given: sigmoid, softmax, tanh. */
  FIXED_QPARAMS("FixedQParamsObserver", "fixed-qparams"),
  /** Takes the qparams of the operator's input. */
  REUSE_INPUT("ReuseInputObserver", "reuse-input"),
  /** Observes nothing; the tensor stays float. */
  NOOP("NoopObserver", "noop");

  private final String className;
  private final String id;

  ObserverKind(String className, String id) {
    this.className = className;
    this.id = id;
  }

  /** The name of PyTorch's class. */
  public String className() {
    return className;
  }

  /** The name in Tare's settings. */
  public String id() {
    return id;
  }

  public boolean isPerChannel() {
    return this == PER_CHANNEL || this == MOVING_AVERAGE_PER_CHANNEL;
  }

  /** Whether qparams are computed from what was observed. */
  public boolean observes() {
    return switch (this) {
      case MIN_MAX, MOVING_AVERAGE, HISTOGRAM, PER_CHANNEL, MOVING_AVERAGE_PER_CHANNEL -> true;
      default -> false;
    };
  }

  /**
   * The observer of the given name, PyTorch's or Tare's.
   *
   * @throws TareException if there is none
   */
  public static ObserverKind of(String name) {
    for (ObserverKind kind : values()) {
      if (kind.className.equals(name) || kind.id.equals(name.replace('_', '-'))) {
        return kind;
      }
    }
    throw TareException.usage(
        "Unknown observer \"%s\": it is one of %s",
        name, Arrays.stream(values()).map(ObserverKind::id).collect(Collectors.joining(", ")));
  }
}
