package org.tare.store;

import java.io.FileNotFoundException;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.Path;
import org.tare.files.Owner;

/**
 * A hidden folder beside the place of an output, which one run works in: its owner, the result
 * ({@code new}) and what stood at the place before ({@code former-1}, {@code former-2} …).
 */
final class WorkFolder {
  /** On a file system without atomic moves: the result is being copied to its place. */
  static final String INSTALL = "_INSTALL";

  private static final Pattern FORMER = Pattern.compile("former-([0-9]{1,9})");

  /** The name of one, or of a file on its way to its place, with the name of what it is for. */
  private static final Pattern NAME =
      Pattern.compile("/\\.([^/]+)\\.staging-(?:[0-9a-f-]{36}|[0-9a-f]{16}(?:/new)?)");

  private final FolderStore store;
  private final Path folder;
  private final String id;

  private WorkFolder(FolderStore store, Path folder, String id) {
    this.store = store;
    this.folder = folder;
    this.id = id;
  }

  private static String prefix(Path place) {
    return "." + place.getName() + ".staging-";
  }

  /** The folder in which what has this path was to be made; empty for paths of other kinds. */
  static Optional<String> above(String path) {
    Matcher name = NAME.matcher(path);
    boolean isWorkFolder = name.find() && name.end() == path.length();
    return isWorkFolder
        ? Optional.of(name.start() == 0 ? "/" : path.substring(0, name.start()))
        : Optional.empty();
  }

  /** Whether this is the path of a file on its way to its place. */
  static boolean isFile(String path) {
    return path.matches("(?s).*\\.staging-[0-9a-f-]{36}");
  }

  /** A text for users, who know the place of an output and not what is made beside it. */
  static String withoutWorkFolders(String text) {
    return NAME.matcher(text).replaceAll("/$1");
  }

  /** Makes one. */
  static WorkFolder create(FolderStore store, Path place, Owner owner) throws IOException {
    String id = UUID.randomUUID().toString().replace("-", "").substring(0, 16);
    Path folder = Paths.child(place.getParent(), prefix(place) + id);
    WorkFolder work = new WorkFolder(store, folder, id);
    store.makeFolder(folder);
    try {
      write(store, Paths.child(folder, Owner.FILE), owner.encode());
      return work;
    } catch (IOException | FSError e) {
      // Without an owner nobody could tell that it is abandoned, until it is old.
      try {
        work.delete();
      } catch (IOException | FSError again) {
        e.addSuppressed(again);
      }
      throw e;
    }
  }

  /** Those of all runs for this place. */
  static List<WorkFolder> beside(FolderStore store, Path place) throws IOException {
    List<WorkFolder> found = new ArrayList<>();
    String prefix = prefix(place);
    List<FolderStore.Entry> all;
    try {
      all = store.list(place.getParent());
    } catch (FileNotFoundException
        | NoSuchFileException
        | NotDirectoryException
        | AccessDeniedException e) {
      // Whether the place can be written shows later.
      return found;
    }
    for (FolderStore.Entry entry : all) {
      if (entry.isFolder() && entry.name().startsWith(prefix)) {
        String id = entry.name().substring(prefix.length());
        if (id.matches("[0-9a-f]{16}")) {
          found.add(new WorkFolder(store, Paths.child(place.getParent(), entry.name()), id));
        }
      }
    }
    return found;
  }

  /** Tells this run from others in the names of what is kept. */
  String shortId() {
    return id.substring(0, 8);
  }

  Path path() {
    return folder;
  }

  Path result() {
    return Paths.child(folder, "new");
  }

  Path former(int number) {
    return Paths.child(folder, "former-" + number);
  }

  Path install() {
    return Paths.child(folder, INSTALL);
  }

  /** The latest folder that was moved away from the place. */
  Optional<Path> lastFormer() throws IOException {
    int last = 0;
    for (FolderStore.Entry entry : store.list(folder)) {
      var number = FORMER.matcher(entry.name());
      last = number.matches() ? Math.max(last, Integer.parseInt(number.group(1))) : last;
    }
    return last == 0 ? Optional.empty() : Optional.of(former(last));
  }

