package org.tare.files;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.tare.TareException;

/** Makes temporary folders, and sweeps those whose process was killed. */
public final class TemporaryFolders {
  /** Those of Tare, and those into which ONNX Runtime unpacks its library. */
  private static final Pattern NAME = Pattern.compile("(tare-[a-z]+-|onnxruntime-java)[0-9]+");

  private static final Set<TemporaryFolder> OPEN = ConcurrentHashMap.newKeySet();
  private static boolean started;

  private TemporaryFolders() {}

  /**
   * Makes an empty folder that only this user can read.
   *
   * @param purpose a word of small letters; the folder is called {@code tare-PURPOSE-NUMBER}
   * @throws TareException if it cannot be made
   */
  public static TemporaryFolder create(String purpose) {
    start();
    try {
      return own(Files.createTempDirectory("tare-" + purpose + "-"));
    } catch (IOException | IllegalArgumentException e) {
      throw TareException.cannotWrite(
              "Cannot make a temporary folder in %s: %s; -Djava.io.tmpdir names another place",
              System.getProperty("java.io.tmpdir"), e)
          .causedBy(e);
    }
  }

  /**
   * Takes over a temporary folder that a library made in this process and that lives as long as the
   * process. It is not an error if that is not possible: then the folder stays as the library
   * leaves it.
   */
  public static void adopt(Path folder) {
    start();
    try {
      own(folder);
    } catch (IOException e) {
      // It stays without an owner, so nobody sweeps it.
    }
  }

  private static TemporaryFolder own(Path path) throws IOException {
    TemporaryFolder folder = new TemporaryFolder(path);
    OPEN.add(folder);
    try {
      Files.write(path.resolve(Owner.FILE), Owner.current().encode());
      return folder;
    } catch (IOException e) {
      OPEN.remove(folder);
      Files.deleteIfExists(path.resolve(Owner.FILE));
      throw e;
    }
  }

  static void delete(TemporaryFolder folder) {
    OPEN.remove(folder);
    deleteTree(folder.path());
  }

  private static synchronized void start() {
    if (started) {
      return;
    }
    started = true;
    Runtime.getRuntime()
        .addShutdownHook(new Thread(() -> OPEN.forEach(TemporaryFolders::delete), "tare-tidy"));
    Thread renewal = new Thread(TemporaryFolders::renewHourly, "tare-temporary-folders");
    renewal.setDaemon(true);
    renewal.start();
    sweep(Path.of(System.getProperty("java.io.tmpdir")));
  }

  /** Tells other machines, which share the folder, that the owner lives. */
  private static void renewHourly() {
    try {
      while (true) {
        TimeUnit.HOURS.sleep(1);
        renew();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void renew() {
    for (TemporaryFolder folder : OPEN) {
      try {
        Files.setLastModifiedTime(
            folder.resolve(Owner.FILE), FileTime.fromMillis(System.currentTimeMillis()));
      } catch (IOException e) {
        // The folder was deleted; whoever uses it reports that.
      }
    }
  }

  /** Deletes what killed processes of this user left in the folder. */
  static void sweep(Path temporary) {
    try (DirectoryStream<Path> all =
        Files.newDirectoryStream(
            temporary, path -> NAME.matcher(path.getFileName().toString()).matches())) {
      for (Path folder : all) {
        sweepOne(folder);
      }
    } catch (IOException | DirectoryIteratorException e) {
      // What cannot be listed or deleted now is left to the next process.
    }
  }

  private static void sweepOne(Path folder) {
    try {
      Path file = folder.resolve(Owner.FILE);
      if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
          // Others can write whatever they like into an owner file of theirs.
          || !Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS)
              .getName()
              .equals(Owner.current().user())) {
        return;
      }
      if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
        byte[] content = Files.readAllBytes(file);
        boolean isAbandoned = Owner.isAbandoned(content, modified(file), Owner.LEASE);
        if (isAbandoned && Owner.decode(content).isPresent()) {
          deleteTree(folder);
        } else if (isAbandoned && Owner.isCutOff(content) && holdsNothingElse(folder)) {
          Files.delete(file);
          Files.delete(folder);
        }
      } else if (Owner.isAbandoned(Optional.empty(), modified(folder))) {
        // Somebody else's folder may have such a name too. An empty one is no loss.
        Files.delete(folder);
      }
    } catch (IOException | UnsupportedOperationException e) {
      // It is not empty, or another process was quicker.
    }
  }

  private static boolean holdsNothingElse(Path folder) throws IOException {
    try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
      for (Path one : all) {
        if (!one.getFileName().toString().equals(Owner.FILE)) {
          return false;
        }
      }
    }
    return true;
  }

  private static Instant modified(Path path) throws IOException {
    return Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS).toInstant();
  }

  /** Deletes all it can; the owner file last, so that the rest can be swept later. */
  private static void deleteTree(Path folder) {
    Path ownerFile = folder.resolve(Owner.FILE);
    try {
      Files.walkFileTree(
          folder,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              if (!file.equals(ownerFile)) {
                Files.deleteIfExists(file);
              }
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path inner, IOException failure)
                throws IOException {
              if (!inner.equals(folder)) {
                Files.deleteIfExists(inner);
              }
              return FileVisitResult.CONTINUE;
            }
          });
      Files.deleteIfExists(ownerFile);
      Files.deleteIfExists(folder);
    } catch (IOException e) {
      // The owner file is still there: the next process tries again.
    }
  }
}
