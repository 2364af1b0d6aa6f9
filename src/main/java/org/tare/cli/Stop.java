package org.tare.cli;

import java.io.OutputStream;
import java.io.PrintStream;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The end of a command by a signal. The JVM ends with the signal's status, 130 after Ctrl-C and 143
 * after SIGTERM; what is left to do is to say so.
 */
final class Stop {
  private final AtomicBoolean done = new AtomicBoolean();

  private Stop() {}

  /** From now on a signal is told. */
  static Stop watch(PrintStream err) {
    Stop stop = new Stop();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  if (!stop.done.get()) {
                    err.println("tare: stopped");
                    err.flush();
                    // Threads that Spark cuts off print their exceptions there.
                    System.setErr(new PrintStream(OutputStream.nullOutputStream()));
                  }
                },
                "tare-stop"));
    return stop;
  }

  /** The command ended by itself. */
  void ended() {
    done.set(true);
  }

  /** Whether the JVM is ending. */
  static boolean isUnderWay() {
    Thread probe = new Thread(() -> {});
    try {
      Runtime.getRuntime().addShutdownHook(probe);
      Runtime.getRuntime().removeShutdownHook(probe);
      return false;
    } catch (IllegalStateException e) {
      return true;
    }
  }
}
