package org.tare.files;

import java.nio.file.Path;

/**
 * A folder in {@code java.io.tmpdir} that belongs to this process. It goes, with all that is in it,
 * when it is closed, when the JVM ends, or, if the JVM was killed, when Tare next makes one.
 */
public final class TemporaryFolder implements AutoCloseable {
  private final Path path;

  TemporaryFolder(Path path) {
    this.path = path;
  }

  public Path path() {
    return path;
  }

  /** The place of a file in the folder. */
  public Path resolve(String name) {
    return path.resolve(name);
  }

  @Override
  public void close() {
    TemporaryFolders.delete(this);
  }

  @Override
  public String toString() {
    return path.toString();
  }
}
