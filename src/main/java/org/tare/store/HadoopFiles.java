package org.tare.store;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;
import org.tare.files.TemporaryFolder;
import org.tare.files.TemporaryFolders;

/**
 * Files by their path, on any file system that Hadoop reaches.
 *
 * <p>One rule for all paths: with a scheme ({@code hdfs://…}, {@code file:/…}) a path is taken as
 * it is; without one it belongs to the configuration's {@code fs.defaultFS}. There, a relative one
 * starts at the working directory on the local file system, and at the user's home folder on HDFS.
 * A colon without a slash after it is part of a name.
 */
public final class HadoopFiles {
  private final Configuration configuration;

  public HadoopFiles(Configuration configuration) {
    this.configuration = configuration;
  }

  /**
   * The whole path of a name, with its scheme.
   *
   * @throws TareException if the name cannot be a path, or its file system cannot be used
   */
  public String qualified(String name) {
    try {
      return qualifiedPath(name).toString();
    } catch (IOException e) {
      throw FileErrors.reading("path", name, e);
    }
  }

  /**
   * The whole path for a reader of Spark's, which takes {@code * ? [ ] { } \} for patterns: where
   * something has exactly this name, it alone is meant; otherwise the name is the pattern.
   *
   * @throws TareException if the name cannot be a path, or its file system cannot be used
   */
  public String forSpark(String name) {
    try {
      Path path = qualifiedPath(name);
      return Paths.isPattern(name) && store(path).find(path).isPresent()
          ? Paths.quoted(path.toString())
          : path.toString();
    } catch (IOException e) {
      throw FileErrors.reading("data", name, e);
    }
  }

