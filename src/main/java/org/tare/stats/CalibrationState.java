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
import java.util.zip.CRC32C;
import org.tare.TareException;

/**
 * What a calibration observed: the stats of each tensor, how many rows they come from and of which
 * model. States of the same model merge; the result is the state of all their rows.
 *
 * <p>As a file, little-endian: the letters TARE, u16 version, the model's digest and the rows, then
 * each tensor by ascending name with the bytes of {@link StatsCodec}, and last the CRC-32C of all
 * that. Equal states are equal files.
 *
 * @param modelDigest SHA-256 of the float model, in hexadecimal
 * @param rows how many rows of the table were observed
 * @param tensors stats by the tensor's name
 */
public record CalibrationState(
    String modelDigest, long rows, SortedMap<String, TensorStats> tensors) {
  private static final byte[] MAGIC = "TARE".getBytes(StandardCharsets.US_ASCII);
  private static final int VERSION = 1;
  private static final int CHECKSUM_BYTES = 4;

  /** The name of a state's file in an output folder. */
  public static final String FILE_NAME = "state.tare";

  public CalibrationState {
    Objects.requireNonNull(modelDigest, "modelDigest");
    if (rows < 0) {
      throw new IllegalArgumentException("rows: " + rows);
    }
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
   * The state of both: rows add up, tensors merge. Neither is changed.
   *
   * @throws TareException if they are of different models
   */
  public CalibrationState merge(CalibrationState other) {
    if (!modelDigest.equals(other.modelDigest)) {
      throw TareException.badInput(
          "Cannot merge calibration states of different models: %s and %s",
          modelDigest, other.modelDigest);
    }
    SortedMap<String, TensorStats> merged = new TreeMap<>();
    for (CalibrationState state : new CalibrationState[] {this, other}) {
      for (Map.Entry<String, TensorStats> entry : state.tensors.entrySet()) {
        merged.computeIfAbsent(entry.getKey(), name -> TensorStats.empty()).merge(entry.getValue());
      }
    }
    return new CalibrationState(modelDigest, Math.addExact(rows, other.rows), merged);
  }

  /** The bytes of the file. */
  public byte[] encode() {
    ByteWriter out = new ByteWriter();
    out.bytes(MAGIC);
    out.u8(VERSION & 0xff);
    out.u8(VERSION >>> 8);
    out.string(modelDigest);
    out.varint(rows);
    out.varint(tensors.size());
    for (Map.Entry<String, TensorStats> entry : tensors.entrySet()) {
      out.string(entry.getKey());
      byte[] stats = StatsCodec.encode(entry.getValue());
      out.varint(stats.length);
      out.bytes(stats);
    }
    byte[] body = out.toByteArray();
    out.i32(checksum(body, body.length));
    return out.toByteArray();
  }

  /**
   * The state in the bytes of a file.
   *
   * @param source what to call it in messages: its path
   * @throws TareException if it is no state, of another version, or damaged
   */
  public static CalibrationState decode(byte[] bytes, String source) {
    int headerBytes = MAGIC.length + 2;
    if (bytes.length < headerBytes
        || !Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw TareException.badInput(
          "Cannot read calibration state %s: it does not begin with the letters TARE", source);
    }
    int version = (bytes[MAGIC.length] & 0xff) | (bytes[MAGIC.length + 1] & 0xff) << 8;
    if (version != VERSION) {
      throw TareException.badInput(
          "Cannot read calibration state %s: it is of version %d, this Tare reads version %d",
          source, version, VERSION);
    }
    int end = bytes.length - CHECKSUM_BYTES;
    if (end < headerBytes
        || new ByteReader(bytes, end, bytes.length, source).i32() != checksum(bytes, end)) {
      throw TareException.badInput(
          "Cannot read calibration state %s: its checksum does not fit, the file is damaged or cut"
              + " short",
          source);
    }
    ByteReader in = new ByteReader(bytes, headerBytes, end, source);
    String modelDigest = in.string();
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
    return new CalibrationState(modelDigest, rows, tensors);
  }

  /** SHA-256 of the file, in hexadecimal. */
  public String digest() {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(encode()));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static int checksum(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }
}
