package org.tare.examples;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Distinct lines of 8 to 24 characters: neighbouring words of the corpus, and numbers among them.
 */
final class TextLines {
  private static final int SHORTEST = 8;
  private static final int LONGEST = 24;

  private final List<String> sentences;
  private final CtcAlphabet alphabet;
  private final Random random;
  private final Set<String> given = new HashSet<>();

  /** Lines that an alphabet can spell. */
  TextLines(CtcAlphabet alphabet, Random random) throws IOException {
    this.sentences = Corpus.sentences();
    this.alphabet = alphabet;
    this.random = random;
  }

  /** Lines that were not given before. */
  List<String> next(int count) {
    List<String> lines = new ArrayList<>();
    while (lines.size() < count) {
      String line = line();
      if (line.length() >= SHORTEST && alphabet.spells(line) && given.add(line)) {
        lines.add(line);
      }
    }
    return lines;
  }

  private String line() {
    String[] words = sentences.get(random.nextInt(sentences.size())).split("\\s+");
    int length = SHORTEST + random.nextInt(LONGEST - SHORTEST + 1);
    StringBuilder line = new StringBuilder();
    for (int i = random.nextInt(words.length); i < words.length; i++) {
      String word = random.nextInt(5) == 0 ? number() : words[i];
      if (line.length() + 1 + word.length() > length) {
        break;
      }
      line.append(line.isEmpty() ? "" : " ").append(word);
    }
    return line.toString();
  }

  private String number() {
    int digits = 1 + random.nextInt(5);
    StringBuilder number = new StringBuilder();
    for (int i = 0; i < digits; i++) {
      number.append((char) ('0' + random.nextInt(10)));
    }
    return number.toString();
  }
}
