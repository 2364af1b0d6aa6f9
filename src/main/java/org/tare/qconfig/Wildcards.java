package org.tare.qconfig;

/**
 * Patterns of names: {@code *} stands for any characters or none, {@code ?} for one. A match takes
 * at most as many steps as the product of both lengths, whatever the pattern.
 */
final class Wildcards {
  private Wildcards() {}

  static boolean match(String pattern, String name) {
    int p = 0;
    int n = 0;
    // The last star, and where what comes after it was tried last.
    int star = -1;
    int tried = 0;
    while (n < name.length()) {
      char next = p < pattern.length() ? pattern.charAt(p) : 0;
      if (p < pattern.length() && next == '*') {
        star = p++;
        tried = n;
      } else if (p < pattern.length() && next == '?') {
        p++;
        n += Character.charCount(name.codePointAt(n));
      } else if (p < pattern.length() && next == name.charAt(n)) {
        p++;
        n++;
      } else if (star >= 0) {
        p = star + 1;
        n = ++tried;
      } else {
        return false;
      }
    }
    while (p < pattern.length() && pattern.charAt(p) == '*') {
      p++;
    }
    return p == pattern.length();
  }
}
