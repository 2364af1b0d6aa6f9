package org.tare.stats;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.stats.bytes.ByteReader;
import org.tare.stats.bytes.ByteWriter;
import org.tare.stats.bytes.Checksum;

/**
 * What a calibration observed: the stats of each tensor, how many rows they come from and of which
 * model. States of the same model merge; the result is the state of all their rows.
 *
 * <p>As bytes, little-endian. Equal states are equal bytes.
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
 * <p>A state that knows where its numbers come from is a file that holds those bytes and more:
 *
 * <pre>
 *   4 bytes the letters TARE
 *   u16     version of this layout, 3
 *   varint  length of the bytes of version 2; these bytes
 *   varint  length of the bytes of {@link LineageCodec}; these bytes
 *   u32     CRC-32C of all bytes before
 * </pre>
 *
 * <p>The lineage is no part of what a state is: states are equal, and have one digest, whatever
 * their lineages. Version 1, which has no slice, is still read.
 *
 * @param modelDigest SHA-256 of the float model, in hexadecimal; of a state without a model, empty
 * @param slice which part of the table the rows are of, as in {@code country=DE}; empty for all
 * @param rows how many rows of the table were observed
 * @param tensors stats by the tensor's name
 * @param lineage where the numbers come from, as far as it is known
 */
