package org.tare.spark.functions;

import org.tare.stats.ChannelObserver;
import org.tare.stats.ChannelStats;
import org.tare.stats.StatsCodec;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

/**
 * The buffer of the aggregate functions: stats, and single values that wait to be observed
 * together.
 */
final class ObservedValues {
  private static final int MOST_PENDING = 4096;

  /** Their scratch memory is large, and groups are many. */
  private static final ThreadLocal<StatsObserver> OBSERVER =
      ThreadLocal.withInitial(StatsObserver::new);

  private static final ThreadLocal<ChannelObserver> CHANNEL_OBSERVER =
      ThreadLocal.withInitial(() -> new ChannelObserver(OBSERVER.get()));

  private final TensorStats stats;
  private float[] pending = new float[0];
  private int count;

  ObservedValues() {
    this(TensorStats.empty());
  }

  ObservedValues(TensorStats stats) {
    this.stats = stats;
  }

  void add(float value) {
    if (count == pending.length) {
      if (count == MOST_PENDING) {
        flush();
      } else {
        pending = java.util.Arrays.copyOf(pending, Math.max(16, 4 * count));
      }
    }
    pending[count++] = value;
  }

  void add(float[] values) {
    if (values.length >= MOST_PENDING / 4) {
      OBSERVER.get().observe(stats, values, 0, values.length);
    } else {
      for (float value : values) {
        add(value);
      }
    }
  }

  /** Adds a row of values, one for each channel. */
  void addChannels(float[] values) {
    if (values.length == 0) {
      return;
    }
    if (stats.channels().isEmpty()) {
      flush();
      stats.with(ChannelStats.of(values.length));
    }
    ChannelStats channels = stats.channels().orElseThrow();
    if (channels.channels() != values.length) {
      throw org.tare.TareException.badInput(
          "tare_observe_channels: one array has %d values, another %d; each index is a channel, so"
              + " their number must be the same",
          channels.channels(), values.length);
    }
    add(values);
    CHANNEL_OBSERVER.get().observe(channels, values, 0, values.length, 1, 1);
  }

  void merge(byte[] state) {
    flush();
    StatsCodec.mergeInto(stats, state);
  }

  void merge(ObservedValues other) {
    flush();
    stats.merge(other.stats());
  }

  TensorStats stats() {
    flush();
    return stats;
  }

  private void flush() {
    if (count > 0) {
      OBSERVER.get().observe(stats, pending, 0, count);
      count = 0;
    }
  }
}