  /**
   * A fingerprint of files, in hexadecimal: SHA-256 of their names, sizes and times, in the order
   * of names. Files that are not there count by name alone.
   */
  public String fingerprint(String... names) {
    String[] sorted = names.clone();
    Arrays.sort(sorted);
    StringBuilder text = new StringBuilder();
    for (String name : sorted) {
      text.append(name).append('\n');
      try {
        Path path = new Path(name);
        FileStatus status = path.getFileSystem(configuration).getFileStatus(path);
        text.append(status.getLen()).append(' ').append(status.getModificationTime()).append('\n');
      } catch (IOException e) {
        text.append('\n');
      }
    }
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(sha.digest(text.toString().getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What files hold together; {@link Long#MAX_VALUE} if one cannot be looked at. */
  public long bytes(String... names) {
    long sum = 0;
    for (String name : names) {
      try {
        Path path = new Path(name);
        sum += path.getFileSystem(configuration).getFileStatus(path).getLen();
      } catch (IOException e) {
        return Long.MAX_VALUE;
      }
    }
    return sum;
  }

  Path qualifiedPath(String name) throws IOException {
    Path path = Paths.parse(name, configuration);
    if ("file".equals(path.toUri().getScheme())) {
      return path;
    }
    FileSystem fileSystem = fileSystem(path);
    try {
      return fileSystem.makeQualified(path);
    } catch (RuntimeException e) {
      // The file system asks for its home folder, and throws what it likes.
      throw new IOException(FileErrors.reason(e), e);
    }
  }

  /** The file system of the path; the local one without checksum files beside its files. */
  FileSystem fileSystem(Path path) throws IOException {
    FileSystem fileSystem;
    try {
      fileSystem = path.getFileSystem(configuration);
    } catch (RuntimeException | LinkageError e) {
      // An unknown host, or a class that is missing, among others.
      throw new IOException(FileErrors.reason(e), e);
    }
    return fileSystem instanceof LocalFileSystem local ? local.getRawFileSystem() : fileSystem;
  }

  FolderStore store(Path path) throws IOException {
    FileSystem fileSystem = fileSystem(path);
    return Links.isLocal(fileSystem) ? new LocalStore() : new HadoopStore(fileSystem);
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
   * The bytes of a small file; empty if nothing is there.
   *
   * @param what it is, for messages
   */
  public Optional<byte[]> readIfThere(String what, String file) {
    boolean isThere;
    try {
      Path path = qualifiedPath(file);
      isThere = store(path).find(path).isPresent();
    } catch (IOException | IllegalArgumentException | LinkageError | FSError e) {
      throw FileErrors.reading(what, file, e);
    }
    return isThere ? Optional.of(read(what, file)) : Optional.empty();
  }

  /**
   * The first bytes of a file, all of a shorter one.
   *
   * @param what it is, for messages
   * @throws TareException if it is missing, a folder, or cannot be read
   */
  public byte[] head(String what, String file, int bytes) {
    try {
      Path path = qualifiedPath(file);
      FolderStore store = store(path);
      if (store.find(path).filter(FolderStore.Entry::isFolder).isPresent()) {
        throw TareException.badInput(
            "Cannot read %s %s: it is a folder; name the file in it", what, Paths.shown(file));
      }
      try (InputStream in = store.open(path)) {
        return in.readNBytes(bytes);
      }
    } catch (IOException | IllegalArgumentException | LinkageError | FSError e) {
      throw FileErrors.reading(what, file, e);
    }
  }

  /** Whether a folder of that name is there; of a name that cannot be read, false. */
  public boolean isFolder(String name) {
    try {
      Path path = qualifiedPath(name);
      return store(path).find(path).filter(FolderStore.Entry::isFolder).isPresent();
    } catch (IOException | IllegalArgumentException | LinkageError | FSError e) {
      return false;
    }
  }

  /**
   * Writes a small file: it appears whole, and a former one stays until then. A link stays, and
   * what it leads to is replaced. On an object store the file appears when it is closed.
   *
   * @param content begins with the four letters that say what it is; what begins otherwise is not
   *     replaced
   * @throws TareException if something is there that must not be replaced, or it cannot be written
   */
  public void write(String what, String file, byte[] content, Existing existing) {
    try {
      Path given = qualifiedPath(file);
      FolderStore store = store(given);
      Path path = Links.target(fileSystem(given), given, what, file);
      Optional<FolderStore.Entry> there = store.find(path);
      if (there.isPresent()) {
        checkReplaceable(store, there.get(), what, file, content, existing);
      }
      write(store, path, there, content, existing);
    } catch (FileAlreadyExistsException e) {
      throw exists(what, file).causedBy(e);
    } catch (IOException | IllegalArgumentException | LinkageError | FSError e) {
      throw FileErrors.writing(what, file, e);
    }
  }

  /**
   * Deletes a file, if it is there.
   *
   * @param what it is, for messages
   * @throws TareException if it cannot be deleted
   */
  public void delete(String what, String file) {
    try {
      Path path = qualifiedPath(file);
      store(path).delete(path);
    } catch (IOException | IllegalArgumentException | LinkageError | FSError e) {
      throw FileErrors.writing(what, file, e);
    }
  }

  private static void checkReplaceable(
      FolderStore store,
      FolderStore.Entry there,
      String what,
      String file,
      byte[] content,
      Existing existing)
      throws IOException {
    if (there.isFolder()) {
      throw TareException.cannotWrite(
          "Cannot write %s %s: it is a folder", what, Paths.shown(file));
    }
    if (existing == Existing.REFUSE) {
      throw exists(what, file);
    }
    byte[] head = Arrays.copyOf(content, Math.min(content.length, 4));
    try (InputStream in = store.open(there.path())) {
      byte[] found = in.readNBytes(4);
      if (found.length > 0 && !Arrays.equals(found, head)) {
        throw TareException.cannotWrite(
            "Cannot replace %s %s: the file there is none; remove it yourself, or give another"
                + " name",
            what, Paths.shown(file));
      }
    }
  }

  private static TareException exists(String what, String file) {
    return TareException.cannotWrite(
        "Cannot write %s %s: it exists; give another name, or --overwrite to replace it",
        what, Paths.shown(file));
  }

  private static void write(
      FolderStore store,
      Path path,
      Optional<FolderStore.Entry> there,
      byte[] content,
      Existing existing)
      throws IOException {
    if (store.moves() == FolderStore.Moves.NONE) {
      try (OutputStream out = there.isPresent() ? store.overwrite(path) : store.create(path)) {
        out.write(content);
      }
      return;
    }
    Path staging =
        Paths.child(
            path.getParent(), "." + path.getName() + ".staging-" + UUID.randomUUID().toString());
    try {
      store.makeFolder(path.getParent());
    } catch (FileAlreadyExistsException e) {
      throw new IOException("a file is where a folder has to be: " + FileErrors.reason(e), e);
    }
    try {
      try (OutputStream out = store.create(staging)) {
        out.write(content);
      }
      if (there.isPresent()) {
        store.copyAccess(path, staging);
      }
      store.moveFile(staging, path, existing);
    } finally {
      store.delete(staging);
    }
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
    Path path;
    FolderStore store;
    try {
      path = qualifiedPath(file);
      store = store(path);
    } catch (IOException e) {
      throw FileErrors.reading(what, file, e);
    }
    if (store instanceof LocalStore) {
      return use.apply(LocalStore.local(path));
    }
    try (TemporaryFolder folder = TemporaryFolders.create("copy")) {
      java.nio.file.Path local = folder.resolve(path.getName());
      try {
        copy(store, path, local);
        for (String other : beside.apply(local)) {
          Path from = Paths.child(path.getParent(), other);
          java.nio.file.Path to = folder.resolve(other);
          Files.createDirectories(to.getParent());
          // One that is missing is reported by whoever reads the file.
          if (store.find(from).isPresent()) {
            copy(store, from, to);
          }
        }
      } catch (IOException | UncheckedIOException | LinkageError | FSError e) {
        throw FileErrors.reading(what, file, e);
      }
      return use.apply(local);
    }
  }

  private static void copy(FolderStore store, Path from, java.nio.file.Path to) throws IOException {
    try (InputStream in = store.open(from)) {
      Files.copy(in, to);
    }
  }
}
