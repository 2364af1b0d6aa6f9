package org.tare.infer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.infer.ModelSession.Pairs;

/**
 * The sessions of this JVM: one per model and number of threads, shared by the tasks that lease it.
 * Loading takes longer than many a task, so a few idle sessions are kept for the next one: at most
 * {@value #MAX_IDLE}, and those of large models only until nobody needs them.
 */
public final class SessionPool {
  private static final int MAX_IDLE = 4;

  /** What the files of idle sessions may take together. */
  private static final long MAX_IDLE_BYTES = 256L << 20;

  /** By use: the one used last is the last. */
  private static final Map<Key, Entry> ENTRIES = new LinkedHashMap<>();

  private SessionPool() {}

  /**
   * A model that can be loaded.
   *
   * @param name what to call it in messages
   * @param digest what identifies its content
   * @param sizeBytes of its files
   * @param threads for the parallel parts of one operator
   * @param pairs what becomes of pairs of QuantizeLinear and DequantizeLinear
   */
  public record Model(String name, String digest, long sizeBytes, int threads, Pairs pairs) {
    /** One that runs as its users run it. */
    public Model(String name, String digest, long sizeBytes, int threads) {
      this(name, digest, sizeBytes, threads, Pairs.FUSED);
    }

    private Key key() {
      return new Key(digest, threads, pairs);
    }
  }

  /** Brings the files of a model; they are only needed until it is loaded. */
  @FunctionalInterface
  public interface Files {
    /** Hands the model's file to the reader, and removes it afterwards. */
    ModelSession open(Opener opener);
  }

  /** Loads a model from its file. */
  @FunctionalInterface
  public interface Opener {
    ModelSession open(Path file);
  }

  private record Key(String digest, int threads, Pairs pairs) {}

  /** Its lock is held while the model is loaded: whoever wants it too waits. */
  private static final class Entry {
    private final long sizeBytes;
    private ModelSession session;
    private int leases;

    Entry(long sizeBytes) {
      this.sizeBytes = sizeBytes;
    }

    synchronized ModelSession session(Model model, Files files) {
      if (session == null) {
        session =
            files.open(
                file -> ModelSession.open(file, model.name(), model.threads(), model.pairs()));
      }
      return session;
    }

    synchronized void close() {
      if (session != null) {
        session.close();
        session = null;
      }
    }
  }

  /** A session for as long as it is not closed; closing twice does nothing. */
  public static final class Lease implements AutoCloseable {
    private final Entry entry;
    private final ModelSession session;
    private boolean closed;

    private Lease(Entry entry, ModelSession session) {
      this.entry = entry;
      this.session = session;
    }

    public ModelSession session() {
      return session;
    }

    @Override
    public void close() {
      synchronized (ENTRIES) {
        if (closed) {
          return;
        }
        closed = true;
        entry.leases--;
      }
      closeIdle(MAX_IDLE, MAX_IDLE_BYTES);
    }
  }

  /**
   * Leases the session of a model, loading it if this JVM has none. Other models can be leased and
   * given back while it loads.
   */
  public static Lease lease(Model model, Files files) {
    Entry entry;
    synchronized (ENTRIES) {
      entry = ENTRIES.remove(model.key());
      if (entry == null) {
        entry = new Entry(model.sizeBytes());
      }
      ENTRIES.put(model.key(), entry);
      entry.leases++;
    }
    // Room for the new one, if there is one.
    closeIdle(MAX_IDLE - 1, MAX_IDLE_BYTES);
    try {
      return new Lease(entry, entry.session(model, files));
    } catch (RuntimeException | Error e) {
      synchronized (ENTRIES) {
        entry.leases--;
        if (entry.leases == 0) {
          ENTRIES.remove(model.key(), entry);
        }
      }
      throw e;
    }
  }

  /** Closes all sessions that nobody leases; a driver calls it when it is done with models. */
  public static void closeIdle() {
    closeIdle(0, 0);
  }

  /** How many sessions are loaded, and how many of them nobody leases. */
  static int[] counts() {
    synchronized (ENTRIES) {
      int idle = (int) ENTRIES.values().stream().filter(entry -> entry.leases == 0).count();
      return new int[] {ENTRIES.size(), idle};
    }
  }

  private static void closeIdle(int keep, long keepBytes) {
    List<Entry> closing = new ArrayList<>();
    synchronized (ENTRIES) {
      List<Key> idle = new ArrayList<>();
      ENTRIES.forEach(
          (key, entry) -> {
            if (entry.leases == 0) {
              idle.add(key);
            }
          });
      long bytes = 0;
      int kept = 0;
      // The ones used last stay.
      for (int i = idle.size() - 1; i >= 0; i--) {
        Entry entry = ENTRIES.get(idle.get(i));
        if (kept < keep && bytes + entry.sizeBytes <= keepBytes) {
          kept++;
          bytes += entry.sizeBytes;
        } else {
          closing.add(ENTRIES.remove(idle.get(i)));
        }
      }
    }
    closing.forEach(Entry::close);
  }
}
