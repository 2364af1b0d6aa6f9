package org.tare.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.tare.TareException;
import org.tare.files.TemporaryFolder;
import org.tare.files.TemporaryFolders;

/** The demo's model and data, copied out of the jar so that Spark can read them. */
record DemoFiles(TemporaryFolder folder) implements AutoCloseable {
  private static final String MODEL = "digits-mobilenet.onnx";
  private static final String DATA = "digits-train.parquet";
  private static final String VALIDATION = "digits-validation.parquet";

  static DemoFiles extract() {
    TemporaryFolder folder = TemporaryFolders.create("demo");
    try {
      for (String name : List.of(MODEL, DATA, VALIDATION)) {
        try (InputStream in = DemoFiles.class.getResourceAsStream("/org/tare/demo/" + name)) {
          Files.copy(in, folder.resolve(name));
        }
      }
      return new DemoFiles(folder);
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot unpack the demo: %s", e).causedBy(e);
    }
  }

  String model() {
    return folder.resolve(MODEL).toString();
  }

  String data() {
    return folder.resolve(DATA).toString();
  }

  String validation() {
    return folder.resolve(VALIDATION).toString();
  }

  /** A place for what a demo makes and does not keep. */
  Path place(String name) {
    return folder.resolve(name);
  }

  @Override
  public void close() {
    folder.close();
  }
}
