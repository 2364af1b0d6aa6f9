package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.function.Executable;

/** Counts the cases of a file: held, or skipped for a reason. */
final class Tally {
  private static final int SHOWN_FAILURES = 12;

  private final String file;
  private int held;
  private final Map<String, Integer> skipped = new TreeMap<>();
  private final List<String> failures = new ArrayList<>();

  Tally(String file) {
    this.file = file;
  }

  /** Runs a case; its failure is shown with those of others at the end. */
  void hold(String name, Executable check) {
    held++;
    try {
      check.execute();
    } catch (Throwable e) {
      failures.add(name + ": " + e);
    }
  }

  void skip(String reason) {
    skipped.merge(reason, 1, Integer::sum);
  }

  int held() {
    return held;
  }

  int all() {
    return held + skipped.values().stream().mapToInt(Integer::intValue).sum();
  }

  /** Prints the counts and fails if a case did. */
  void finish() {
    System.out.println("oracle " + file + ": " + held + " cases held, skipped " + skipped);
    assertEquals(
        "",
        String.join("\n", failures.subList(0, Math.min(SHOWN_FAILURES, failures.size()))),
        failures.size() + " of " + held + " cases failed");
  }
}
