package org.tare.store;

import java.io.FileNotFoundException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.apache.hadoop.fs.UnsupportedFileSystemException;
import org.apache.hadoop.util.VersionInfo;
import org.tare.TareException;

/** What a failure of a file system means for the user. */
final class FileErrors {
  /** The libraries that Hadoop's distribution does not bring to Spark. */
  private static final Map<String, String> LIBRARIES =
      Map.of(
          "s3a", "org.apache.hadoop:hadoop-aws",
          "abfs", "org.apache.hadoop:hadoop-azure",
          "abfss", "org.apache.hadoop:hadoop-azure",
          "wasb", "org.apache.hadoop:hadoop-azure",
          "wasbs", "org.apache.hadoop:hadoop-azure",
          "oss", "org.apache.hadoop:hadoop-aliyun",
          "cosn", "org.apache.hadoop:hadoop-cos",
          "obs", "org.apache.hadoop:hadoop-huaweicloud");

  private FileErrors() {}

  /**
   * The failure to read a file.
   *
   * @param what it is, for messages
   */
  static TareException reading(String what, String name, Throwable failure) {
    String task = "Cannot read " + what + " " + Paths.shown(name) + ": ";
    if (find(failure, FileErrors::isMissing).isPresent()
        && find(failure, AccessDeniedException.class::isInstance).isEmpty()) {
      return TareException.missing("%s", task + "there is no such file").causedBy(failure);
    }
    if (isDenied(failure)) {
      return TareException.missing("%s", task + reason(failure)).causedBy(failure);
    }
    return common(task, name, failure)
        .orElseGet(() -> TareException.badInput("%s", task + reason(failure)))
        .causedBy(failure);
  }

  /** The failure to write a file or folder. */
  static TareException writing(String what, String name, Throwable failure) {
    String task = "Cannot write " + what + " " + Paths.shown(name) + ": ";
    return common(task, name, failure)
        .filter(known -> known.kind() != TareException.Kind.MISSING_INPUT)
        .orElseGet(() -> TareException.cannotWrite("%s", task + reason(failure)))
        .causedBy(failure);
  }

  private static Optional<TareException> common(String task, String name, Throwable failure) {
    Optional<Throwable> own = find(failure, TareException.class::isInstance);
    if (own.isPresent()) {
      return own.map(TareException.class::cast);
    }
    String scheme = name.contains(":") ? name.substring(0, name.indexOf(':')) : "";
    if (find(failure, FileErrors::isMissingClass).isPresent()) {
      String advice =
          Optional.ofNullable(LIBRARIES.get(scheme))
              .map(
                  library ->
                      "; add its library, for instance --packages "
                          + library
                          + ":"
                          + VersionInfo.getVersion())
              .orElse("; add the library of this file system with --packages or --jars");
      return Optional.of(
          TareException.usage(
              "%s", task + "a class of its file system is missing, " + reason(failure) + advice));
    }
    if (find(failure, UnsupportedFileSystemException.class::isInstance).isPresent()) {
      String advice =
          scheme.equals("gs")
              ? "; add the Cloud Storage connector with --jars"
              : scheme.equals("s3") || scheme.equals("s3n")
                  ? "; write s3a:// instead"
                  : "; if it is the name of a file, write ./ before it; if it is a file system, add"
                      + " its library with --packages or --jars";
      return Optional.of(
          TareException.usage("%s", task + "no file system has the scheme " + scheme + advice));
    }
    Optional<Throwable> host = find(failure, UnknownHostException.class::isInstance);
    if (host.isPresent()) {
      return Optional.of(TareException.missing("%s", task + reason(failure)));
    }
    Optional<Throwable> passing = find(failure, FileErrors::mayPass);
    if (passing.isPresent()) {
      return Optional.of(
          TareException.tryAgain(
              "%s", task + "its file system does not answer (" + reason(passing.get()) + ")"));
    }
    return Optional.empty();
  }

  private static boolean isMissing(Throwable one) {
    return one instanceof NoSuchFileException
        || (one instanceof FileNotFoundException && !hasText(one, "Permission denied"));
  }

  private static boolean isDenied(Throwable failure) {
    return find(
            failure,
            one ->
                one instanceof AccessDeniedException
                    || one instanceof org.apache.hadoop.security.AccessControlException
                    || hasText(one, "Permission denied"))
        .isPresent();
  }

  private static boolean isMissingClass(Throwable one) {
    return one instanceof ClassNotFoundException || one instanceof LinkageError;
  }

  private static boolean mayPass(Throwable one) {
    return one instanceof ConnectException
        || one instanceof NoRouteToHostException
        || one instanceof SocketTimeoutException;
  }

  private static boolean hasText(Throwable one, String text) {
    return one.getMessage() != null && one.getMessage().contains(text);
  }

  private static Optional<Throwable> find(Throwable failure, Predicate<Throwable> is) {
    for (Throwable one = failure; one != null; one = one.getCause()) {
      if (is.test(one)) {
        return Optional.of(one);
      }
    }
    return Optional.empty();
  }

  /** Why, in one line. */
  static String reason(Throwable failure) {
    Optional<Throwable> host = find(failure, UnknownHostException.class::isInstance);
    if (host.isPresent()) {
      return "the host " + firstLine(host.get()).replaceFirst(":.*", "") + " is not known";
    }
    if (failure instanceof FileSystemException file) {
      String path = file.getFile() == null ? "" : file.getFile();
      Optional<String> above = WorkFolder.above(path);
      if (failure instanceof NoSuchFileException && above.isPresent()) {
        String what = WorkFolder.isFile(path) ? "file" : "folder";
        return "no " + what + " can be made in " + Paths.shown(above.get());
      }
      String known = above.orElse(WorkFolder.withoutWorkFolders(path));
      String of = known.isEmpty() ? "" : " (" + Paths.shown(known) + ")";
      if (failure instanceof AccessDeniedException) {
        return "permission denied" + of;
      } else if (failure instanceof NoSuchFileException) {
        return "no such file or folder" + of;
      } else if (failure instanceof FileAlreadyExistsException) {
        return "something is already there" + of;
      }
      return (file.getReason() == null ? failure.toString() : file.getReason()) + of;
    }
    // FSError and others only wrap what happened.
    Throwable cause = failure.getCause();
    if (cause != null
        && failure.getMessage() != null
        && failure.getMessage().equals(cause.toString())) {
      return reason(cause);
    }
    return failure.getMessage() == null ? failure.toString() : firstLine(failure);
  }

  private static String firstLine(Throwable failure) {
    String line = failure.getMessage().lines().findFirst().orElse(failure.toString());
    return Paths.shown(WorkFolder.withoutWorkFolders(line));
  }
}
