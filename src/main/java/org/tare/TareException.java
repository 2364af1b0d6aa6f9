package org.tare;

import java.util.Locale;

/**
 * A failure that the user of Tare can act on. The message is one sentence that says what could not
 * be done, the value and the reason; the {@link Kind} becomes the exit status of the command.
 */
public final class TareException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What kind of thing failed; each has its exit status, from 64 on after BSD's sysexits. */
  public enum Kind {
    /** The model is fine, but there is nothing in it to quantize. */
    NOTHING_TO_QUANTIZE(30),
    /** Wrong option, unknown key, a value that a setting does not take. */
    USAGE(64),
    /** The data or the model is not what it should be. */
    BAD_INPUT(65),
    /** A file, table or folder that should be read is not there. */
    MISSING_INPUT(66),
    /** A defect of Tare, or a failure nobody foresaw. */
    INTERNAL(70),
    /** The output can't be written. */
    CANNOT_WRITE(73),
    /** The cluster failed in a way that may not happen again. */
    TRY_AGAIN(75);

    private final int exitStatus;

    Kind(int exitStatus) {
      this.exitStatus = exitStatus;
    }

    public int exitStatus() {
      return exitStatus;
    }
  }

  private final Kind kind;

  private TareException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }

  /** The option, key or value is wrong. */
  public static TareException usage(String format, Object... args) {
    return new TareException(Kind.USAGE, message(format, args), null);
  }

  /** Nothing in the model can be quantized: a result would be a copy of it. */
  public static TareException nothingToQuantize(String format, Object... args) {
    return new TareException(Kind.NOTHING_TO_QUANTIZE, message(format, args), null);
  }

  /** The model or the data is wrong. */
  public static TareException badInput(String format, Object... args) {
    return new TareException(Kind.BAD_INPUT, message(format, args), null);
  }

  /** What should be read does not exist. */
  public static TareException missing(String format, Object... args) {
    return new TareException(Kind.MISSING_INPUT, message(format, args), null);
  }

  /** The output can't be written. */
  public static TareException cannotWrite(String format, Object... args) {
    return new TareException(Kind.CANNOT_WRITE, message(format, args), null);
  }

  /** The cluster failed; the same command may succeed later. */
  public static TareException tryAgain(String format, Object... args) {
    return new TareException(Kind.TRY_AGAIN, message(format, args), null);
  }

  /** A failure of the given kind, read back from another process. */
  public static TareException of(Kind kind, String message) {
    return new TareException(kind, message, null);
  }

  /** The same failure with the exception that led to it. */
  public TareException causedBy(Throwable cause) {
    return new TareException(kind, getMessage(), cause);
  }

  private static String message(String format, Object... args) {
    return args.length == 0 ? format : String.format(Locale.ROOT, format, args);
  }
}
