package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The page of promises names tests that are there. */
class HoldsPageTest {
  private static final Pattern NAME = Pattern.compile("`(\\w+Test)\\.(\\w+)`");

  @Test
  void eachNameOnThePageIsATest() throws IOException {
    String page = Files.readString(Path.of("src", "site", "markdown", "holds.md"));
    Map<String, String> sources = sources();
    List<String> missing = new ArrayList<>();
    int named = 0;
    for (Matcher name = NAME.matcher(page); name.find(); named++) {
      if (!isTest(sources.getOrDefault(name.group(1), ""), name.group(2))) {
        missing.add(name.group());
      }
    }
    assertEquals(List.of(), missing);
    assertTrue(named > 100, named + " tests");
    for (String line : page.lines().filter(one -> one.startsWith("| ")).toList()) {
      assertTrue(
          line.startsWith("| What holds") || NAME.matcher(line).find(), "no test in: " + line);
    }
  }

  /** Whether one of the methods of this name is a test: others may have its name too. */
  private static boolean isTest(String source, String method) {
    String head = " void " + method + "(";
    for (int at = source.indexOf(head); at >= 0; at = source.indexOf(head, at + 1)) {
      String before = source.substring(source.lastIndexOf("\n\n", at), at);
      if (before.contains("@Test") || before.contains("@ParameterizedTest")) {
        return true;
      }
    }
    return false;
  }

  private static Map<String, String> sources() throws IOException {
    Map<String, String> sources = new HashMap<>();
    try (Stream<Path> files = Files.walk(Path.of("src", "test", "java"))) {
      for (Path file : files.filter(one -> one.toString().endsWith("Test.java")).toList()) {
        String name = file.getFileName().toString();
        sources.put(name.substring(0, name.length() - 5), Files.readString(file));
      }
    }
    return sources;
  }
}
