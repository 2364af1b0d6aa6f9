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

  /** Records a batch at its place; a batch that does not fit is dropped with all after it. */
  public void observe(long sequence, float... values) {
    if (sequence >= end) {
      return;
    }
    if (batches.putIfAbsent(sequence, values.clone()) != null) {
      throw TareException.badInput(
          "Cannot record a batch: place %d of the order is taken", sequence);
    }
    trim();
  }

  /**
   * The first batches of both; neither is changed.
   *
   * @throws TareException if both hold a batch at the same place, or if the limits differ
   */
  public Recording merge(Recording other) {
    if (limit != other.limit) {
      throw TareException.badInput(
          "Cannot merge recordings: one is limited to %d values, the other to %d",
          limit, other.limit);
    }
    Recording merged = new Recording(limit);
    merged.end = Math.min(end, other.end);
    merged.batches.putAll(batches);
    for (Map.Entry<Long, float[]> batch : other.batches.entrySet()) {
      merged.put(batch.getKey(), batch.getValue());
    }
    merged.trim();
    return merged;
  }

  private void put(long sequence, float[] values) {
    if (batches.putIfAbsent(sequence, values) != null) {
      throw TareException.badInput(
          "Cannot merge recordings: both hold a batch at place %d of the order", sequence);
    }
  }

  private void trim() {
    long total = 0;
    Long firstDropped = null;
    for (Map.Entry<Long, float[]> batch : batches.entrySet()) {
      total += batch.getValue().length;
      if (total > limit) {
        firstDropped = batch.getKey();
        break;
      }
    }
    if (firstDropped != null) {
      end = Math.min(end, firstDropped);
    }
    batches.tailMap(end, true).clear();
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
        && Arrays.deepEquals(batches.values().toArray(), that.batches.values().toArray());
  }

  @Override
  public int hashCode() {
    return batches.keySet().hashCode();
  }
}
