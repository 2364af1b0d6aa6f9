package org.tare.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;

/** Symbolic links: where a path really leads. */
final class Links {
  private Links() {}

  static boolean isLocal(FileSystem fileSystem) {
    return "file".equals(fileSystem.getUri().getScheme());
  }

  /** The path without links; of what is not there, the part that is. */
  static Path resolve(FileSystem fileSystem, Path path) {
    String rest = "";
    for (Path above = path; above != null; above = above.getParent()) {
      try {
        Path real =
            isLocal(fileSystem)
                ? new Path("file", "", LocalStore.local(above).toRealPath().toString())
                : fileSystem.resolvePath(above);
        return rest.isEmpty() ? real : Paths.child(real, rest);
      } catch (IOException | UnsupportedOperationException e) {
        // Not there, or not to be seen; the folder above may be.
      }
      rest = rest.isEmpty() ? above.getName() : above.getName() + "/" + rest;
    }
    return path;
  }

  /**
   * Where something is to be written: a link stays, what it leads to is written.
   *
   * @throws TareException if it is a link to nothing
   */
  static Path target(FileSystem fileSystem, Path path, String what, String name) {
    if (isLocal(fileSystem)) {
      java.nio.file.Path local = LocalStore.local(path);
      if (Files.isSymbolicLink(local) && !Files.exists(local)) {
        throw TareException.cannotWrite(
            "Cannot write %s %s: it is a link to what does not exist; remove the link, or make its"
                + " target",
            what, Paths.shown(name));
      }
      if (!Files.exists(local, LinkOption.NOFOLLOW_LINKS) && path.getParent() == null) {
        return path;
      }
    }
    return resolve(fileSystem, path);
  }
}
