package org.tare.store;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/** A file system in memory, with or without atomic moves: thousands of runs take a second. */
final class MemoryStore implements FolderStore {
  private static final byte[] FOLDER = new byte[0];

  private final Moves moves;
  private final TreeMap<String, byte[]> tree = new TreeMap<>(Map.of("/", FOLDER));

  MemoryStore(Moves moves) {
    this.moves = moves;
  }

  private static String key(Path path) {
    return path.toUri().getPath();
  }

  @Override
  public Moves moves() {
    return moves;
  }

  @Override
  public Optional<Entry> find(Path path) {
    byte[] content = tree.get(key(path));
    return content == null
        ? Optional.empty()
        : Optional.of(new Entry(path, content == FOLDER, content.length, Instant.now()));
  }

  @Override
  public List<Entry> list(Path folder) throws IOException {
    if (tree.get(key(folder)) != FOLDER) {
      throw new FileNotFoundException(key(folder));
    }
    String prefix = prefix(folder);
    List<Entry> entries = new ArrayList<>();
    for (String path : below(prefix)) {
      if (path.indexOf('/', prefix.length()) < 0) {
        entries.add(find(Paths.child(folder, path.substring(prefix.length()))).orElseThrow());
      }
    }
    return entries;
  }

  private static String prefix(Path folder) {
    return key(folder).equals("/") ? "/" : key(folder) + "/";
  }

  private List<String> below(String prefix) {
    return new ArrayList<>(tree.subMap(prefix, false, prefix + Character.MAX_VALUE, true).keySet());
  }

  @Override
  public InputStream open(Path file) throws IOException {
    byte[] content = tree.get(key(file));
    if (content == null || content == FOLDER) {
      throw new FileNotFoundException(key(file));
    }
    return new ByteArrayInputStream(content);
  }

  @Override
  public void makeFolder(Path folder) throws IOException {
    for (Path one = folder; one != null; one = one.getParent()) {
      if (tree.getOrDefault(key(one), FOLDER) != FOLDER) {
        throw new FileAlreadyExistsException(key(one));
      }
      tree.put(key(one), FOLDER);
    }
  }

  @Override
  public OutputStream create(Path file) throws IOException {
    if (tree.containsKey(key(file))) {
      throw new FileAlreadyExistsException(key(file));
    }
    return overwrite(file);
  }

  @Override
  public OutputStream overwrite(Path file) throws IOException {
    if (!tree.containsKey(key(file.getParent()))) {
      throw new FileNotFoundException(key(file.getParent()));
    }
    tree.put(key(file), new byte[] {});
    return new ByteArrayOutputStream() {
      @Override
      public void close() {
        tree.put(key(file), toByteArray());
      }
    };
  }

  /** What a stream does that is closed: the file may be gone, or another's, meanwhile. */
  void write(Path file, byte[] content) {
    tree.put(key(file), content);
  }

  @Override
  public void move(Path folder, Path place) throws IOException {
    if (moves == Moves.NONE) {
      throw new UnsupportedOperationException();
    }
    if (!tree.containsKey(key(folder))) {
      throw new FileNotFoundException(key(folder));
    }
    if (tree.containsKey(key(place))
        && (tree.get(key(place)) != FOLDER || !below(prefix(place)).isEmpty())) {
      throw new FileAlreadyExistsException(key(place));
    }
    tree.put(key(place), tree.remove(key(folder)));
    for (String path : below(prefix(folder))) {
      tree.put(prefix(place) + path.substring(prefix(folder).length()), tree.remove(path));
    }
  }

  @Override
  public void moveFile(Path file, Path place, Existing existing) throws IOException {
    if (moves == Moves.NONE) {
      throw new UnsupportedOperationException();
    }
    if (existing == Existing.REFUSE && tree.containsKey(key(place))) {
      throw new FileAlreadyExistsException(key(place));
    }
    tree.put(key(place), tree.remove(key(file)));
  }

  @Override
  public void delete(Path path) {
    below(prefix(path)).forEach(tree::remove);
    tree.remove(key(path));
  }

  @Override
  public void copyAccess(Path from, Path to) {}

  /** The same files and folders, apart from this. */
  MemoryStore copy() {
    MemoryStore copy = new MemoryStore(moves);
    copy.tree.putAll(tree);
    return copy;
  }

  /** All paths with their contents. */
  String contents() {
    StringBuilder all = new StringBuilder();
    tree.forEach(
        (path, content) ->
            all.append(path)
                .append(content == FOLDER ? "/" : "=" + new String(content, StandardCharsets.UTF_8))
                .append('\n'));
    return all.toString();
  }

  /** All paths, for messages. */
  @Override
  public String toString() {
    return tree.keySet().toString();
  }
}
