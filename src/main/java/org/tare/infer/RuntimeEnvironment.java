package org.tare.infer;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtLoggingLevel;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.concurrent.FutureTask;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.tare.TareException;
import org.tare.files.TemporaryFolder;
import org.tare.files.TemporaryFolders;

/** Starts ONNX Runtime, once per JVM. */
final class RuntimeEnvironment {
  /**
   * While it starts, ONNX Runtime 1.29 matches the command line of the process against a regular
   * expression, by recursion over its characters. A class path of 30 kB overflows the 8 MB of a
   * main thread's stack, and with it the JVM dies without a word. This is reserved, not used.
   */
  private static final long STACK_BYTES = 512L << 20;

  private static final Path MAPS = Path.of("/proc/self/maps");
  private static final Pattern UNPACKED =
      Pattern.compile("(/[^ ].*/onnxruntime-java[0-9]+)/libonnxruntime\\.so$");

  private static final Path TEMPORARY = Path.of(System.getProperty("java.io.tmpdir"));

  /** A little more than the library takes. */
  private static final int LIBRARY_MEGABYTES = 32;

  private RuntimeEnvironment() {}

  static OrtEnvironment create() {
    // It logs a stack trace where it cannot unpack its library; the message here says more.
    Logger log = Logger.getLogger("ai.onnxruntime.OnnxRuntime");
    Level level = log.getLevel();
    log.setLevel(Level.OFF);
    FutureTask<OrtEnvironment> start =
        new FutureTask<>(
            () -> {
              OrtEnvironment environment =
                  OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, "tare");
              adoptUnpackedLibrary();
              return environment;
            });
    new Thread(null, start, "tare-onnxruntime", STACK_BYTES).start();
    try {
      return start.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw TareException.tryAgain("Cannot start ONNX Runtime: interrupted").causedBy(e);
    } catch (java.util.concurrent.ExecutionException e) {
      if (e.getCause() instanceof LinkageError) {
        tryToUnpack();
      }
      throw TareException.tryAgain("Cannot start ONNX Runtime: %s", e.getCause()).causedBy(e);
    } finally {
      log.setLevel(level);
    }
  }

  /**
   * Says why ONNX Runtime could not unpack its library, if that was it: it does not tell itself.
   *
   * @throws TareException if the temporary folder does not take a file of that size
   */
  private static void tryToUnpack() {
    try (TemporaryFolder folder = TemporaryFolders.create("library");
        OutputStream out = Files.newOutputStream(folder.resolve("library"))) {
      byte[] megabyte = new byte[1 << 20];
      for (int i = 0; i < LIBRARY_MEGABYTES; i++) {
        out.write(megabyte);
      }
    } catch (IOException e) {
      throw TareException.cannotWrite(
              "Cannot start ONNX Runtime: its library of %d MB cannot be unpacked in %s: %s;"
                  + " -Djava.io.tmpdir names another place",
              LIBRARY_MEGABYTES, TEMPORARY, e.getMessage())
          .causedBy(e);
    }
  }

  /**
   * ONNX Runtime unpacks its library, 28 MB, into a temporary folder, which stays when the process
   * is killed. Linux tells from where this process has loaded it.
   */
  private static void adoptUnpackedLibrary() {
    try (Stream<String> maps = Files.lines(MAPS, StandardCharsets.ISO_8859_1)) {
      maps.map(UNPACKED::matcher)
          .filter(Matcher::find)
          .findFirst()
          .ifPresent(found -> TemporaryFolders.adopt(Path.of(found.group(1))));
    } catch (IOException | UncheckedIOException | InvalidPathException e) {
      // Not Linux: the folder stays as ONNX Runtime leaves it.
    }
  }
}
