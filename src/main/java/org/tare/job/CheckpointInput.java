package org.tare.job;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.tare.TareException;

/**
 * The content of a checkpoint, while it is read. Numbers of what follows are held against the bytes
 * that are left before memory is taken, as a file can say any number.
 */
public final class CheckpointInput {
  private final DataInputStream in;
  private final String file;

  CheckpointInput(byte[] content, String file) {
    this.in = new DataInputStream(new ByteArrayInputStream(content));
    this.file = file;
  }

  /** All the rest, for what reads itself. */
  public DataInputStream rest() {
    return in;
  }

  /** A text, as {@link java.io.DataOutput#writeUTF} wrote it. */
  public String text() throws IOException {
    return in.readUTF();
  }

  /** A whole number of 8 bytes that is not negative. */
  public long whole(String what) throws IOException {
    long value = in.readLong();
    if (value < 0) {
      throw cannot("it says " + value + " " + what);
    }
    return value;
  }

  /**
   * How many things follow.
   *
   * @param leastBytes that each of them takes
   */
  public int count(String what, int leastBytes) throws IOException {
    int count = in.readInt();
    if (count < 0 || (long) count * leastBytes > in.available()) {
      throw cannot(
          String.format("it says %d %s, but has %d bytes left", count, what, in.available()));
    }
    return count;
  }

  /** Floats behind their number. */
  float[] floats(String what) throws IOException {
    float[] values = new float[count(what, Float.BYTES)];
    ByteBuffer.wrap(in.readNBytes(Float.BYTES * values.length)).asFloatBuffer().get(values);
    return values;
  }

  /** Why the content cannot be. */
  public TareException cannot(String why) {
    return CheckpointBytes.cannot(file, why);
  }

  void end() throws IOException {
    if (in.available() > 0) {
      throw cannot("it has " + in.available() + " bytes too many");
    }
  }
}
