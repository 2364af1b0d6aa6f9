package org.tare.infer;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Consumer;
import org.tare.TareException;

/**
 * A model that is loaded on a thread of its own while this thread does something else: to load one
 * of 90 MB takes as long as it takes Spark to plan a query. Spark's properties of this thread are
 * those of the other.
 *
 * @param <T> what holds the model
 */
public final class Opening<T> implements AutoCloseable {
  private final FutureTask<T> task;
  private final Consumer<T> close;
  private boolean isBegun;

  private Opening(FutureTask<T> task, Consumer<T> close) {
    this.task = task;
    this.close = close;
  }

  /**
   * Something that is not loaded yet.
   *
   * @param close closes what was loaded
   */
  public static <T> Opening<T> of(Callable<T> load, Consumer<T> close) {
    return new Opening<>(new FutureTask<>(load), close);
  }

  /** Begins to load on another thread. */
  public void begin() {
    Thread thread = new Thread(task, "tare-load");
    thread.setDaemon(true);
    thread.start();
    isBegun = true;
  }

  /**
   * What was loaded, once it is; loads it here if that has not begun.
   *
   * @throws RuntimeException as loading threw it
   */
  public T get() {
    if (!isBegun) {
      isBegun = true;
      task.run();
    }
    try {
      return task.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw TareException.tryAgain("Interrupted while a model was loaded");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      if (e.getCause() instanceof Error failure) {
        throw failure;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  /** Closes what was loaded, or is being loaded; there is nothing to close if that fails. */
  @Override
  public void close() {
    boolean isInterrupted = false;
    while (isBegun) {
      try {
        close.accept(task.get());
        break;
      } catch (InterruptedException e) {
        isInterrupted = true;
      } catch (ExecutionException e) {
        break;
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
