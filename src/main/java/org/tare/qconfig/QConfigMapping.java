package org.tare.qconfig;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Which {@link QConfig} applies where: a default, then overrides by operator type or by name; of
 * those that match, the last wins.
 */
public record QConfigMapping(QConfig standard, List<Override> overrides) {
  public QConfigMapping {
    overrides = List.copyOf(overrides);
  }

  /**
   * One override.
   *
   * @param pattern of a node's or tensor's name, or an operator type, as {@code byName} says;
   *     {@code *} stands for any characters, {@code ?} for one
   */
  public record Override(boolean byName, String pattern, QConfig config) {
    boolean matches(String name) {
      StringBuilder regex = new StringBuilder();
      for (char c : pattern.toCharArray()) {
        regex.append(c == '*' ? ".*" : c == '?' ? "." : Pattern.quote(String.valueOf(c)));
      }
      return Pattern.matches(regex.toString(), name);
    }
  }

  /**
   * The configuration of a node, which its operator type, its name and its output's name select.
   */
  public QConfig of(String opType, String nodeName, String outputName) {
    QConfig config = standard;
    for (Override override : overrides) {
      boolean matches =
          override.byName()
              ? override.matches(nodeName) || override.matches(outputName)
              : override.pattern().equals(opType);
      if (matches) {
        config = override.config();
      }
    }
    return config;
  }

  /** The configuration of a model's input, which its name selects. */
  public QConfig ofInput(String name) {
    return of("", name, name);
  }
}
