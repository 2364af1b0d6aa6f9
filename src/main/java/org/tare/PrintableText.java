package org.tare;

import java.util.Locale;

/**
 * Makes names that come from models and tables fit for a terminal or a page: they may hold escape
 * sequences, line breaks that forge lines, NUL, or marks that turn the direction of writing. Each
 * such character becomes {@code \}{@code uXXXX}, as in JSON and Java.
 */
public final class PrintableText {
  private PrintableText() {}

  /** Text that stays on its line. */
  public static String of(String text) {
    return escape(text, "");
  }

  /** Text of several lines whose breaks are meant, JSON say, which stays valid. */
  public static String ofLines(String text) {
    return escape(text, "\r\n");
  }

  private static String escape(String text, String kept) {
    StringBuilder printable = null;
    int at = 0;
    while (at < text.length()) {
      int symbol = text.codePointAt(at);
      int next = at + Character.charCount(symbol);
      boolean isEscaped = !isPrintable(symbol) && kept.indexOf(symbol) < 0;
      if (isEscaped && printable == null) {
        printable = new StringBuilder(text.length() + 16).append(text, 0, at);
      }
      if (isEscaped) {
        for (int i = at; i < next; i++) {
          printable.append(String.format(Locale.ROOT, "\\u%04x", (int) text.charAt(i)));
        }
      } else if (printable != null) {
        printable.appendCodePoint(symbol);
      }
      at = next;
    }
    return printable == null ? text : printable.toString();
  }

  private static boolean isPrintable(int symbol) {
    return switch (Character.getType(symbol)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          false;
      default -> true;
    };
  }
}
