package org.tare.store;

import java.io.IOException;
import java.time.Duration;
import org.apache.hadoop.fs.FSError;

/**
 * The right to be the one that works at something, held by one process at a time. It is renewed
 * until it is closed. When its process is seen to have ended, or has not renewed it for its term,
 * another may take it.
 */
public final class Lease implements AutoCloseable {
  private final Claim claim;
  private boolean closed;

  private Lease(Claim claim) {
    this.claim = claim;
  }

  /** That of a claim which this process has just taken. */
  static Lease of(Claim claim, Duration term) {
    Lease lease = new Lease(claim);
    long pause = Math.max(1, term.toMillis() / 5);
    Thread renewal = new Thread(() -> lease.renewEvery(pause), "tare-lease");
    renewal.setDaemon(true);
    renewal.start();
    return lease;
  }

  private synchronized void renewEvery(long pause) {
    try {
      while (!closed) {
        wait(pause);
        if (!closed) {
          // Whether it is still held is asked before anything depends on it.
          isHeld();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether this process still holds it: nobody has taken it meanwhile, and it can be renewed. */
  public synchronized boolean isHeld() {
    try {
      return claim.renew();
    } catch (IOException | RuntimeException | FSError e) {
      return false;
    }
  }

  /** Gives it back. */
  @Override
  public synchronized void close() {
    closed = true;
    notifyAll();
    claim.releaseOwn();
  }
}
