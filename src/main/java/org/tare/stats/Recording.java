package org.tare.stats;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.tare.TareException;

/**
 * The values themselves, as PyTorch's {@code RecordingObserver} keeps them, but bounded: the first
 * batches in order, as many as fit whole into the limit.
 *
 * <p>Each batch has a place in the order, its sequence number. Merging keeps the first batches of
 * both, exactly and in any order of merging. Not thread-safe.
 */
public final class Recording {
  private final int limit;
  private final NavigableMap<Long, float[]> batches = new TreeMap<>();

  /** How many values the batches hold. */
  private long held;

  /** The place of the first batch that did not fit: nothing is kept from there on. */
  private long end = Long.MAX_VALUE;

  private Recording(int limit) {
    if (limit < 0) {
      throw TareException.usage("a recording cannot hold %d values", limit);
    }
    this.limit = limit;
  }

  /**
   * Nothing recorded.
   *
   * @param limit how many values are kept at most
   */
  public static Recording of(int limit) {
    return new Recording(limit);
  }

  public int limit() {
    return limit;
  }

  /**
   * Records a batch at its place; a batch that does not fit is dropped with all after it.
   *
   * @param sequence the place, from 0
   */
  public void observe(long sequence, float... values) {
    if (sequence < 0) {
      throw new IllegalArgumentException("sequence: " + sequence);
    }
    if (sequence >= end) {
      return;
    }
    if (batches.containsKey(sequence)) {
      throw TareException.badInput(
          "Cannot record a batch: place %d of the order is taken", sequence);
    }
    put(sequence, values.clone());
  }

  /**
   * The first batches of both; neither is changed.
   *
   * @throws TareException if both hold a batch at the same place, or if the limits differ
   */
  public Recording merge(Recording other) {
    requireMergeable(other);
    Recording merged = new Recording(limit);
    merged.add(this);
    merged.add(other);
    return merged;
  }

  /**
   * Merges another one into this one, in a time that grows with the other's batches alone. The
   * other is not changed.
   *
   * @throws TareException as {@link #merge} does; this one is then as it was
   */
  void add(Recording other) {
    requireMergeable(other);
    end = Math.min(end, other.end);
    // Arrays of values are never changed: both may hold the same.
    other.batches.headMap(end, false).forEach(this::put);
    trim();
  }

  void requireMergeable(Recording other) {
    if (limit != other.limit) {
      throw TareException.badInput(
          "Cannot merge recordings: one is limited to %d values, the other to %d",
          limit, other.limit);
    }
    for (Long sequence : other.batches.keySet()) {
      if (batches.containsKey(sequence)) {
        throw TareException.badInput(
            "Cannot merge recordings: both hold a batch at place %d of the order", sequence);
      }
    }
  }

  private void put(long sequence, float[] values) {
    if (sequence < end) {
      batches.put(sequence, values);
      held += values.length;
      trim();
    }
  }

  /**
   * Drops batches from the last on, until none is past the end and the rest is within the limit.
   */
  private void trim() {
    while (!batches.isEmpty() && (batches.lastKey() >= end || held > limit)) {
      Map.Entry<Long, float[]> last = batches.pollLastEntry();
      held -= last.getValue().length;
      end = Math.min(end, last.getKey());
    }
  }

  /** The batches that were kept, in order. */
  public List<float[]> batches() {
    List<float[]> copies = new ArrayList<>();
    batches.values().forEach(values -> copies.add(values.clone()));
    return copies;
  }

  NavigableMap<Long, float[]> bySequence() {
    return batches;
  }

  long end() {
    return end;
  }

  void setEnd(long place) {
    end = place;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Recording that
        && limit == that.limit
        && end == that.end
        && batches.keySet().equals(that.batches.keySet())
        && Arrays.deepEquals(bits(), that.bits());
  }

  /** The values' bits: what is written tells one NaN from another, and -0.0 from 0.0. */
  private int[][] bits() {
    int[][] bits = new int[batches.size()][];
    int batch = 0;
    for (float[] values : batches.values()) {
      bits[batch] = new int[values.length];
      for (int i = 0; i < values.length; i++) {
        bits[batch][i] = Float.floatToRawIntBits(values[i]);
      }
      batch++;
    }
    return bits;
  }

  @Override
  public int hashCode() {
    return batches.keySet().hashCode();
  }
}
