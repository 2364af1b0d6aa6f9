package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PrintableTextTest {
  @Test
  void whatPrintsStaysAsItIs() {
    for (String text : new String[] {"", "/layer.0/conv:0", "größe", "特徴", "🙂", "a\\u001b"}) {
      assertSame(text, PrintableText.of(text));
    }
  }

  @Test
  void whatMovesTheTerminalIsSpelledOut() {
    assertEquals("x\\u001b[2Jy", PrintableText.of("x\u001b[2Jy"));
    assertEquals("x\\u009b2J", PrintableText.of("x\u009b2J"));
    assertEquals("nul\\u0000tab\\u0009del\\u007f", PrintableText.of("nul\0tab\tdel\u007f"));
  }

  @Test
  void linesAreNotForged() {
    String name = "x\nOutput  /elsewhere\r\u2028\u2029\u0085";
    assertEquals("x\\u000aOutput  /elsewhere\\u000d\\u2028\\u2029\\u0085", PrintableText.of(name));
  }

  @Test
  void directionsAreNotTurned() {
    assertEquals(
        "a\\u202egpj\\u2066\\u200f\\ufeff", PrintableText.of("a\u202egpj\u2066\u200f\ufeff"));
  }

  @Test
  void halvesOfPairsAndTagsAreSpelledOut() {
    assertEquals("\\ud83d", PrintableText.of("\ud83d"));
    assertEquals("\\udb40\\udc41", PrintableText.of("\udb40\udc41"));
  }

  /** The breaks of the text itself stay, and JSON means the same after as before. */
  @Test
  void jsonStaysTheSame() throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    Random random = new Random(7);
    for (int i = 0; i < 200; i++) {
      StringBuilder name = new StringBuilder();
      for (int j = 0; j < 12; j++) {
        name.appendCodePoint(
            random.nextBoolean() ? random.nextInt(0xa0) : 0x2000 + random.nextInt(0x70));
      }
      ObjectNode node = mapper.createObjectNode().put(name.toString(), name.toString());
      String printable = PrintableText.ofLines(node.toPrettyString());
      assertEquals(node, mapper.readTree(printable));
      assertEquals(3, printable.lines().count());
    }
  }
}
