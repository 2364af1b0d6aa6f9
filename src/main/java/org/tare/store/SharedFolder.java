package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;
import org.tare.files.Owner;

/**
 * A folder of small files that many processes read and write at once. A file appears whole, under a
 * name that nothing had, and is never changed: where moves are atomic it is written beside its
 * place and moved there, elsewhere the store's create-if-absent is as exclusive as the store has
 * it.
 *
 * <p>Names are relative to the folder, their parts separated by slashes. Failures are {@link
 * TareException}s that name the folder.
 */
public final class SharedFolder {
  private static final String STAGING = ".staging-";

  private final FolderStore store;
  private final Path root;
  private final String what;
  private final String name;

  SharedFolder(FolderStore store, Path root, String what, String name) {
    this.store = store;
    this.root = root;
    this.what = what;
    this.name = name;
  }

  /**
   * The folder of a name; it need not be there.
   *
   * @param what it is, for messages
   */
  public static SharedFolder of(HadoopFiles files, String what, String folder) {
    try {
      Path path = files.qualifiedPath(folder);
      return new SharedFolder(
          files.store(path),
          Links.target(files.fileSystem(path), path, what, folder),
          what,
          folder);
    } catch (IOException | IllegalArgumentException | LinkageError | FSError e) {
      throw FileErrors.reading(what, folder, e);
    }
  }

  /** A file or folder in it. */
  public record Item(String name, boolean isFolder, long length, Instant modified) {}

  /** What was created. */
  public enum Created {
    /** The file is there, with this content. */
    NOW,
    /** Something else has the name; nothing was written. */
    TAKEN
  }

  /** What is in it, or in a folder of it, by name; nothing if it is not there. */
  public List<Item> list(String inner) {
    try {
      List<Item> items = new ArrayList<>();
      for (FolderStore.Entry entry : store.list(path(inner))) {
        items.add(new Item(entry.name(), entry.isFolder(), entry.length(), entry.modified()));
      }
      return items;
    } catch (FileNotFoundException | NoSuchFileException e) {
      return List.of();
    } catch (IOException | FSError e) {
      throw FileErrors.reading(what, name, e);
    }
  }

  private Path path(String inner) {
    return inner.isEmpty() ? root : Paths.child(root, inner);
  }

  /** The file or folder of a name, if it is there. */
  public Optional<Item> find(String inner) {
    try {
      return store
          .find(path(inner))
          .map(entry -> new Item(entry.name(), entry.isFolder(), entry.length(), entry.modified()));
    } catch (IOException | FSError e) {
      throw FileErrors.reading(what, name, e);
    }
  }

  /** The content of a file, if it is there. */
  public Optional<byte[]> read(String file) {
    try (InputStream in = store.open(path(file))) {
      return Optional.of(in.readAllBytes());
    } catch (FileNotFoundException | NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException | FSError e) {
      throw FileErrors.reading(what, name, e);
    }
  }

  /**
   * A new file, which appears whole. After a failure it is looked at what is there: only if that
   * does not tell either the outcome is unknown, and nothing is deleted.
   *
   * @param content differs from that of every other call
   * @throws TareException of kind TRY_AGAIN if nobody can tell whether it is there
   */
  public Created create(String file, byte[] content) {
    try {
      put(file, content, Existing.REFUSE);
      return Created.NOW;
    } catch (FileAlreadyExistsException e) {
      return outcome(file, content).orElse(Created.TAKEN);
    } catch (IOException | FSError e) {
      Optional<Created> outcome;
      try {
        outcome = outcome(file, content);
      } catch (TareException unknown) {
        throw TareException.tryAgain(
                "Cannot tell whether %s was written to %s %s: %s; nothing was deleted, run it again",
                Paths.shown(file), what, Paths.shown(name), FileErrors.reason(e))
            .causedBy(e);
      }
      return outcome.orElseThrow(() -> FileErrors.writing(what, name, e));
    }
  }

  private Optional<Created> outcome(String file, byte[] content) {
    return read(file).map(there -> Arrays.equals(there, content) ? Created.NOW : Created.TAKEN);
  }

  /** A file, instead of the one that may be there. */
  public void replace(String file, byte[] content) {
    try {
      put(file, content, Existing.REPLACE);
    } catch (IOException | FSError e) {
      throw FileErrors.writing(what, name, e);
    }
  }

  private void put(String file, byte[] content, Existing existing) throws IOException {
    Path path = path(file);
    store.makeFolder(path.getParent());
    write(store, path, content, existing);
  }

  /** Writes a file that appears whole; the folder that it is in is there. */
  static void write(FolderStore store, Path path, byte[] content, Existing existing)
      throws IOException {
    if (store.moves() == FolderStore.Moves.NONE) {
      try (OutputStream out =
          existing == Existing.REPLACE ? store.overwrite(path) : store.create(path)) {
        out.write(content);
      }
      return;
    }
    Path staging =
        Paths.child(path.getParent(), "." + path.getName() + STAGING + UUID.randomUUID());
    try (OutputStream out = store.create(staging)) {
      out.write(content);
    }
    try {
      store.moveFile(staging, path, existing);
    } finally {
      store.delete(staging);
    }
  }

  /** Whether a name is that of a file on its way to its place, left behind if it is old. */
  public static boolean isStaging(String name) {
    return name.startsWith(".") && name.contains(STAGING);
  }

  /** Deletes a file or a folder, if it is there. */
  public void delete(String inner) {
    try {
      store.delete(path(inner));
    } catch (IOException | FSError e) {
      throw FileErrors.writing(what, name, e);
    }
  }

  /**
   * Takes a lease, unless another process holds it.
   *
   * @param term how long the lease of a process that cannot be seen holds without being renewed; it
   *     is renewed all the time
   */
  public Optional<Lease> lease(String file, Duration term) {
    try {
      store.makeFolder(path(file).getParent());
      Claim claim = new Claim(store, path(file), Owner.current(), term);
      return claim.take() ? Optional.of(Lease.of(claim, term)) : Optional.empty();
    } catch (IOException | FSError e) {
      throw FileErrors.writing(what, name, e);
    }
  }

  /** Its name, as it was given. */
  @Override
  public String toString() {
    return Paths.shown(name);
  }
}
