package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Comparator;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;

/** Files by their path, on any file system that Hadoop reaches. */
public final class HadoopFiles {
  private final Configuration configuration;

  public HadoopFiles(Configuration configuration) {
    this.configuration = configuration;
  }

  /** The file system of the path; the local one without checksum files beside its files. */
  FileSystem fileSystem(Path path) throws IOException {
    FileSystem fileSystem;
    try {
      fileSystem = path.getFileSystem(configuration);
    } catch (IllegalArgumentException e) {
      // An unknown host, among others.
      throw new IOException(e.getMessage(), e);
    }
    return fileSystem instanceof LocalFileSystem local ? local.getRawFileSystem() : fileSystem;
  }

  /**
   * The bytes of a small file.
   *
   * @param what it is, for messages
   */
  public byte[] read(String what, String file) {
    return head(what, file, Integer.MAX_VALUE);
  }

  /**
   * The first bytes of a file, all of a shorter one.
   *
   * @param what it is, for messages
   * @throws TareException if it is missing, a folder, or cannot be read
   */
  public byte[] head(String what, String file, int bytes) {
    try {
      Path path = new Path(file);
      FileSystem fileSystem = fileSystem(path);
      if (fileSystem.exists(path) && fileSystem.getFileStatus(path).isDirectory()) {
        throw TareException.badInput(
            "Cannot read %s %s: it is a folder; name the file in it", what, file);
      }
      try (InputStream in = fileSystem.open(path)) {
        return in.readNBytes(bytes);
      }
    } catch (FileNotFoundException e) {
      throw TareException.missing("Cannot read %s %s: there is no such file", what, file)
          .causedBy(e);
    } catch (IOException | IllegalArgumentException e) {
      throw TareException.badInput("Cannot read %s %s: %s", what, file, e.getMessage()).causedBy(e);
    }
  }

  /**
   * Writes a small file: beside its place, then moved there, so that a former one stays until then.
   *
   * @param overwrite whether a file that is there may be replaced
   * @throws TareException if it is there and may not be replaced, or cannot be written
   */
  public void write(String what, String file, byte[] content, boolean overwrite) {
    try {
      Path path = new Path(file);
      FileSystem fileSystem = fileSystem(path);
      if (fileSystem.exists(path) && !overwrite) {
        throw TareException.cannotWrite(
            "Cannot write %s %s: it exists; give another name, or --overwrite to replace it",
            what, file);
      }
      if (fileSystem.exists(path) && fileSystem.getFileStatus(path).isDirectory()) {
        throw TareException.cannotWrite("Cannot write %s %s: it is a folder", what, file);
      }
      Path staging = new Path(path.toString() + ".staging-" + UUID.randomUUID());
      try {
        try (OutputStream out = fileSystem.create(staging, false)) {
          out.write(content);
        }
        moveToPlace(fileSystem, staging, path);
      } finally {
        fileSystem.delete(staging, false);
      }
    } catch (IOException | IllegalArgumentException e) {
      throw TareException.cannotWrite("Cannot write %s %s: %s", what, file, e.getMessage())
          .causedBy(e);
    }
  }

  private static void moveToPlace(FileSystem fileSystem, Path staging, Path path)
      throws IOException {
    Path former = new Path(path.toString() + ".former-" + UUID.randomUUID());
    boolean replaces = fileSystem.exists(path);
    if (replaces && !fileSystem.rename(path, former)) {
      throw new IOException("the former file cannot be moved away");
    }
    if (!fileSystem.rename(staging, path)) {
      if (replaces) {
        fileSystem.rename(former, path);
      }
      throw new IOException("it cannot be moved to its place");
    }
    fileSystem.delete(former, false);
  }

  /**
   * Gives a local file to the function: the file itself, or a copy of one that is elsewhere, which
   * is deleted afterwards.
   */
  public <T> T withLocal(String what, String file, Function<java.nio.file.Path, T> use) {
    return withLocal(what, file, local -> Set.of(), use);
  }

  /**
   * The same for a file that refers to others.
   *
   * @param beside gives, from the local file, the paths of those others from its folder; none leads
   *     out of it
   */
  public <T> T withLocal(
      String what,
      String file,
      Function<java.nio.file.Path, Set<String>> beside,
      Function<java.nio.file.Path, T> use) {
    Path path = new Path(file);
    String scheme = path.toUri().getScheme();
    if (scheme == null || scheme.equals("file")) {
      return use.apply(java.nio.file.Path.of(path.toUri().getPath()));
    }
    java.nio.file.Path folder = null;
    try {
      folder = Files.createTempDirectory("tare-");
      java.nio.file.Path local = folder.resolve(path.getName());
      FileSystem fileSystem = fileSystem(path);
      copy(fileSystem, path, local);
      for (String other : beside.apply(local)) {
        Path from = new Path(path.getParent(), other);
        java.nio.file.Path to = folder.resolve(other);
        Files.createDirectories(to.getParent());
        // One that is missing is reported by whoever reads the file.
        if (fileSystem.exists(from)) {
          copy(fileSystem, from, to);
        }
      }
      return use.apply(local);
    } catch (FileNotFoundException e) {
      throw TareException.missing("Cannot read %s %s: there is no such file", what, file)
          .causedBy(e);
    } catch (IOException e) {
      throw TareException.badInput("Cannot read %s %s: %s", what, file, e.getMessage()).causedBy(e);
    } finally {
      delete(folder);
    }
  }

  private static void copy(FileSystem fileSystem, Path from, java.nio.file.Path to)
      throws IOException {
    try (InputStream in = fileSystem.open(from)) {
      Files.copy(in, to);
    }
  }

  private static void delete(java.nio.file.Path folder) {
    if (folder != null) {
      try (Stream<java.nio.file.Path> all = Files.walk(folder)) {
        all.sorted(Comparator.reverseOrder()).forEach(one -> one.toFile().delete());
      } catch (IOException | UncheckedIOException e) {
        folder.toFile().deleteOnExit();
      }
    }
  }
}
