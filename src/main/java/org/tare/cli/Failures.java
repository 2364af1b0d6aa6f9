package org.tare.cli;

import java.io.PrintWriter;
import org.tare.PrintableText;
import org.tare.TareException;
import org.tare.spark.SparkFailures;

/** One clear line for whatever went wrong. */
final class Failures {
  private Failures() {}

  /** Prints the line, and the stack trace if asked; returns the exit status. */
  static int report(Throwable failure, PrintWriter err, boolean verbose) {
    TareException known = SparkFailures.translate("Cannot go on", failure);
    if (Stop.isUnderWay()) {
      // Spark is stopping too; what fails because of that is not worth a message.
      return known.kind().exitStatus();
    }
    boolean isDefect = known.kind() == TareException.Kind.INTERNAL;
    String hint = isDefect && !verbose ? "; --verbose shows where" : "";
    err.println("tare: " + PrintableText.of(known.getMessage()) + hint);
    if (verbose) {
      failure.printStackTrace(err);
    }
    return known.kind().exitStatus();
  }
}
