package org.tare.cli;

import java.io.PrintWriter;
import org.tare.PrintableText;
import org.tare.TareException;

/** One clear line for whatever went wrong. */
final class Failures {
  private Failures() {}

  /** Prints the line, and the stack trace if asked; returns the exit status. */
  static int report(Throwable failure, PrintWriter err, boolean verbose) {
    TareException known = null;
    for (Throwable t = failure; t != null && known == null; t = t.getCause()) {
      known = t instanceof TareException found ? found : null;
    }
    if (known != null) {
      err.println("tare: " + PrintableText.of(known.getMessage()));
    } else {
      String first = failure.toString().lines().findFirst().orElse("");
      err.println(
          "tare: internal error: "
              + PrintableText.of(first)
              + (verbose ? "" : "; --verbose shows where"));
    }
    if (verbose) {
      failure.printStackTrace(err);
    }
    return known == null ? TareException.Kind.INTERNAL.exitStatus() : known.kind().exitStatus();
  }
}
