package org.tare.qconfig;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Which {@link QConfig} applies where: a default, then overrides by operator type or by name; of
 * those that match, the last wins.
 */
public record QConfigMapping(QConfig standard, List<Rule> overrides) {
  public QConfigMapping {
    overrides = List.copyOf(overrides);
  }

  /** What an override selects by. */
  public enum By {
    OPERATOR,
    NAME
  }

  /**
   * One override.
   *
   * @param pattern an operator type, or the name of a node or of the tensor it writes; {@code *}
   *     stands for any characters, {@code ?} for one
   */
  public record Rule(By by, String pattern, QConfig config) {
    boolean matches(String name) {
      String quoted = Pattern.quote(pattern).replace("*", "\\E.*\\Q").replace("?", "\\E.\\Q");
      return Pattern.matches(quoted, name);
    }
  }

  /** The configuration of a node, which its operator type, its name and its output select. */
  public QConfig of(String opType, String nodeName, String outputName) {
    QConfig config = standard;
    for (Rule rule : overrides) {
      boolean matches =
          switch (rule.by()) {
            case OPERATOR -> rule.matches(opType);
            case NAME -> rule.matches(nodeName) || rule.matches(outputName);
          };
      if (matches) {
        config = rule.config();
      }
    }
    return config;
  }

  /** The configuration of a model's input, which its name selects. */
  public QConfig ofInput(String name) {
    return of("", name, name);
  }
}
