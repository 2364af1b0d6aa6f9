package org.tare.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class SettingsPageTest {
  private static final Path PAGE = Path.of("src", "site", "markdown", "settings.md");

  /** {@code -Dtare.write=true} writes the page anew. */
  @Test
  void thePageIsWhatTheKeysSay() throws IOException {
    String page = SettingsPage.render();
    if (Boolean.getBoolean("tare.write")) {
      Files.writeString(PAGE, page);
    }
    assertEquals(
        page,
        Files.readString(PAGE),
        "The settings have changed: write their page anew with -Dtest=SettingsPageTest -Dtare.write=true");
  }

  @Test
  void everyKeyHasARowWithItsDefault() {
    List<String> lines = SettingsPage.render().lines().toList();
    for (Key key : Keys.list()) {
      List<String> rows =
          lines.stream().filter(line -> line.startsWith("| `" + key.name() + "` |")).toList();
      assertEquals(1, rows.size(), key.name());
      String[] cells = rows.get(0).split("(?<!\\\\)\\|", -1);
      assertEquals(6, cells.length, "cells of " + rows.get(0));
      assertTrue(
          cells[3].contains(key.defaultNote().isEmpty() ? key.standard() : key.defaultNote()),
          rows.get(0));
    }
  }

  @Test
  void aChoiceListsWhatItTakesAndANumberItsLimits() {
    String page = SettingsPage.render();
    assertTrue(page.contains("| `bad-rows` | `fail`, `skip` | `fail` |"), page);
    assertTrue(page.contains("| `batch` | a whole number from 1 to 65536 | `32` |"), page);
    assertTrue(
        page.contains("| `calibrate.channels` | `none`, `summary`, `histogram` | `none` |"), page);
  }
}
