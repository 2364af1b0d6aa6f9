package org.tare.spark;

import org.tare.TareException;

/** Finds what a user can act on in the exceptions that Spark wraps around it. */
public final class SparkFailures {
  private SparkFailures() {}

  /**
   * The {@link TareException} that a task threw, or one that tells the first line of the innermost
   * cause.
   *
   * @param what could not be done
   */
  public static TareException translate(String what, Throwable failure) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (t instanceof TareException known) {
        return TareException.of(known.kind(), known.getMessage()).causedBy(failure);
      }
    }
    Throwable innermost = innermost(failure);
    String message = firstLine(innermost);
    boolean isInput =
        message.contains("is not a Parquet file") || message.contains("CANNOT_READ_FILE");
    String text = what + ": " + innermost.getClass().getSimpleName() + ": " + message;
    TareException.Kind kind = isInput ? TareException.Kind.BAD_INPUT : TareException.Kind.TRY_AGAIN;
    return TareException.of(kind, text).causedBy(failure);
  }

  /** What all the others were caused by. */
  public static Throwable innermost(Throwable failure) {
    Throwable innermost = failure;
    while (innermost.getCause() != null) {
      innermost = innermost.getCause();
    }
    return innermost;
  }

  /** The first line of the message that says anything: some of Spark's begin with an empty one. */
  public static String firstLine(Throwable failure) {
    return String.valueOf(failure.getMessage())
        .lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .findFirst()
        .orElse(failure.getClass().getSimpleName());
  }
}
