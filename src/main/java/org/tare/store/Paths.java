package org.tare.store;

import java.net.URI;
import java.nio.charset.Charset;
import java.nio.file.InvalidPathException;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;

/** From what a user writes to a path, and back. */
final class Paths {
  /** A colon without a slash after it belongs to a name: {@code run:7/model.onnx}. */
  private static final Pattern WITH_SCHEME = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]*:/.*");

  private static final Pattern GLOB = Pattern.compile("[*?{}\\[\\]\\\\]");

  private Paths() {}

  /**
   * The path of a name: with its scheme, or absolute or relative on the default file system. A
   * local one is absolute; one of another file system may still be relative to the folder that this
   * file system starts in.
   *
   * @throws TareException of kind USAGE if the name cannot be a path
   */
  static Path parse(String name, Configuration configuration) {
    if (name.isBlank()) {
      throw TareException.usage("The name of a file is empty; give a path");
    }
    if (name.indexOf('\0') >= 0) {
      throw TareException.usage(
          "No file can be called %s: it holds the character NUL", shown(name));
    }
    try {
      if (WITH_SCHEME.matcher(name).matches()) {
        return withScheme(name);
      }
      String plain = name.replaceFirst("^/+", "/");
      if ("file".equals(FileSystem.getDefaultUri(configuration).getScheme())) {
        return new Path("file", "", localPath(plain).toString());
      }
      return new Path(plain.startsWith("/") ? plain : "./" + plain);
    } catch (IllegalArgumentException e) {
      throw TareException.usage("No file can be called %s: %s", shown(name), e.getMessage())
          .causedBy(e);
    }
  }

  private static Path withScheme(String name) {
    Path path = new Path(name);
    URI uri = path.toUri();
    if (!"file".equals(uri.getScheme())) {
      return path;
    }
    if (uri.getAuthority() != null) {
      throw TareException.usage(
          "Cannot use %s: after file:// a host is expected, here %s; a local path is written"
              + " file:///PATH",
          shown(name), shown(uri.getAuthority()));
    }
    localPath(uri.getPath());
    return path;
  }

  private static java.nio.file.Path localPath(String name) {
    try {
      java.nio.file.Path path = java.nio.file.Path.of(name).toAbsolutePath();
      if (name.indexOf('\uFFFD') < 0 || isUnicode()) {
        return path;
      }
    } catch (InvalidPathException e) {
      if (isUnicode()) {
        throw e;
      }
    }
    throw TareException.usage(
        "Cannot use the path %s: the locale's encoding, %s, does not have all of its characters;"
            + " start with a locale of UTF-8, for instance LC_ALL=C.UTF-8",
        shown(name), encoding());
  }

  private static boolean isUnicode() {
    return encoding().equalsIgnoreCase("UTF-8");
  }

  private static String encoding() {
    return System.getProperty("sun.jnu.encoding", Charset.defaultCharset().name());
  }

  /** Something in a folder, whatever characters are in its name, also with slashes. */
  static Path child(Path folder, String name) {
    URI uri = folder.toUri();
    String parent = uri.getPath();
    return new Path(
        uri.getScheme(),
        uri.getAuthority(),
        parent.endsWith("/") ? parent + name : parent + "/" + name);
  }

  /** Whether Hadoop and Spark take the name for a pattern. */
  static boolean isPattern(String name) {
    return GLOB.matcher(name).find();
  }

  /** A pattern that only the name itself matches. */
  static String quoted(String name) {
    return GLOB.matcher(name).replaceAll("\\\\$0");
  }

  /** A path for people: a local one without its scheme. */
  static String shown(Path path) {
    return shown(
        "file".equals(path.toUri().getScheme()) ? path.toUri().getPath() : path.toString());
  }

  /** A name for people: characters that a terminal would obey are written as their codes. */
  static String shown(String name) {
    StringBuilder shown = new StringBuilder();
    name.codePoints()
        .forEach(
            c -> {
              if (Character.isISOControl(c)
                  || Character.getType(c) == Character.FORMAT
                  || Character.getType(c) == Character.LINE_SEPARATOR
                  || Character.getType(c) == Character.PARAGRAPH_SEPARATOR) {
                shown.append(String.format("\\u%04x", c));
              } else {
                shown.appendCodePoint(c);
              }
            });
    return shown.toString();
  }
}