  /** The owner; empty if it cannot be told. */
  Optional<Owner> owner() throws IOException {
    try {
      return Owner.decode(FolderProof.read(store, Paths.child(folder, Owner.FILE)));
    } catch (FileNotFoundException | NoSuchFileException e) {
      return Optional.empty();
    }
  }

  boolean isAbandoned() throws IOException {
    Path file = Paths.child(folder, Owner.FILE);
    byte[] content;
    try {
      content = FolderProof.read(store, file);
    } catch (FileNotFoundException | NoSuchFileException e) {
      // An empty folder is one whose owner file was about to be written.
      boolean isEmpty = store.list(folder).isEmpty();
      return Owner.isAbandoned(
          Optional.empty(), touched(folder), isEmpty ? Owner.UNFINISHED : Owner.LEASE);
    }
    return Owner.isAbandoned(content, touched(file), Owner.LEASE);
  }

  private Instant touched(Path path) throws IOException {
    return store.find(path).map(FolderStore.Entry::modified).orElse(Instant.now());
  }

  /** Writes the result: the files, the manifest, {@code _SUCCESS}. */
  void write(Map<String, byte[]> files, Map<String, OutputFolder.Content> streamed)
      throws IOException {
    store.makeFolder(result());
    SortedMap<String, Manifest.File> written = new TreeMap<>();
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      written.put(file.getKey(), write(file.getKey(), out -> out.write(file.getValue())));
    }
    for (Map.Entry<String, OutputFolder.Content> file : streamed.entrySet()) {
      written.put(file.getKey(), write(file.getKey(), file.getValue()));
    }
    write(store, Paths.child(result(), Manifest.NAME), new Manifest(written).encode());
    write(store, Paths.child(result(), OutputFolder.SUCCESS), new byte[0]);
  }

  private Manifest.File write(String name, OutputFolder.Content content) throws IOException {
    if (!Manifest.isUsable(name)) {
      throw new IOException("a file of the output cannot be called " + Paths.shown(name));
    }
    Path file = Paths.child(result(), name);
    if (name.indexOf('/') >= 0) {
      store.makeFolder(file.getParent());
    }
    MessageDigest digest = FolderProof.sha256();
    Counting counting;
    try (OutputStream out = store.create(file)) {
      counting = new Counting(new DigestOutputStream(out, digest));
      content.writeTo(counting);
      counting.flush();
    }
    return new Manifest.File(counting.bytes, HexFormat.of().formatHex(digest.digest()));
  }

  private static void write(FolderStore store, Path file, byte[] content) throws IOException {
    try (OutputStream out = store.create(file)) {
      out.write(content);
    }
  }

  /**
   * The result gets mode and group of the folder that it replaces, and so do the files and folders
   * in it by name.
   */
  void takeAccess(Path former) throws IOException {
    takeAccess(former, result());
  }

  private void takeAccess(Path former, Path mine) throws IOException {
    store.copyAccess(former, mine);
    for (FolderStore.Entry entry : store.list(former)) {
      Path theirs = Paths.child(former, entry.name());
      Path same = Paths.child(mine, entry.name());
      Optional<FolderStore.Entry> there = store.find(same);
      if (there.isEmpty()) {
        continue;
      }
      if (entry.isFolder() && there.get().isFolder()) {
        takeAccess(theirs, same);
      } else {
        store.copyAccess(theirs, same);
      }
    }
  }

  /** Whether neither a former folder nor a result is in it that somebody needs. */
  boolean isDisposable() throws IOException {
    return lastFormer().isEmpty() && store.find(install()).isEmpty();
  }

  /** Deletes all of it. */
  void delete() throws IOException {
    // A result that is half deleted must not be taken for one that is half installed.
    store.delete(install());
    store.delete(folder);
  }

  private static final class Counting extends FilterOutputStream {
    private long bytes;

    Counting(OutputStream out) {
      super(out);
    }

    @Override
    public void write(int value) throws IOException {
      out.write(value);
      bytes++;
    }

    @Override
    public void write(byte[] values, int offset, int length) throws IOException {
      out.write(values, offset, length);
      bytes += length;
    }
  }
}
