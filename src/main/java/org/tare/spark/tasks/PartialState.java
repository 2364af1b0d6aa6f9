package org.tare.spark.tasks;

import java.io.Externalizable;
import java.io.IOException;
import java.io.ObjectInput;
import java.io.ObjectOutput;

/**
 * What tasks know of one tensor of a slice, or of its rows: as one of them hands it over, and as
 * the sum of several. To add is associative and commutative.
 */
public final class PartialState implements Externalizable {
  private static final long serialVersionUID = 2L;

  private StatsBuffer stats = new StatsBuffer();
  private long rows;
  private long skipped;
  private String reason = "";

  /** Nothing. */
  public PartialState() {}

  /** Of a tensor, its encoded stats. */
  static PartialState of(byte[] stats) {
    PartialState state = new PartialState();
    state.stats.add(stats);
    return state;
  }

  /**
   * Of rows.
   *
   * @param rows that were used
   * @param skipped that could not be decoded, for that {@code reason}, or an empty one
   */
  static PartialState of(long rows, long skipped, String reason) {
    PartialState state = new PartialState();
    state.rows = rows;
    state.skipped = skipped;
    state.reason = reason;
    return state;
  }

  StatsBuffer stats() {
    return stats;
  }

  /** Rows that were used. */
  long rows() {
    return rows;
  }

  /** Rows that could not be decoded. */
  long skipped() {
    return skipped;
  }

  /** One of their reasons, the first in the order of texts; empty if there is none. */
  String reason() {
    return reason;
  }

  /**
   * Adds another, which has no stats any more then, and returns this. Java's serialization holds on
   * to the objects that it read last; their bytes would take memory for nothing.
   */
  PartialState add(PartialState other) {
    stats.add(other.stats);
    other.stats = new StatsBuffer();
    rows += other.rows;
    skipped += other.skipped;
    reason = first(reason, other.reason);
    return this;
  }

  /** The first in order of two reasons, of which an empty one is none. */
  static String first(String one, String other) {
    if (one.isEmpty() || other.isEmpty()) {
      return one + other;
    }
    return one.compareTo(other) <= 0 ? one : other;
  }

  @Override
  public void writeExternal(ObjectOutput out) throws IOException {
    stats.write(out);
    out.writeLong(rows);
    out.writeLong(skipped);
    out.writeObject(reason); // writeUTF takes no more than 64 kB
  }

  @Override
  public void readExternal(ObjectInput in) throws IOException, ClassNotFoundException {
    stats.read(in);
    rows = in.readLong();
    skipped = in.readLong();
    reason = (String) in.readObject();
  }
}
