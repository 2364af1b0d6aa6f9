package org.tare.store;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.tare.files.Owner;

/**
 * A store that calls a hook before each step; of a move it is told what is in no working folder.
 */
class SteppedStore implements FolderStore {
  /** Told what is about to happen; may wait, or throw to end the run there. */
  @FunctionalInterface
  interface Hook {
    void before(String step, Path path);
  }

  private final FolderStore store;
  private final Hook hook;

  SteppedStore(FolderStore store, Hook hook) {
    this.store = store;
    this.hook = hook;
  }

  /** The store some minutes later, when a file that is cut off is none of a run that begins. */
  static FolderStore later(FolderStore store) {
    return new SteppedStore(store, (step, path) -> {}) {
      @Override
      public Optional<Entry> find(Path path) throws IOException {
        return super.find(path).map(SteppedStore::older);
      }

      @Override
      public List<Entry> list(Path folder) throws IOException {
        return super.list(folder).stream().map(SteppedStore::older).toList();
      }
    };
  }

  private static Entry older(Entry entry) {
    Instant before = entry.modified().minus(Owner.UNFINISHED).minusSeconds(1);
    return new Entry(entry.path(), entry.isFolder(), entry.length(), before);
  }

  @Override
  public Moves moves() {
    return store.moves();
  }

  @Override
  public Optional<Entry> find(Path path) throws IOException {
    hook.before("find", path);
    return store.find(path);
  }

  @Override
  public List<Entry> list(Path folder) throws IOException {
    hook.before("list", folder);
    return store.list(folder);
  }

  @Override
  public InputStream open(Path file) throws IOException {
    hook.before("open", file);
    return store.open(file);
  }

  @Override
  public void makeFolder(Path folder) throws IOException {
    hook.before("makeFolder", folder);
    store.makeFolder(folder);
  }

  @Override
  public OutputStream create(Path file) throws IOException {
    hook.before("create", file);
    return writing(file, store.create(file));
  }

  @Override
  public OutputStream overwrite(Path file) throws IOException {
    hook.before("overwrite", file);
    return writing(file, store.overwrite(file));
  }

  /** The content is a step of its own: whoever is killed before it leaves an empty file. */
  private OutputStream writing(Path file, OutputStream out) {
    return new ByteArrayOutputStream() {
      @Override
      public void close() throws IOException {
        hook.before("write", file);
        try (out) {
          writeTo(out);
        }
      }
    };
  }

  @Override
  public void move(Path folder, Path place) throws IOException {
    boolean isFromWork = folder.getName().matches("new|former-[0-9]+");
    hook.before("move", isFromWork ? place : folder);
    store.move(folder, place);
  }

  @Override
  public void moveFile(Path file, Path place, Existing existing) throws IOException {
    hook.before("moveFile", place);
    store.moveFile(file, place, existing);
  }

  @Override
  public void delete(Path path) throws IOException {
    hook.before("delete", path);
    store.delete(path);
  }

  @Override
  public void copyAccess(Path from, Path to) {
    hook.before("copyAccess", from);
    store.copyAccess(from, to);
  }
}
