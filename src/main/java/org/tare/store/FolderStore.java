package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.fs.Path;

/**
 * What publishing asks of a file system. Every call is one step, between two of which other
 * processes may do anything and this one may be killed.
 */
interface FolderStore {
  /** Something in a folder. */
  record Entry(Path path, boolean isFolder, long length, Instant modified) {
    String name() {
      return path.getName();
    }
  }

  /** How {@link #move} behaves. */
  enum Moves {
    /** A folder appears at the target whole, or not at all if the target is taken. */
    ATOMIC,
    /** There is no such move. */
    NONE
  }

  Moves moves();

  /** What is there; empty if nothing is. */
  Optional<Entry> find(Path path) throws IOException;

  /**
   * What is in the folder, by name.
   *
   * @throws FileNotFoundException or NoSuchFileException if there is no such folder
   */
  List<Entry> list(Path folder) throws IOException;

  InputStream open(Path file) throws IOException;

  /** Makes the folder and those above it. */
  void makeFolder(Path folder) throws IOException;

  /**
   * A new file.
   *
   * @throws FileAlreadyExistsException if something is there
   */
  OutputStream create(Path file) throws IOException;

  /** A file, instead of the one that may be there. */
  OutputStream overwrite(Path file) throws IOException;

  /**
   * Moves a folder to where nothing is, or only an empty folder.
   *
   * @throws FileAlreadyExistsException if something else is there; then nothing has changed
   * @throws FileNotFoundException or NoSuchFileException if the folder is gone
   */
  void move(Path from, Path to) throws IOException;

  /**
   * Moves a finished file to its place.
   *
   * @throws FileAlreadyExistsException if something is there that must not be replaced
   */
  void moveFile(Path from, Path to, Existing existing) throws IOException;

  /** Deletes a file or a folder with all in it; nothing happens if it is not there. */
  void delete(Path path) throws IOException;

  /** Gives one file or folder the mode and the group of another, as far as that is allowed. */
  void copyAccess(Path from, Path to);
}
