package org.tare.store;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;

/**
 * A folder that appears whole or not at all: its files are written beside its place, {@code
 * _SUCCESS} last, and then moved there by a rename. What stood there before is moved away first and
 * deleted after; until then it is untouched.
 */
public final class OutputFolder {
  /** Empty; whoever finds it finds all the rest. */
  public static final String SUCCESS = "_SUCCESS";

  private final FileSystem fileSystem;
  private final Path place;

  private OutputFolder(FileSystem fileSystem, Path place) {
    this.fileSystem = fileSystem;
    this.place = place;
  }

  /**
   * Checks, before any work is done, that the folder can be written.
   *
   * @param overwrite whether a folder that is there may be replaced
   * @throws TareException if it is there and may not be replaced, is not a folder of Tare's, or its
   *     parent is not writable
   */
  public static OutputFolder check(HadoopFiles files, String folder, boolean overwrite) {
    try {
      Path given = new Path(folder);
      FileSystem fileSystem = files.fileSystem(given);
      Path place = fileSystem.makeQualified(given);
      OutputFolder output = new OutputFolder(fileSystem, place);
      if (fileSystem.exists(place)) {
        output.checkReplaceable(folder, overwrite);
      }
      Path staging = output.sibling("probe");
      if (!fileSystem.mkdirs(staging) || !fileSystem.delete(staging, true)) {
        throw TareException.cannotWrite(
            "Cannot write output %s: its parent folder is not writable", folder);
      }
      return output;
    } catch (IOException | IllegalArgumentException e) {
      throw TareException.cannotWrite("Cannot write output %s: %s", folder, firstLine(e))
          .causedBy(e);
    }
  }

  private void checkReplaceable(String folder, boolean overwrite) throws IOException {
    FileStatus status = fileSystem.getFileStatus(place);
    if (!status.isDirectory()) {
      throw TareException.cannotWrite(
          "Cannot write output %s: it exists and is a file, not a folder", folder);
    }
    boolean isEmpty = fileSystem.listStatus(place).length == 0;
    if (!overwrite && !isEmpty) {
      throw TareException.cannotWrite(
          "Cannot write output %s: it exists; give another folder, or --overwrite to replace it",
          folder);
    }
    // A wrong --output must not cost anyone a home directory.
    if (!isEmpty && !fileSystem.exists(new Path(place, SUCCESS))) {
      throw TareException.cannotWrite(
          "Cannot replace output %s: it holds no %s, so Tare did not write it; remove it yourself",
          folder, SUCCESS);
    }
  }

  /** What writes a file that is too large for an array; it leaves the stream open. */
  @FunctionalInterface
  public interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  /**
   * Writes the files and moves them to their place in one step.
   *
   * @param files content by name
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
    Path staging = sibling("staging");
    Path former = sibling("former");
    try {
      try {
        fileSystem.mkdirs(staging);
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
          write(new Path(staging, file.getKey()), file.getValue());
        }
        for (Map.Entry<String, Content> file : streamed.entrySet()) {
          try (OutputStream out = fileSystem.create(new Path(staging, file.getKey()), false)) {
            file.getValue().writeTo(out);
          }
        }
        write(new Path(staging, SUCCESS), new byte[0]);
        boolean replaces = fileSystem.exists(place);
        if (replaces && !fileSystem.rename(place, former)) {
          throw new IOException("the former folder cannot be moved away");
        }
        if (!fileSystem.rename(staging, place)) {
          if (replaces) {
            fileSystem.rename(former, place);
          }
          throw new IOException("the finished folder cannot be moved there from " + staging);
        }
      } finally {
        fileSystem.delete(staging, true);
      }
      fileSystem.delete(former, true);
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot write output %s: %s", place, firstLine(e))
          .causedBy(e);
    }
  }

  private void write(Path file, byte[] content) throws IOException {
    try (OutputStream out = fileSystem.create(file, false)) {
      out.write(content);
    }
  }

  private Path sibling(String purpose) {
    Path parent = place.getParent() == null ? place : place.getParent();
    return new Path(
        parent, "." + place.getName() + "." + purpose + "-" + UUID.randomUUID().toString());
  }

  private static String firstLine(Exception e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
  }

  @Override
  public String toString() {
    return place.toUri().getScheme().equals("file") ? place.toUri().getPath() : place.toString();
  }
}
