package org.tare.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A command that was run to its end. Processor time and memory are those of its own process, as
 * {@code /proc} last showed them before it ended; 0 where there is no {@code /proc}.
 */
record TimedCommand(double seconds, double cpuSeconds, double residentMegabytes) {
  private static final long POLL_MILLISECONDS = 20;

  /**
   * Runs it.
   *
   * @param log what it prints, which a message names if it fails
   */
  static TimedCommand run(Path log, List<String> command) throws IOException, InterruptedException {
    Files.createDirectories(log.toAbsolutePath().getParent());
    long started = System.nanoTime();
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .redirectInput(Path.of("/dev/null").toFile())
            .start();
    Duration cpu = Duration.ZERO;
    double resident = 0;
    do {
      cpu = process.info().totalCpuDuration().orElse(cpu);
      resident = Math.max(resident, residentMegabytes(process.pid()));
    } while (!process.waitFor(POLL_MILLISECONDS, TimeUnit.MILLISECONDS));
    double seconds = (System.nanoTime() - started) / 1e9;
    if (process.exitValue() != 0) {
      throw new IllegalStateException(
          String.join(" ", command) + " ended with " + process.exitValue() + "; see " + log);
    }
    return new TimedCommand(seconds, cpu.toNanos() / 1e9, resident);
  }

  /** The fastest of several runs. */
  static TimedCommand fastest(int runs, Path log, List<String> command)
      throws IOException, InterruptedException {
    TimedCommand fastest = run(log, command);
    for (int i = 1; i < runs; i++) {
      TimedCommand next = run(log, command);
      fastest = next.seconds() < fastest.seconds() ? next : fastest;
    }
    return fastest;
  }

  private static double residentMegabytes(long pid) {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
        if (line.startsWith("VmHWM:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024.0;
        }
      }
    } catch (IOException e) {
      // It has ended, or there is no /proc.
    }
    return 0;
  }
}
