package org.tare.stats;

import java.util.zip.CRC32C;

/** CRC-32C, as it closes blocks and files. */
final class Checksum {
  /** How long it is. */
  static final int BYTES = 4;

  private Checksum() {}

  /** Of the first bytes. */
  static int of(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }
}
