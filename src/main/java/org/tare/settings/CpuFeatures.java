package org.tare.settings;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;

/** What this machine's CPU can do; the machine that serves the model may be another. */
final class CpuFeatures {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

  /** As Linux names them. */
  private static final Set<String> VNNI = Set.of("avx512_vnni", "avx_vnni");

  private CpuFeatures() {}

  /**
   * Whether 8-bit products are added in 32 bits: x86 with VNNI, and every ARM of 64 bits. False
   * where it cannot be told.
   */
  static boolean hasVnni() {
    String machine = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    if (machine.equals("aarch64")) {
      return true;
    }
    try {
      return Files.readAllLines(CPU_INFO).stream()
          .filter(line -> line.startsWith("flags"))
          .anyMatch(line -> Arrays.stream(line.split("\\s+")).anyMatch(VNNI::contains));
    } catch (IOException e) {
      return false;
    }
  }
}
