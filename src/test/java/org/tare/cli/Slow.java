package org.tare.cli;

/** Called from SQL, so that a job takes long enough to be stopped. */
public final class Slow {
  private Slow() {}

  public static String pause(long id) throws InterruptedException {
    Thread.sleep(8);
    return Long.toString(id);
  }
}
