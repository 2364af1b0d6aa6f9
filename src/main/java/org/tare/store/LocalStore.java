package org.tare.store;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.fs.Path;

/**
 * The local file system, by the JDK: Hadoop's own view of it writes checksum files, ignores the
 * umask, moves folders into folders, and mistakes names that the locale cannot express.
 */
final class LocalStore implements FolderStore {
  static java.nio.file.Path local(Path path) {
    return java.nio.file.Path.of(path.toUri().getPath());
  }

  @Override
  public Moves moves() {
    return Moves.ATOMIC;
  }

  @Override
  public Optional<Entry> find(Path path) throws IOException {
    try {
      return Optional.of(entry(path));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (FileSystemException e) {
      if (isBelowFile(local(path))) {
        return Optional.empty();
      }
      throw e;
    }
  }

  private static boolean isBelowFile(java.nio.file.Path path) {
    for (java.nio.file.Path up = path.getParent(); up != null; up = up.getParent()) {
      if (Files.exists(up)) {
        return !Files.isDirectory(up);
      }
    }
    return false;
  }

  private static Entry entry(Path path) throws IOException {
    BasicFileAttributes attributes = Files.readAttributes(local(path), BasicFileAttributes.class);
    return new Entry(
        path,
        attributes.isDirectory(),
        attributes.size(),
        attributes.lastModifiedTime().toInstant());
  }

  @Override
  public List<Entry> list(Path folder) throws IOException {
    List<Entry> entries = new ArrayList<>();
    try (DirectoryStream<java.nio.file.Path> all = Files.newDirectoryStream(local(folder))) {
      for (java.nio.file.Path one : all) {
        Path path = Paths.child(folder, one.getFileName().toString());
        BasicFileAttributes link =
            Files.readAttributes(one, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        entries.add(
            new Entry(path, link.isDirectory(), link.size(), link.lastModifiedTime().toInstant()));
      }
    }
    entries.sort(Comparator.comparing(Entry::name));
    return entries;
  }

  @Override
  public InputStream open(Path file) throws IOException {
    if (Files.isDirectory(local(file))) {
      // Java opens a folder, and says without its name that it cannot be read.
      throw new FileSystemException(
          local(file).toString(), null, "it is a folder, and has to be a file");
    }
    try {
      return Files.newInputStream(local(file));
    } catch (FileSystemException e) {
      if (isBelowFile(local(file))) {
        throw new NoSuchFileException(local(file).toString());
      }
      throw e;
    }
  }

  @Override
  public void makeFolder(Path folder) throws IOException {
    Files.createDirectories(local(folder));
  }

  @Override
  public OutputStream create(Path file) throws IOException {
    return Files.newOutputStream(
        local(file), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
  }

  @Override
  public OutputStream overwrite(Path file) throws IOException {
    return Files.newOutputStream(local(file));
  }

  @Override
  public void move(Path from, Path to) throws IOException {
    try {
      // rename(2): an empty folder is replaced, anything else at the place is an error.
      Files.move(local(from), local(to), StandardCopyOption.ATOMIC_MOVE);
    } catch (NoSuchFileException | AccessDeniedException e) {
      throw e;
    } catch (FileSystemException e) {
      if (Files.exists(local(to), LinkOption.NOFOLLOW_LINKS)) {
        throw taken(to, e);
      }
      throw e;
    }
  }

  @Override
  public void moveFile(Path from, Path to, Existing existing) throws IOException {
    java.nio.file.Path file = local(from);
    java.nio.file.Path place = local(to);
    if (existing == Existing.REPLACE) {
      Files.move(file, place, StandardCopyOption.ATOMIC_MOVE);
      return;
    }
    try {
      // A link is made only where nothing is; a move would replace what has just appeared.
      Files.createLink(place, file);
    } catch (FileAlreadyExistsException | NoSuchFileException e) {
      throw e;
    } catch (UnsupportedOperationException | IOException e) {
      // A file system without hard links: the file itself, empty, reserves the place.
      Files.createFile(place);
      Files.move(file, place, StandardCopyOption.ATOMIC_MOVE);
      return;
    }
    Files.delete(file);
  }

  private static FileAlreadyExistsException taken(Path place, IOException cause) {
    FileAlreadyExistsException taken = new FileAlreadyExistsException(local(place).toString());
    taken.initCause(cause);
    return taken;
  }

  @Override
  public void delete(Path path) throws IOException {
    java.nio.file.Path local = local(path);
    if (!Files.exists(local, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    Files.walkFileTree(
        local,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(java.nio.file.Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(java.nio.file.Path file, IOException failure)
              throws IOException {
            if (failure instanceof NoSuchFileException) {
              return FileVisitResult.CONTINUE;
            }
            throw failure;
          }

          @Override
          public FileVisitResult postVisitDirectory(java.nio.file.Path folder, IOException failure)
              throws IOException {
            Files.deleteIfExists(folder);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  @Override
  public void copyAccess(Path from, Path to) {
    // The group first: changing it clears the bit that hands the group down.
    for (String attribute : List.of("unix:gid", "unix:mode")) {
      try {
        Object value = Files.getAttribute(local(from), attribute);
        if (!value.equals(Files.getAttribute(local(to), attribute))) {
          Files.setAttribute(local(to), attribute, value);
        }
      } catch (IOException | IllegalArgumentException | UnsupportedOperationException e) {
        // This user may not, or the file system has neither.
      }
    }
  }
}
