package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.NoSuchFileException;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.fs.Path;

/** Whether a folder holds nothing but what Tare wrote into it, so that it may be replaced. */
final class FolderProof {
  /** How closely to look. */
  enum Depth {
    /** Names and lengths. */
    NAMES,
    /** The bytes as well; reads all files. */
    CONTENTS
  }

  private static final int LOOKS = 3;
  private static final Set<String> MARKS = Set.of(Manifest.NAME, OutputFolder.SUCCESS);

  private final FolderStore store;
  private final Path folder;
  private final Depth depth;

  private FolderProof(FolderStore store, Path folder, Depth depth) {
    this.store = store;
    this.folder = folder;
    this.depth = depth;
  }

  /**
   * Why the folder must not be replaced; empty if it may be, also because it is empty. A folder
   * that another run exchanges meanwhile is looked at again.
   *
   * @throws FileNotFoundException if it is not there
   */
  static Optional<String> objection(FolderStore store, Path folder, Depth depth)
      throws IOException {
    String objection = "";
    for (int look = 0; look < LOOKS; look++) {
      try {
        Optional<String> found = look(store, folder, depth);
        if (found.isEmpty()) {
          return found;
        }
        objection = found.get();
      } catch (FileNotFoundException | NoSuchFileException e) {
        if (store.find(folder).isEmpty()) {
          throw new FileNotFoundException(Paths.shown(folder));
        }
        objection = "another run is writing it at this moment";
      }
    }
    return Optional.of(objection);
  }

  private static Optional<String> look(FolderStore store, Path folder, Depth depth)
      throws IOException {
    FolderStore.Entry entry =
        store.find(folder).orElseThrow(() -> new FileNotFoundException(folder.toString()));
    if (!entry.isFolder()) {
      return Optional.of("it is a file, not a folder");
    }
    if (store.list(folder).isEmpty()) {
      return Optional.empty();
    }
    byte[] content;
    try {
      content = read(store, Paths.child(folder, Manifest.NAME));
    } catch (FileNotFoundException | NoSuchFileException e) {
      return Optional.of(
          "it holds no "
              + Manifest.NAME
              + ", so Tare did not write it, or an earlier version did; remove it yourself if"
              + " nobody needs it");
    }
    Manifest manifest;
    try {
      manifest = Manifest.decode(content);
    } catch (IOException e) {
      return Optional.of(
          "its " + Manifest.NAME + " cannot be used: " + e.getMessage() + "; remove it yourself");
    }
    return new FolderProof(store, folder, depth).foreign(folder, "", manifest);
  }

  private Optional<String> foreign(Path inner, String prefix, Manifest manifest)
      throws IOException {
    for (FolderStore.Entry entry : store.list(inner)) {
      String name = prefix + entry.name();
      if (entry.isFolder()) {
        Optional<String> found =
            manifest.files().keySet().stream().anyMatch(file -> file.startsWith(name + "/"))
                ? foreign(Paths.child(folder, name), name + "/", manifest)
                : notTares(name);
        if (found.isPresent()) {
          return found;
        }
      } else if (manifest.files().containsKey(name)) {
        if (!isUnchanged(entry, Paths.child(folder, name), manifest.files().get(name))) {
          return Optional.of(
              Paths.shown(name)
                  + " in it has changed since Tare wrote it; move that file away, or remove the"
                  + " folder yourself");
        }
      } else if (!MARKS.contains(name) && !isChecksum(prefix, entry.name(), manifest)) {
        return notTares(name);
      }
    }
    return Optional.empty();
  }

  private static Optional<String> notTares(String name) {
    return Optional.of(
        "it holds "
            + Paths.shown(name)
            + ", which Tare did not write; move that away, or remove the folder yourself");
  }

  private boolean isUnchanged(FolderStore.Entry entry, Path path, Manifest.File file)
      throws IOException {
    if (entry.length() != file.length() || depth == Depth.NAMES) {
      return entry.length() == file.length();
    }
    MessageDigest digest = sha256();
    try (InputStream in = new DigestInputStream(store.open(path), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
    return HexFormat.of().formatHex(digest.digest()).equals(file.sha256());
  }

  /** Hadoop's local file system puts {@code .NAME.crc} beside a file. */
  private static boolean isChecksum(String prefix, String name, Manifest manifest) {
    if (!name.startsWith(".") || !name.endsWith(".crc") || name.length() < 6) {
      return false;
    }
    String of = prefix + name.substring(1, name.length() - 4);
    return MARKS.contains(of) || manifest.files().containsKey(of);
  }

  static byte[] read(FolderStore store, Path file) throws IOException {
    try (InputStream in = store.open(file)) {
      return in.readAllBytes();
    }
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
