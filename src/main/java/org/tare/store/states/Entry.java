package org.tare.store.states;

import java.time.Instant;
import java.time.LocalDate;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * One version of a slice.
 *
 * @param version from 1 on; the highest counts
 * @param data where the rows came from
 * @param rows how many were observed
 * @param state the bytes
 * @param covers of a compacted entry, what it is the sum of
 * @param written when, and by which version of Tare
 * @param token tells this commit from every other
 */
public record Entry(
    StateKey key,
    Slice slice,
    int version,
    Data data,
    long rows,
    Blob state,
    List<Covered> covers,
    Instant written,
    String by,
    String token)
    implements Comparable<Entry> {
  private static final Comparator<Entry> ORDER =
      Comparator.comparing(Entry::key).thenComparing(Entry::slice).thenComparingInt(Entry::version);

  public Entry {
    covers = List.copyOf(covers);
  }

  /**
   * Where rows came from.
   *
   * @param source path, table or query
   * @param snapshot a fingerprint of the data; empty if there is none
   * @param sample which rows; empty for all
   */
  public record Data(String source, String snapshot, String sample) {
    static final Data NONE = new Data("", "", "");

    /** Whether both are surely the same rows. */
    public boolean isSurely(Data other) {
      return !snapshot.isEmpty() && equals(other);
    }

    /** Whether both are surely not of the same files. */
    public boolean isSurelyNot(Data other) {
      return !snapshot.isEmpty() && !other.snapshot.isEmpty() && !equals(other);
    }
  }

  /**
   * The bytes of a state.
   *
   * @param sha256 of the file
   * @param digest of the state without its lineage
   */
  public record Blob(String sha256, long bytes, String digest) {
    public Blob {
      StateKey.checkDigest(sha256);
    }
  }

  /** A version of a slice that a compacted entry is a sum of. */
  public record Covered(Slice slice, int version, String digest) {}

  /** The day that it is of; a compacted entry is of several. */
  public Optional<LocalDate> date() {
    return isCompacted() ? Optional.empty() : slice.date();
  }

  /** Whether it is the sum of others. */
  public boolean isCompacted() {
    return !covers.isEmpty();
  }

  String file() {
    return file(key, slice, version);
  }

  static String file(StateKey key, Slice slice, int version) {
    return String.format("entries/%s/%s~%06d.json", key.id(), slice.fileName(), version);
  }

  static String blobFile(String sha256) {
    return "blobs/" + sha256.substring(0, 2) + "/" + sha256 + ".tare";
  }

  @Override
  public int compareTo(Entry other) {
    return ORDER.compare(this, other);
  }
}
