package org.tare.infer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The sessions of this JVM: one per model and number of threads, shared by the tasks that lease it.
 * Loading takes longer than many a task, so a few idle sessions are kept for the next one.
 */
public final class SessionPool {
  private static final int MAX_IDLE = 4;
  private static final Map<Key, Entry> ENTRIES = new LinkedHashMap<>();

  private SessionPool() {}

  private record Key(String digest, int threads) {}

  private static final class Entry {
    private final ModelSession session;
    private int leases;

    Entry(ModelSession session) {
      this.session = session;
    }
  }

  /** A session for as long as it is not closed; closing twice does nothing. */
  public static final class Lease implements AutoCloseable {
    private final Entry entry;
    private boolean closed;

    private Lease(Entry entry) {
      this.entry = entry;
    }

    public ModelSession session() {
      return entry.session;
    }

    @Override
    public void close() {
      synchronized (ENTRIES) {
        if (!closed) {
          closed = true;
          entry.leases--;
        }
      }
    }
  }

  /**
   * Leases the session of a model, loading it if this JVM has none.
   *
   * @param digest what identifies the file's content
   */
  public static Lease lease(Path model, String name, String digest, int threads) {
    synchronized (ENTRIES) {
      Key key = new Key(digest, threads);
      Entry entry = ENTRIES.remove(key);
      if (entry == null) {
        closeIdle(MAX_IDLE - 1);
        entry = new Entry(ModelSession.open(model, name, threads));
      }
      // Last in the map: most recently used.
      ENTRIES.put(key, entry);
      entry.leases++;
      return new Lease(entry);
    }
  }

  private static void closeIdle(int keep) {
    List<Key> idle = new ArrayList<>();
    ENTRIES.forEach(
        (key, entry) -> {
          if (entry.leases == 0) {
            idle.add(key);
          }
        });
    for (int i = 0; i < idle.size() - keep; i++) {
      ENTRIES.remove(idle.get(i)).session.close();
    }
  }
}
