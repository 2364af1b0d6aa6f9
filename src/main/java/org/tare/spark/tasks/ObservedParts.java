package org.tare.spark.tasks;

import java.io.Serializable;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.tare.stats.ChannelStats;
import org.tare.stats.MovingAverage;
import org.tare.stats.TensorStats;

/**
 * What is observed besides the stats that every tensor gets.
 *
 * @param averages the averaging constant of each tensor that needs a moving average
 * @param channels how much of each channel
 * @param axes the axis of the channels of each tensor that has them, counted from the end: -1 is
 *     the last
 */
public record ObservedParts(
    Map<String, Float> averages, ChannelDetail channels, Map<String, Integer> axes)
    implements Serializable {
  public ObservedParts {
    averages = Map.copyOf(averages);
    axes = Map.copyOf(axes);
  }

  /** How much is kept of each channel. */
  public enum ChannelDetail {
    NONE,
    /** Least and greatest value, sums. */
    SUMMARY,
    /** That and a histogram. */
    HISTOGRAM
  }

  /** Nothing else. */
  public static ObservedParts none() {
    return new ObservedParts(Map.of(), ChannelDetail.NONE, Map.of());
  }

  /** What is observed of some tensors alone. */
  public ObservedParts only(Collection<String> tensors) {
    Map<String, Float> someAverages = new HashMap<>(averages);
    someAverages.keySet().retainAll(tensors);
    Map<String, Integer> someAxes = new HashMap<>(axes);
    someAxes.keySet().retainAll(tensors);
    return new ObservedParts(someAverages, channels, someAxes);
  }

  /** What is observed of these tensors and of others, with the greater detail of channels. */
  public ObservedParts and(ObservedParts others) {
    Map<String, Float> allAverages = new HashMap<>(averages);
    allAverages.putAll(others.averages);
    Map<String, Integer> allAxes = new HashMap<>(axes);
    allAxes.putAll(others.axes);
    boolean isMore = others.channels.compareTo(channels) > 0;
    return new ObservedParts(allAverages, isMore ? others.channels : channels, allAxes);
  }

  /** Empty stats with the parts that a tensor gets, but for channels, whose number shows later. */
  TensorStats emptyStats(String tensor, long place) {
    TensorStats stats = TensorStats.empty();
    Float constant = averages.get(tensor);
    return constant == null ? stats : stats.with(MovingAverage.at(place, constant, 1));
  }

  /** The axis of the channels of a tensor of the shape, from the front; none if it has no such. */
  Optional<Integer> channelAxis(String tensor, long[] shape) {
    Integer axis = axes.get(tensor);
    if (channels == ChannelDetail.NONE || axis == null) {
      return Optional.empty();
    }
    int fromFront = shape.length + axis;
    // The first axis counts the rows of the batch.
    return fromFront >= 1 && fromFront < shape.length ? Optional.of(fromFront) : Optional.empty();
  }

  ChannelStats channelStats(int count) {
    return channels == ChannelDetail.HISTOGRAM
        ? ChannelStats.withHistograms(count)
        : ChannelStats.of(count);
  }
}
