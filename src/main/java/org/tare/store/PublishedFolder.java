package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.NoSuchFileException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;

/** An output folder that is whole: what its manifest lists. */
public final class PublishedFolder {
  private final FolderStore store;
  private final Path place;
  private final String name;
  private final Manifest manifest;
  private final String digest;

  private PublishedFolder(
      FolderStore store, Path place, String name, Manifest manifest, String digest) {
    this.store = store;
    this.place = place;
    this.name = name;
    this.manifest = manifest;
    this.digest = digest;
  }

  /**
   * The output at a place, if there is one that has come to its end.
   *
   * @throws TareException if what is there is no output of Tare's
   */
  public static Optional<PublishedFolder> find(HadoopFiles files, String folder) {
    try {
      Path place = files.qualifiedPath(folder);
      FolderStore store = files.store(place);
      if (store.find(Paths.child(place, OutputFolder.SUCCESS)).isEmpty()) {
        return Optional.empty();
      }
      byte[] content = FolderProof.read(store, Paths.child(place, Manifest.NAME));
      return Optional.of(
          new PublishedFolder(
              store,
              place,
              folder,
              Manifest.decode(content),
              java.util.HexFormat.of().formatHex(FolderProof.sha256().digest(content))));
    } catch (FileNotFoundException | NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException | IllegalArgumentException | LinkageError | FSError e) {
      throw FileErrors.reading("output", folder, e);
    }
  }

  /** SHA-256 of its manifest, in hexadecimal: it tells what is in all of its files. */
  public String digest() {
    return digest;
  }

  /**
   * Reads all of it.
   *
   * @throws TareException if a file is not as it was written, or is missing
   */
  public void check() {
    try {
      Optional<String> objection = FolderProof.objection(store, place, FolderProof.Depth.CONTENTS);
      for (String file : manifest.files().keySet()) {
        if (objection.isEmpty() && store.find(Paths.child(place, file)).isEmpty()) {
          objection = Optional.of(Paths.shown(file) + " in it is missing");
        }
      }
      if (objection.isPresent()) {
        throw TareException.badInput(
            "Cannot use output %s: %s", Paths.shown(name), objection.get());
      }
    } catch (IOException | FSError e) {
      throw FileErrors.reading("output", name, e);
    }
  }

  /** A file of it, if it has one of this name. */
  public Optional<byte[]> read(String file) {
    if (!manifest.files().containsKey(file)) {
      return Optional.empty();
    }
    try {
      return Optional.of(FolderProof.read(store, Paths.child(place, file)));
    } catch (IOException | FSError e) {
      throw FileErrors.reading("output", name + "/" + file, e);
    }
  }

  /** What writes each of its files, by name. */
  public Map<String, OutputFolder.Content> contents() {
    Map<String, OutputFolder.Content> contents = new LinkedHashMap<>();
    for (String file : manifest.files().keySet()) {
      contents.put(
          file,
          out -> {
            try (InputStream in = store.open(Paths.child(place, file))) {
              in.transferTo(out);
            }
          });
    }
    return contents;
  }

  /** Its place, as it was given. */
  public String place() {
    return name;
  }
}
