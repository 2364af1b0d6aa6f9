package org.tare.spark.tasks;

import java.io.IOException;
import java.io.ObjectInput;
import java.io.ObjectOutput;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/**
 * Stats that Spark carries between tasks: as an object while they are merged, as the bytes of
 * {@link StatsCodec} in between. A task hands over one state of a tensor, so that the first that
 * comes stays in bytes until there is another.
 */
final class StatsBuffer {
  /** The only state so far; null if there is none, or it is in the stats. */
  private byte[] only;

  /** What was merged; null while that is one state or none. */
  private TensorStats stats;

  /** Adds an encoded state. */
  void add(byte[] encoded) {
    if (only == null && stats == null) {
      only = encoded;
    } else {
      StatsCodec.mergeInto(stats(), encoded);
    }
  }

  /** Adds what another holds. */
  void add(StatsBuffer other) {
    if (other.stats != null) {
      stats().merge(other.stats);
    } else if (other.only != null) {
      add(other.only);
    }
  }

  /** All that was added. */
  TensorStats stats() {
    if (stats == null) {
      stats = TensorStats.empty();
      if (only != null) {
        StatsCodec.mergeInto(stats, only);
        only = null;
      }
    }
    return stats;
  }

  void write(ObjectOutput out) throws IOException {
    byte[] bytes = only != null ? only : StatsCodec.encode(stats());
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  void read(ObjectInput in) throws IOException {
    byte[] bytes = new byte[in.readInt()];
    in.readFully(bytes);
    stats = null;
    only = bytes;
  }
}
