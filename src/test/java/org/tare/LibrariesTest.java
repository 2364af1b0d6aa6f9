package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * The jar holds libraries of others, and tells which ({@code tare/libraries.txt}). Another release
 * of one, also one that Maven chose by itself, is seen here.
 */
class LibrariesTest {
  /** Group, artifact and version, as Maven's list has them. */
  private static final Pattern LISTED = Pattern.compile("(?m)^ +([^: ]+:[^:]+):jar:([^: ]+):");

  @Test
  void theJarHoldsTheLibrariesThatItTells() throws IOException {
    Path listed = Path.of(System.getProperty("basedir", ""), "target/libraries.txt");
    // Maven makes the list and names the base folder; others may run tests without it.
    assumeTrue(Files.exists(listed) || System.getProperty("basedir") != null);
    List<String> shaded =
        LISTED.matcher(Files.readString(listed)).results().map(LibrariesTest::named).toList();
    assertEquals(recorded(), shaded);
  }

  private static String named(MatchResult library) {
    return library.group(1) + ":" + library.group(2);
  }

  private static List<String> recorded() throws IOException {
    try (InputStream in = LibrariesTest.class.getResourceAsStream("/tare/libraries.txt")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
  }
}
