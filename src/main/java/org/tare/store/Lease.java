package org.tare.store;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.fs.FSError;

/**
 * The right to be the one that works at something, held by one process at a time. It is renewed
 * until it is closed. When its process is seen to have ended, or has not renewed it for its term,
 * another may take it.
 */
public final class Lease implements AutoCloseable {
  private final Claim claim;
  private final ScheduledExecutorService renewal;

  Lease(Claim claim, Duration term) {
    this.claim = claim;
    this.renewal =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "tare-lease");
              thread.setDaemon(true);
              return thread;
            });
    long pause = Math.max(1, term.toMillis() / 5);
    renewal.scheduleWithFixedDelay(this::renew, pause, pause, TimeUnit.MILLISECONDS);
  }

  private void renew() {
    // Whether it is still held is asked before anything depends on it.
    isHeld();
  }

  /** Whether this process still holds it: nobody has taken it meanwhile, and it can be renewed. */
  public synchronized boolean isHeld() {
    try {
      return claim.renew();
    } catch (IOException | FSError e) {
      return false;
    }
  }

  /** Gives it back. */
  @Override
  public void close() {
    renewal.shutdownNow();
    try {
      renewal.awaitTermination(10, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    claim.releaseOwn();
  }
}
