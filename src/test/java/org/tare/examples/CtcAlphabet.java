package org.tare.examples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The classes of PP-OCR's recognition model: 0 is the blank of CTC, then come the lines of its file
 * of characters, and last the space.
 */
final class CtcAlphabet {
  private final List<String> characters = new ArrayList<>();
  private final Set<String> spelled;

  private CtcAlphabet(List<String> keys) {
    characters.add("");
    characters.addAll(keys);
    characters.add(" ");
    spelled = new HashSet<>(characters);
  }

  /** Reads the file of characters. */
  static CtcAlphabet read(Path keys) throws IOException {
    return new CtcAlphabet(Files.readAllLines(keys));
  }

  /** How many classes a model of this alphabet has. */
  int classes() {
    return characters.size();
  }

  /** Whether there is a class for every character of a text. */
  boolean spells(String text) {
    return text.codePoints().allMatch(c -> spelled.contains(Character.toString(c)));
  }

  /**
   * Reads greedily: the greatest class of every step, a class that repeats once, no blanks.
   *
   * @param scores of every class in every step, from an index on
   */
  String decode(float[] scores, int from, int steps) {
    StringBuilder text = new StringBuilder();
    int former = 0;
    for (int step = 0; step < steps; step++) {
      int first = from + step * classes();
      int best = 0;
      for (int c = 1; c < classes(); c++) {
        if (scores[first + c] > scores[first + best]) {
          best = c;
        }
      }
      if (best != former) {
        text.append(characters.get(best));
      }
      former = best;
    }
    return text.toString();
  }
}
