package org.tare.graph;

/** Lowers the size from which models are written with external data, until it is closed. */
public final class OneFileLimit implements AutoCloseable {
  private OneFileLimit() {}

  public static OneFileLimit of(long bytes) {
    System.setProperty(ModelFiles.LIMIT_PROPERTY, Long.toString(bytes));
    return new OneFileLimit();
  }

  @Override
  public void close() {
    System.clearProperty(ModelFiles.LIMIT_PROPERTY);
  }
}
