package org.tare.streams;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.tare.PrintableText;
import org.tare.TareException;
import org.tare.TareException.Kind;
import org.tare.spark.SparkFailures;

/**
 * Says what went wrong in a stream. Spark tells of its checkpoint by many exceptions, of which few
 * name it; they are known by the classes of Spark's that threw them.
 */
final class StreamFailures {
  private static final String PACKAGE = "org.apache.spark.sql.execution.streaming.";
  private static final List<String> READERS =
      List.of(
          "StreamMetadata",
          "HDFSMetadataLog",
          "OffsetSeqLog",
          "CommitLog",
          "CompactibleFileStreamLog",
          "FileStreamSourceLog",
          "CheckpointFileManager");

  private StreamFailures() {}

  /**
   * The failure in one line.
   *
   * @param what could not be done; it begins the line
   * @param checkpoint the stream's folder
   */
  static TareException translate(String what, String checkpoint, Throwable failure) {
    TareException known = SparkFailures.translate(what, failure);
    List<Throwable> causes = SparkFailures.causes(failure);
    if (causes.stream().anyMatch(cause -> says(cause, "CONCURRENT_STREAM_LOG_UPDATE"))) {
      return told(
          Kind.TRY_AGAIN,
          what,
          checkpoint,
          "is written by another stream too; give each a stream.checkpoint of its own",
          failure);
    }
    boolean isDecided = known.kind() == Kind.TRY_AGAIN || known.kind() == Kind.USAGE;
    if (isDecided
        || causes.stream().anyMatch(TareException.class::isInstance)
        || causes.stream().noneMatch(StreamFailures::isOfTheCheckpoint)) {
      return known;
    }
    Throwable innermost = causes.get(causes.size() - 1);
    String line = SparkFailures.firstLine(innermost);
    if (innermost instanceof IOException && !isOfContent(innermost)) {
      return told(
          Kind.CANNOT_WRITE, what, checkpoint, "cannot be read or written: " + line, failure);
    }
    return told(
        Kind.BAD_INPUT,
        what,
        checkpoint,
        "is damaged ("
            + line
            + "); move it away to read the stream from its beginning: batches of the same rows"
            + " count once",
        failure);
  }

  private static TareException told(
      Kind kind, String what, String checkpoint, String trouble, Throwable failure) {
    return TareException.of(
            kind,
            what
                + ": its checkpoint "
                + PrintableText.of(checkpoint)
                + " "
                + PrintableText.of(trouble))
        .causedBy(failure);
  }

  private static boolean isOfTheCheckpoint(Throwable failure) {
    return says(failure, "STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY")
        || Arrays.stream(failure.getStackTrace())
            .map(StackTraceElement::getClassName)
            .anyMatch(
                name -> name.startsWith(PACKAGE) && READERS.stream().anyMatch(name::contains));
  }

  /** Jackson's exceptions are of what was read, though they are IOExceptions. */
  private static boolean isOfContent(Throwable failure) {
    return failure.getClass().getName().startsWith("com.fasterxml.jackson.");
  }

  private static boolean says(Throwable failure, String condition) {
    return String.valueOf(failure.getMessage()).contains(condition);
  }
}
