package org.tare.settings;

import java.util.List;

/** The settings as a Python module, for the docstrings of the package {@code tare}. */
final class PythonSettings {
  private static final String HEAD =
      """
      \"""The settings of Tare, made from its registry of settings: do not edit.

      ``mvn test -Dtest=PythonSettingsTest -Dtare.write=true`` writes this file.
      \"""

      from typing import Dict, Tuple

      # The default and the meaning of each setting, by its name.
      SETTINGS: Dict[str, Tuple[str, str]] = {
      """;

  private PythonSettings() {}

  /** The file's text; the keys that only the command reads are left out. */
  static String render(List<Key> keys) {
    StringBuilder text = new StringBuilder(HEAD);
    for (Key key : keys) {
      if (key.group() != Key.Group.RUN) {
        String standard = key.standard().isEmpty() ? key.defaultNote() : key.standard();
        text.append("    ").append(quoted(key.name())).append(": (\n");
        text.append("        ").append(quoted(plain(standard))).append(",\n");
        text.append("        ").append(quoted(plain(key.help()))).append(",\n    ),\n");
      }
    }
    return text.append("}\n").toString();
  }

  /** The settings' page is Markdown, a docstring is not. */
  private static String plain(String markdown) {
    return markdown.replace("`", "");
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
  }
}
