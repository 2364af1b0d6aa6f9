package org.tare.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Python's docstrings say what the registry says. */
class PythonSettingsTest {
  private static final Path FILE = Path.of("src", "main", "resources", "tare", "_settings.py");

  @Test
  void fileIsWhatTheRegistrySays() throws IOException {
    String rendered = PythonSettings.render(Keys.list());
    if (Boolean.getBoolean("tare.write")) {
      Files.writeString(FILE, rendered);
    }
    assertEquals(
        rendered,
        Files.readString(FILE),
        "out of date: mvn test -Dtest=PythonSettingsTest -Dtare.write=true writes it");
  }

  @Test
  void holdsDefaultsNotesAndMeaningsOfAllButTheCommandsOwn() {
    String rendered = PythonSettings.render(Keys.list());
    assertTrue(
        rendered.contains(
            "    \"batch\": (\n        \"32\",\n"
                + "        \"rows per run of the model, unless the model fixes it; a calibration or"
                + " comparison takes fewer where the tensors that it looks at hold over 128 MB\","
                + "\n    ),\n"));
    assertTrue(rendered.contains("\"qdq; qoperator for 4-bit weights\""));
    assertFalse(rendered.contains("\"dry-run\""));
  }

  @Test
  void quotesWhatPythonWouldRead() {
    Key key = Key.text(Key.Group.FILES, "a", "\\", "says \"so\"\nand `more`");
    assertTrue(
        PythonSettings.render(List.of(key))
            .endsWith(
                "    \"a\": (\n        \"\\\\\",\n        \"says \\\"so\\\"\\nand more\",\n    ),\n}\n"));
  }
}
