package org.tare.spark;

import org.tare.TareException;

/** Finds what a user can act on in the exceptions that Spark wraps around it. */
final class SparkFailures {
  private SparkFailures() {}

  /**
   * The {@link TareException} that a task threw, or one that tells the first line of the innermost
   * cause.
   *
   * @param what could not be done
   */
  static TareException translate(String what, Throwable failure) {
    Throwable innermost = failure;
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (t instanceof TareException known) {
        return TareException.of(known.kind(), known.getMessage()).causedBy(failure);
      }
      innermost = t;
      if (t.getCause() == t) {
        break;
      }
    }
    String message = String.valueOf(innermost.getMessage()).lines().findFirst().orElse("").strip();
    boolean isInput =
        message.contains("is not a Parquet file") || message.contains("CANNOT_READ_FILE");
    String text = what + ": " + innermost.getClass().getSimpleName() + ": " + message;
    TareException.Kind kind = isInput ? TareException.Kind.BAD_INPUT : TareException.Kind.TRY_AGAIN;
    return TareException.of(kind, text).causedBy(failure);
  }
}
