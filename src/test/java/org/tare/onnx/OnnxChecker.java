package org.tare.onnx;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** ONNX's own checker, with shape inference. */
public final class OnnxChecker {
  private OnnxChecker() {}

  /** Throws what the checker says. */
  public static void check(byte[] model) {
    try {
      Path file = Files.createTempFile("tare-check-", ".onnx");
      try {
        Files.write(file, model);
        org.bytedeco.onnx.global.onnx.check_model(file.toString(), true, false, true);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
