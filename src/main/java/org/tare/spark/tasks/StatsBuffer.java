package org.tare.spark.tasks;

import java.io.Externalizable;
import java.io.IOException;
import java.io.ObjectInput;
import java.io.ObjectOutput;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/**
 * Stats that Spark carries between tasks: as an object while they are merged, as the bytes of
 * {@link StatsCodec} in between.
 */
public final class StatsBuffer implements Externalizable {
  private static final long serialVersionUID = 1L;

  private TensorStats stats = TensorStats.empty();

  /** Nothing observed. */
  public StatsBuffer() {}

  TensorStats stats() {
    return stats;
  }

  @Override
  public void writeExternal(ObjectOutput out) throws IOException {
    byte[] bytes = StatsCodec.encode(stats);
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  @Override
  public void readExternal(ObjectInput in) throws IOException {
    byte[] bytes = new byte[in.readInt()];
    in.readFully(bytes);
    stats = StatsCodec.decode(bytes);
  }
}
