package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;
import org.tare.files.Owner;

/**
 * A folder that appears whole or not at all: its files are written beside its place, a manifest
 * ({@code _TARE.json}) and {@code _SUCCESS} last, and then brought there in one step. What stood
 * there before stays until then, and is replaced only if the manifest proves that Tare wrote it and
 * nobody has put anything into it. A link stays, and the folder that it leads to is replaced. The
 * new folder gets mode and group of the one that it replaces; otherwise the umask rules.
 */
public final class OutputFolder {
  /** Empty; whoever finds it finds all the rest. */
  public static final String SUCCESS = "_SUCCESS";

  private final FolderStore store;
  private final Path place;
  private final String name;
  private final Existing existing;
  private final Owner owner;

  OutputFolder(FolderStore store, Path place, String name, Existing existing, Owner owner) {
    this.store = store;
    this.place = place;
    this.name = name;
    this.existing = existing;
    this.owner = owner;
  }

  /**
   * Checks, before any work is done, that the folder can be written. Puts a former folder back that
   * a killed run has moved away, and deletes what such runs left beside it. Makes nothing.
   *
   * @param existing what happens to a folder that is there; an empty one never matters
   * @param inputs paths, also as patterns, of what the run reads
   * @throws TareException if something is there that must not be replaced, the folder is, holds or
   *     lies in an input, or it cannot be written
   */
  public static OutputFolder check(
      HadoopFiles files, String folder, Existing existing, List<String> inputs) {
    try {
      Path given = files.qualifiedPath(folder);
      FileSystem fileSystem = files.fileSystem(given);
      Path place = Links.target(fileSystem, given, "output", folder);
      if (place.getParent() == null) {
        throw TareException.cannotWrite(
            "Cannot write output %s: it is the root of a file system; name a folder in it",
            Paths.shown(folder));
      }
      Location location = Location.of(fileSystem, place);
      inputs.forEach(input -> Location.checkApart(files, folder, location, input));
      OutputFolder output =
          new OutputFolder(
              files.store(place), place, Paths.shown(given), existing, Owner.current());
      output.check(folder);
      return output;
    } catch (IOException | IllegalArgumentException | LinkageError | FSError e) {
      throw FileErrors.writing("output", folder, e);
    }
  }

  /** The part that needs nothing but the store. */
  void check(String given) throws IOException {
    publishing().recover();
    try {
      checkReplaceable(given);
    } catch (FileNotFoundException | NoSuchFileException e) {
      // Nothing is there, or another run has just moved it away. Publishing looks again.
    }
    checkWritable();
  }

  private Publishing publishing() {
    return Publishing.of(store, place, owner);
  }

  private void checkReplaceable(String given) throws IOException {
    Optional<FolderStore.Entry> there = store.find(place);
    if (there.isEmpty()) {
      return;
    }
    if (!there.get().isFolder()) {
      throw TareException.cannotWrite(
          "Cannot write output %s: it exists and is a file, not a folder", Paths.shown(given));
    }
    if (store.list(place).isEmpty()) {
      return;
    }
    if (existing == Existing.REFUSE) {
      throw TareException.cannotWrite(
          "Cannot write output %s: it exists; give another folder, or --overwrite to replace it",
          Paths.shown(given));
    }
    // A wrong --output must not cost anyone a home directory.
    Optional<String> objection = FolderProof.objection(store, place, FolderProof.Depth.CONTENTS);
    if (objection.isPresent()) {
      throw TareException.cannotWrite(
          "Cannot replace output %s: %s", Paths.shown(given), objection.get());
    }
  }

  private void checkWritable() throws IOException {
    Path above = place.getParent();
    while (above.getParent() != null && store.find(above).isEmpty()) {
      above = above.getParent();
    }
    if (store.find(above).filter(entry -> !entry.isFolder()).isPresent()) {
      throw new IOException(Paths.shown(above) + " is a file, not a folder");
    }
    // The longest name that will be needed.
    WorkFolder.create(store, Paths.child(above, place.getName()), owner).delete();
  }

  /** What writes a file that is too large for an array; it leaves the stream open. */
  @FunctionalInterface
  public interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  /**
   * Writes the files and brings them to their place in one step.
   *
   * @param files content by name
   * @throws TareException if they cannot be written, or the place has been taken meanwhile; then
   *     the message says where the result is kept
   */
  public void publish(Map<String, byte[]> files) {
    publish(files, Map.of());
  }

  /**
   * The same, with files that are written piece by piece.
   *
   * @param streamed what writes each of them, by name
   */
  public void publish(Map<String, byte[]> files, Map<String, Content> streamed) {
    try {
      WorkFolder work = WorkFolder.create(store, place, owner);
      try {
        work.write(files, streamed);
        publish(work);
      } catch (IOException | RuntimeException | LinkageError | FSError e) {
        deleteIfDisposable(work);
        throw e;
      }
    } catch (IOException | UncheckedIOException | LinkageError | FSError e) {
      throw FileErrors.writing("output", name, e);
    }
  }

  private void publish(WorkFolder work) throws IOException {
    Publishing publishing = publishing();
    try {
      publishing.publish(work, existing);
    } catch (PlaceTaken e) {
      Path kept = publishing.keep(work);
      throw TareException.cannotWrite(
              "Cannot write output %s: %s; the result of this run is kept in %s",
              Paths.shown(name), e.getMessage(), Paths.shown(kept))
          .causedBy(e);
    }
  }

  private static void deleteIfDisposable(WorkFolder work) {
    try {
      if (work.isDisposable()) {
        work.delete();
      }
    } catch (IOException | FSError e) {
      // The next start sweeps it.
    }
  }

  /** The path, a local one without its scheme. */
  @Override
  public String toString() {
    return name;
  }
}
