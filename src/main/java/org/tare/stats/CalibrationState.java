package org.tare.stats;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.tare.TareException;

/**
 * What a calibration observed: the stats of each tensor, how many rows they come from and of which
 * model. States of the same model merge; the result is the state of all their rows.
 *
 * <p>As a file, little-endian. Equal states are equal files.
 *
 * <pre>
 *   4 bytes the letters TARE
 *   u16     version of this layout, 2
 *   string  digest of the model: varint length, UTF-8
 *   string  slice, empty for the whole table
 *   varint  rows
 *   varint  number of tensors
 *   tensor* by ascending name: string name; varint length, and as many bytes of {@link StatsCodec},
 *           which close with their own checksum
 *   u32     CRC-32C of all bytes before
 * </pre>
 *
 * <p>Version 1, which has no slice, is still read.
 *
 * @param modelDigest SHA-256 of the float model, in hexadecimal; of a state without a model, empty
 * @param slice which part of the table the rows are of, as in {@code country=DE}; empty for all
 * @param rows how many rows of the table were observed
 * @param tensors stats by the tensor's name
 */
public record CalibrationState(
    String modelDigest, String slice, long rows, SortedMap<String, TensorStats> tensors) {
  private static final byte[] MAGIC = "TARE".getBytes(StandardCharsets.US_ASCII);
  private static final int VERSION = 2;
  private static final int VERSION_WITHOUT_SLICE = 1;

  /** The name of a state's file in an output folder. */
  public static final String FILE_NAME = "state.tare";

  public CalibrationState {
    Objects.requireNonNull(modelDigest, "modelDigest");
    Objects.requireNonNull(slice, "slice");
    if (rows < 0) {
      throw new IllegalArgumentException("rows: " + rows);
    }
  }

  /** A state of the whole table. */
  public CalibrationState(String modelDigest, long rows, SortedMap<String, TensorStats> tensors) {
    this(modelDigest, "", rows, tensors);
  }

  /** The stats of a tensor, or an error that names it. */
  public TensorStats tensor(String name) {
    TensorStats stats = tensors.get(name);
    if (stats == null) {
      throw TareException.badInput(
          "Cannot quantize: the calibration state holds no tensor \"%s\"; calibrate the model again"
              + " with the same quantize settings",
          name);
    }
    return stats;
  }

  /**
   * The state of both: rows add up, tensors merge. Neither is changed. The slice of two slices is
   * both names, in order.
   *
   * @throws TareException if they are of different models, or hold parts that do not merge
   */
  public CalibrationState merge(CalibrationState other) {
    if (!modelDigest.equals(other.modelDigest)) {
      throw TareException.badInput(
          "Cannot merge calibration states of different models: %s and %s",
          named(modelDigest), named(other.modelDigest));
    }
    SortedMap<String, TensorStats> merged = new TreeMap<>();
    for (CalibrationState state : new CalibrationState[] {this, other}) {
      for (Map.Entry<String, TensorStats> entry : state.tensors.entrySet()) {
        try {
          merged
              .computeIfAbsent(entry.getKey(), name -> TensorStats.empty())
              .merge(entry.getValue());
        } catch (TareException e) {
          throw TareException.of(e.kind(), "Tensor \"" + entry.getKey() + "\": " + e.getMessage())
              .causedBy(e);
        }
      }
    }
    return new CalibrationState(
        modelDigest, bothSlices(slice, other.slice), Math.addExact(rows, other.rows), merged);
  }

  private static String named(String digest) {
    return digest.isEmpty() ? "none (columns of a table)" : digest;
  }

  private static String bothSlices(String one, String other) {
    if (one.isEmpty() || other.isEmpty()) {
      return "";
    }
    TreeSet<String> names = new TreeSet<>(List.of(one.split(" \\+ ")));
    names.addAll(List.of(other.split(" \\+ ")));
    return String.join(" + ", names);
  }

  /** The same state under another slice's name. */
  public CalibrationState ofSlice(String name) {
    return new CalibrationState(modelDigest, name, rows, tensors);
  }

  /** The bytes of the file. */
  public byte[] encode() {
    ByteWriter out = new ByteWriter();
    out.bytes(MAGIC);
    out.u8(VERSION & 0xff);
    out.u8(VERSION >>> 8);
    out.string(modelDigest);
    out.string(slice);
    out.varint(rows);
    out.varint(tensors.size());
    for (Map.Entry<String, TensorStats> entry : tensors.entrySet()) {
      out.string(entry.getKey());
      byte[] stats = StatsCodec.encode(entry.getValue());
      out.varint(stats.length);
      out.bytes(stats);
    }
    byte[] body = out.toByteArray();
    out.i32(Checksum.of(body, body.length));
    return out.toByteArray();
  }

  /** Whether bytes begin as those of a file do. */
  public static boolean isFile(byte[] bytes) {
    return bytes.length >= MAGIC.length
        && Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
  }

  /**
   * The state in the bytes of a file.
   *
   * @param source what to call it in messages: its path
   * @throws TareException if it is no state, of another version, or damaged
   */
  public static CalibrationState decode(byte[] bytes, String source) {
    int headerBytes = MAGIC.length + 2;
    if (bytes.length < headerBytes || !isFile(bytes)) {
      throw TareException.badInput(
          "Cannot read calibration state %s: it does not begin with the letters TARE", source);
    }
    int version = (bytes[MAGIC.length] & 0xff) | (bytes[MAGIC.length + 1] & 0xff) << 8;
    if (version != VERSION && version != VERSION_WITHOUT_SLICE) {
      throw TareException.badInput(
          "Cannot read calibration state %s: it is of version %d, this Tare reads versions 1 and %d",
          source, version, VERSION);
    }
    int end = bytes.length - Checksum.BYTES;
    if (end < headerBytes
        || new ByteReader(bytes, end, bytes.length, source).i32() != Checksum.of(bytes, end)) {
      throw TareException.badInput(
          "Cannot read calibration state %s: its checksum does not fit, the file is damaged or cut"
              + " short",
          source);
    }
    ByteReader in = new ByteReader(bytes, headerBytes, end, source);
    String modelDigest = in.string();
    String slice = version == VERSION ? in.string() : "";
    long rows = in.varint();
    long count = in.varint();
    SortedMap<String, TensorStats> tensors = new TreeMap<>();
    for (long i = 0; i < count; i++) {
      String name = in.string();
      byte[] stats = in.bytes(in.length());
      if (tensors.put(name, StatsCodec.decode(stats, source)) != null) {
        throw in.damaged("tensor \"" + name + "\" stands twice");
      }
    }
    if (!in.atEnd()) {
      throw in.damaged("bytes follow the last tensor");
    }
    return new CalibrationState(modelDigest, slice, rows, tensors);
  }

  /** SHA-256 of the file, in hexadecimal. */
  public String digest() {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(encode()));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
