package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SliceColumnTest {
  private static String name(String column, Object value) {
    return SliceColumn.sliceOf(List.of(new SliceColumn(column, 0)), RowFactory.create(value));
  }

  @Test
  void plainNamesStayAsTheyAre() {
    assertEquals("country=DE", name("country", "DE"));
    assertEquals(
        "a_b-c.d=-7,e=2.5",
        SliceColumn.sliceOf(
            List.of(new SliceColumn("a_b-c.d", 1), new SliceColumn("e", 0)),
            RowFactory.create(2.5, -7)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../../../esc",
        "/etc/passwd",
        "a\\b",
        "a=b",
        "a,b",
        "a*?[b]{c}",
        "\u0000",
        "Zürich 1",
        "~"
      })
  void neitherColumnsNorValuesLeadOutOfAFolder(String text) {
    for (String name : List.of(name(text, "v"), name("c", text))) {
      assertTrue(name.matches("[A-Za-z0-9._%-]+=[A-Za-z0-9._%-]+"), name);
      assertFalse(name.contains("/"), name);
      int equals = name.indexOf('=');
      String encoded = name.endsWith("=v") ? name.substring(0, equals) : name.substring(equals + 1);
      assertEquals(text, URLDecoder.decode(encoded, StandardCharsets.UTF_8));
    }
    assertEquals("..%2F..%2F..%2Fesc=v", name("../../../esc", "v"));
  }

  @Test
  void nullIsNotTheTextThatStandsForIt() {
    assertEquals("c=__HIVE_DEFAULT_PARTITION__", name("c", null));
    assertEquals("c=%5F_HIVE_DEFAULT_PARTITION__", name("c", "__HIVE_DEFAULT_PARTITION__"));
    assertEquals("c=__HIVE", name("c", "__HIVE"));
    assertEquals("c=", name("c", ""));
  }

  @Test
  void longNamesAreCutAndStayDifferent() {
    String longest = "v".repeat(198);
    assertEquals("c=" + longest, name("c", longest));
    String cut = name("c", longest + "1");
    assertEquals(200, cut.length());
    assertTrue(cut.matches("c=v{165}~[0-9a-f]{32}"), cut);
    assertNotEquals(cut, name("c", longest + "2"));
    assertEquals(cut, name("c", longest + "1"));
    // SHA-256 of the whole name, as any tool computes it.
    assertTrue(name("c", "v".repeat(199)).endsWith(DIGEST_OF_199), name("c", "v".repeat(199)));
  }

  /** printf 'c=%s' $(printf 'v%.0s' $(seq 199)) | sha256sum | cut -c1-32. */
  private static final String DIGEST_OF_199 = "~4fa68bf0e57e9d9c8aa24b96e0ef0995";

  @Test
  void namesAreBoundedInBytesAndEscapesStayWhole() {
    Random random = new Random(9);
    for (int i = 0; i < 300; i++) {
      StringBuilder text = new StringBuilder();
      int length = random.nextInt(120);
      for (int k = 0; k < length; k++) {
        text.appendCodePoint(random.nextBoolean() ? 'a' : 0x4e00 + random.nextInt(1000));
      }
      String name = name("ä", text.toString());
      assertTrue(name.getBytes(StandardCharsets.UTF_8).length <= 200, name);
      String kept = name.contains("~") ? name.substring(0, name.indexOf('~')) : name;
      assertTrue(kept.matches("([^%]|%[0-9A-F]{2})*"), name);
    }
  }
}
