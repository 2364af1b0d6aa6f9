package org.tare.infer;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtLoggingLevel;
import java.util.concurrent.FutureTask;
import org.tare.TareException;

/** Starts ONNX Runtime, once per JVM. */
final class RuntimeEnvironment {
  /**
   * While it starts, ONNX Runtime 1.29 matches the command line of the process against a regular
   * expression, by recursion over its characters. A class path of 30 kB overflows the 8 MB of a
   * main thread's stack, and with it the JVM dies without a word. This is reserved, not used.
   */
  private static final long STACK_BYTES = 512L << 20;

  private RuntimeEnvironment() {}

  static OrtEnvironment create() {
    FutureTask<OrtEnvironment> start =
        new FutureTask<>(
            () -> OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, "tare"));
    new Thread(null, start, "tare-onnxruntime", STACK_BYTES).start();
    try {
      return start.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw TareException.tryAgain("Cannot start ONNX Runtime: interrupted").causedBy(e);
    } catch (java.util.concurrent.ExecutionException e) {
      throw TareException.tryAgain("Cannot start ONNX Runtime: %s", e.getCause()).causedBy(e);
    }
  }
}
