package org.tare.store;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.GlobExpander;
import org.apache.hadoop.fs.GlobPattern;
import org.apache.hadoop.fs.Path;
import org.tare.TareException;

/**
 * Where a path leads: the file system, and the names from its root on, links resolved.
 *
 * @param system the same for two paths exactly if they are of one file system
 */
record Location(String system, List<String> names) {
  Location {
    names = List.copyOf(names);
  }

  /** Where a file system's path leads; what is not there yet counts as no link. */
  static Location of(FileSystem fileSystem, Path path) {
    return new Location(system(fileSystem, path), split(Links.resolve(fileSystem, path)));
  }

  private static String system(FileSystem fileSystem, Path path) {
    String scheme = fileSystem.getUri().getScheme().toLowerCase(Locale.ROOT);
    if (scheme.equals("file")) {
      return scheme;
    }
    String family = scheme.matches("s3[an]?") ? "s3" : scheme.matches("abfss?") ? "abfs" : scheme;
    String service = service(fileSystem);
    String authority = String.valueOf(path.toUri().getAuthority()).toLowerCase(Locale.ROOT);
    // HDFS has a service name, which is the same with and without the default port.
    return family + "://" + (service == null ? authority : service);
  }

  private static String service(FileSystem fileSystem) {
    try {
      return fileSystem.getCanonicalServiceName();
    } catch (IllegalArgumentException e) {
      // It takes a bucket's name for a host's.
      return null;
    }
  }

  private static List<String> split(Path path) {
    List<String> names = new ArrayList<>(Arrays.asList(path.toUri().getPath().split("/")));
    names.removeIf(String::isEmpty);
    return names;
  }

  /** Whether the other is this place or lies in it. */
  boolean holds(Location other) {
    return system.equals(other.system)
        && other.names.size() >= names.size()
        && other.names.subList(0, names.size()).equals(names);
  }

  /**
   * Refuses an output that is an input, holds one, or lies in one.
   *
   * @param output to be checked, and what to call it
   * @param input a path or a pattern
   */
  static void checkApart(HadoopFiles files, String output, Location place, String input) {
    FileSystem fileSystem;
    Path path;
    try {
      path = files.qualifiedPath(input);
      fileSystem = files.fileSystem(path);
    } catch (IOException | TareException e) {
      // Whoever reads the input reports that.
      return;
    }
    Location literal = of(fileSystem, path);
    refuse(output, place, literal, input);
    if (!Paths.isPattern(input)) {
      return;
    }
    try {
      for (Path found :
          Optional.ofNullable(fileSystem.globStatus(path)).stream()
              .flatMap(Arrays::stream)
              .map(status -> status.getPath())
              .toList()) {
        refuse(output, place, of(fileSystem, found), input);
      }
      for (String one : GlobExpander.expand(path.toUri().getPath())) {
        if (literal.system().equals(place.system()) && matches(place.names(), one)) {
          throw refusal("lies in", output, input);
        }
      }
    } catch (IOException | IllegalArgumentException e) {
      // Not a pattern after all.
    }
  }

  /** Whether the pattern would match the place, or a folder above it, once it is there. */
  private static boolean matches(List<String> names, String pattern) {
    List<String> parts = new ArrayList<>(Arrays.asList(pattern.split("/")));
    parts.removeIf(String::isEmpty);
    if (parts.isEmpty() || parts.size() > names.size()) {
      return false;
    }
    for (int i = 0; i < parts.size(); i++) {
      if (!new GlobPattern(parts.get(i)).matches(names.get(i))) {
        return false;
      }
    }
    return true;
  }

  private static void refuse(String output, Location place, Location input, String name) {
    if (place.equals(input)) {
      throw refusal("is", output, name);
    } else if (place.holds(input)) {
      throw refusal("holds", output, name);
    } else if (input.holds(place)) {
      throw refusal("lies in", output, name);
    }
  }

  private static TareException refusal(String relation, String output, String input) {
    return TareException.cannotWrite(
        "Cannot write output %s: it %s the input %s; give another folder",
        Paths.shown(output), relation, Paths.shown(input));
  }
}