public record CalibrationState(
    String modelDigest,
    String slice,
    long rows,
    SortedMap<String, TensorStats> tensors,
    Lineage lineage) {
  private static final byte[] MAGIC = "TARE".getBytes(StandardCharsets.US_ASCII);
  private static final int VERSION = 2;
  private static final int VERSION_WITHOUT_SLICE = 1;
  private static final int VERSION_WITH_LINEAGE = 3;
  private static final int HEADER_BYTES = MAGIC.length + 2;

  /** A tensor with an empty name: two lengths, and the least that {@link StatsCodec} writes. */
  private static final int LEAST_TENSOR_BYTES = 2 + 1 + 4 + 8 + 1;

  /** The name of a state's file in an output folder. */
  public static final String FILE_NAME = "state.tare";

  public CalibrationState {
    Objects.requireNonNull(modelDigest, "modelDigest");
    Objects.requireNonNull(slice, "slice");
    Objects.requireNonNull(lineage, "lineage");
    if (rows < 0) {
      throw new IllegalArgumentException("rows: " + rows);
    }
  }

  /** A state of which nobody knows where it comes from. */
  public CalibrationState(
      String modelDigest, String slice, long rows, SortedMap<String, TensorStats> tensors) {
    this(modelDigest, slice, rows, tensors, Lineage.NONE);
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
   * The state of both, unless both hold the same numbers of the same data.
   *
   * @throws TareException as {@link #merge(CalibrationState, Duplicates)} does
   */
  public CalibrationState merge(CalibrationState other) {
    return merge(other, Duplicates.REFUSE);
  }

  /**
   * The state of both. Neither is changed.
   *
   * @throws TareException as {@link StateSum#add} does
   */
  public CalibrationState merge(CalibrationState other, Duplicates duplicates) {
    StateSum sum = new StateSum(duplicates);
    sum.add(this);
    sum.add(other);
    return sum.state();
  }

  /** The same state under another slice's name. */
  public CalibrationState ofSlice(String name) {
    return new CalibrationState(modelDigest, name, rows, tensors, lineage);
  }

  /** The same state with another lineage. */
  public CalibrationState withLineage(Lineage other) {
    return new CalibrationState(modelDigest, slice, rows, tensors, other);
  }

  /** The bytes of the file: those of {@link #encode}, with the lineage where there is one. */
  public byte[] encodeFile() {
    if (lineage.isEmpty()) {
      return encode();
    }
    ByteWriter sources = new ByteWriter();
    LineageCodec.write(sources, lineage);
    ByteWriter out = new ByteWriter();
    writeHeader(out, VERSION_WITH_LINEAGE);
    out.block(encode());
    out.block(sources.toByteArray());
    return closed(out);
  }

  private static void writeHeader(ByteWriter out, int version) {
    out.bytes(MAGIC);
    out.u8(version & 0xff);
    out.u8(version >>> 8);
  }

  private static byte[] closed(ByteWriter out) {
    byte[] bytes = out.toByteArray();
    out.i32(Checksum.of(bytes, bytes.length));
    return out.toByteArray();
  }

  /** The bytes of the state without its lineage: of equal states, the same. */
  public byte[] encode() {
    ByteWriter out = new ByteWriter();
    writeHeader(out, VERSION);
    out.string(modelDigest);
    out.string(slice);
    out.varint(rows);
    out.varint(tensors.size());
    for (Map.Entry<String, TensorStats> entry : tensors.entrySet()) {
      out.string(entry.getKey());
      out.block(StatsCodec.encode(entry.getValue()));
    }
    return closed(out);
  }

  /** Whether bytes begin as those of a file do. */
  public static boolean isFile(byte[] bytes) {
    return bytes.length >= MAGIC.length
        && Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
  }

  /**
   * The state in the bytes of a file. What is accepted is what {@link #encodeFile} writes, to the
   * last bit, or wrote in version 1.
   *
   * @param source what to call it in messages: its path
   * @throws TareException if it is no state, of another version, or damaged
   */
  public static CalibrationState decode(byte[] bytes, String source) {
    ByteReader all = new ByteReader(bytes, 0, bytes.length, source);
    if (bytes.length < HEADER_BYTES || !isFile(bytes)) {
      throw all.damaged("it does not begin with the letters TARE");
    }
    int version = version(bytes);
    if (version < VERSION_WITHOUT_SLICE || version > VERSION_WITH_LINEAGE) {
      throw all.damaged("it is of version " + version + ", this Tare reads versions 1, 2 and 3");
    }
    int end = bytes.length - Checksum.BYTES;
    if (end < HEADER_BYTES
        || new ByteReader(bytes, end, bytes.length, source).i32() != Checksum.of(bytes, end)) {
      throw all.damaged("its checksum does not fit, the file is damaged or cut short");
    }
    ByteReader in = new ByteReader(bytes, HEADER_BYTES, end, source);
    if (version == VERSION_WITH_LINEAGE) {
      return decodeWithLineage(in, source);
    }
    return decodeBody(in, version, source);
  }

  private static int version(byte[] bytes) {
    return (bytes[MAGIC.length] & 0xff) | (bytes[MAGIC.length + 1] & 0xff) << 8;
  }

  private static CalibrationState decodeWithLineage(ByteReader in, String source) {
    byte[] body = in.block("bytes of a state");
    if (body.length < HEADER_BYTES || version(body) != VERSION) {
      throw in.damaged("the state beside its lineage is not of version " + VERSION);
    }
    byte[] sources = in.block("bytes of a lineage");
    if (!in.atEnd()) {
      throw in.damaged("bytes follow its lineage");
    }
    ByteReader lineage = new ByteReader(sources, 0, sources.length, source);
    CalibrationState state = decode(body, source).withLineage(LineageCodec.read(lineage));
    if (!lineage.atEnd()) {
      throw in.damaged("bytes follow the last source of its lineage");
    }
    return state;
  }

  private static CalibrationState decodeBody(ByteReader in, int version, String source) {
    String modelDigest = in.string();
    String slice = version == VERSION ? in.string() : "";
    long rows = in.varint();
    int count = in.count("tensors", LEAST_TENSOR_BYTES);
    TreeMap<String, TensorStats> tensors = new TreeMap<>();
    for (int i = 0; i < count; i++) {
      String name = in.string();
      if (!tensors.isEmpty() && name.compareTo(tensors.lastKey()) <= 0) {
        throw in.damaged(
            "tensor \"" + name + "\" stands twice or not in order, after " + tensors.lastKey());
      }
      byte[] stats = in.block("bytes of a tensor");
      tensors.put(
          name,
          version == VERSION
              ? StatsCodec.decode(stats, source)
              : StatsCodec.decodeBodyOnly(stats, source));
    }
    if (!in.atEnd()) {
      throw in.damaged("bytes follow the last tensor");
    }
    return new CalibrationState(modelDigest, slice, rows, tensors);
  }

  /** SHA-256 of {@link #encode}, in hexadecimal: it does not depend on the lineage. */
  public String digest() {
    return digest(encode());
  }

  /**
   * The same of a state that is encoded already.
   *
   * @param encoded as {@link #encode} gives it
   */
  public static String digest(byte[] encoded) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(encoded));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CalibrationState that
        && modelDigest.equals(that.modelDigest)
        && slice.equals(that.slice)
        && rows == that.rows
        && tensors.equals(that.tensors);
  }

  @Override
  public int hashCode() {
    return Objects.hash(modelDigest, slice, rows, tensors);
  }
}
