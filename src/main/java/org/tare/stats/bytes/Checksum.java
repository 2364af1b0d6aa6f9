package org.tare.stats.bytes;

import java.util.zip.CRC32C;

/** CRC-32C, as it closes blocks and files. */
public final class Checksum {
  /** How long it is. */
  public static final int BYTES = 4;

  private Checksum() {}

  /** Of the first bytes. */
  public static int of(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }
}
