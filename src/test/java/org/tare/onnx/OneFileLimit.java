package org.tare.onnx;

/** Lowers the size from which models are written with external data, until it is closed. */
public final class OneFileLimit implements AutoCloseable {
  /** The system property that sets it, for other processes. */
  public static final String PROPERTY = ModelFiles.LIMIT_PROPERTY;

  private OneFileLimit() {}

  public static OneFileLimit of(long bytes) {
    System.setProperty(PROPERTY, Long.toString(bytes));
    return new OneFileLimit();
  }

  @Override
  public void close() {
    System.clearProperty(PROPERTY);
  }
}
