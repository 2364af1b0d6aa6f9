package org.tare.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.TextNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.TareException;

/** Where settings come from, and what they refuse. */
class SettingsTest {
  @TempDir Path folder;

  private static String refusal(Runnable call) {
    TareException e = assertThrows(TareException.class, call::run);
    assertEquals(TareException.Kind.USAGE, e.kind(), e.getMessage());
    return e.getMessage();
  }

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("job.yaml"), text);
  }

  /** A value that the key takes and that is not its default. */
  private static Object another(Key key) {
    return switch (key.kind()) {
      case TEXT -> "another";
      case TEXTS -> List.of("a", "b");
      case FLAG -> !Boolean.parseBoolean(key.standard());
      case WHOLE -> (long) key.least() + 1;
      case NUMBER -> key.greatest() == Double.POSITIVE_INFINITY ? 7.5 : key.greatest();
      case NUMBERS -> List.of(1.5, 2.5);
      case CHOICE ->
          key.choices().stream()
              .filter(choice -> !choice.equals(key.standard()))
              .findFirst()
              .orElseThrow();
      case SAMPLE -> 17;
      case OVERRIDES -> List.of(Map.of("op", "Conv", "float", true));
    };
  }

  private static Stream<Key> keys() {
    return Keys.list().stream();
  }

  @ParameterizedTest
  @MethodSource("keys")
  void everyKeyTakesAValueThatIsNotItsDefault(Key key) {
    String name = key.name().replace("NAME", "image");
    Settings settings = new Settings();
    assertEquals(key.name().contains("NAME") ? "" : key.standard(), settings.find(name).orElse(""));
    settings.set(name, another(key), "here");
    Settings.Effective set =
        settings.effective().stream().filter(e -> e.key().equals(name)).findFirst().orElseThrow();
    assertEquals("here", set.origin());
    assertTrue(!set.value().equals(key.standard()), set::toString);
  }

  @ParameterizedTest
  @MethodSource("keys")
  void everyKeyRefusesWhatIsOfAnotherType(Key key) {
    Object wrong =
        switch (key.kind()) {
          case TEXT, SAMPLE, FLAG, WHOLE, NUMBER, CHOICE -> List.of("a", "list");
          case TEXTS, NUMBERS -> Map.of("a", "map");
          case OVERRIDES -> "text";
        };
    String name = key.name().replace("NAME", "image");
    String message = refusal(() -> new Settings().set(name, wrong, "here"));
    assertTrue(message.startsWith(name + " (here) cannot be "), message);
    assertTrue(message.endsWith("it is " + key.expected()), message);
  }

  @Test
  void theStrongerSourceWins() throws IOException {
    Map<String, String> spark = Map.of("spark.tare.batch", "5", "spark.other", "x");
    Path job = file("batch: 6\nmask: other\n");
    Settings settings = new Settings().sparkConf(spark);
    assertEquals("5", settings.find("batch").orElseThrow());
    assertEquals("spark.tare.batch", settings.origin("batch"));
    settings.jobFile(job);
    assertEquals("6", settings.find("batch").orElseThrow());
    settings.assignment("batch=7");
    assertEquals("--set batch=7", settings.origin("batch"));
    settings.set("batch", 8, "--batch");
    assertEquals(8, settings.whole("batch"));
    assertEquals("other", settings.find("mask").orElseThrow());
    assertTrue(!settings.isDefault("mask"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "batsh: 3 | Unknown key \"batsh\" | batch",
        "data: {pfad: x} | Unknown key \"data.pfad\" | data.path",
        "inputs: {image: {colunm: x}} | Unknown key \"inputs.image.colunm\" | inputs.image.column",
        "quantize: {weight: {dtypes: int8}} | Unknown key \"quantize.weight.dtypes\" | quantize.weight.dtype"
      })
  void unknownKeysNameTheNearest(String yaml, String what, String nearest) throws IOException {
    Path job = file(yaml);
    String message = refusal(() -> new Settings().jobFile(job));
    assertTrue(message.startsWith(what), message);
    assertTrue(message.endsWith("did you mean \"" + nearest + "\"?"), message);
  }

  @Test
  void aKeyWithoutAValueIsAnError() throws IOException {
    Path job = file("model:\n");
    String message = refusal(() -> new Settings().jobFile(job));
    assertTrue(message.startsWith("model (" + job + ") has no value"), message);
  }

  @Test
  void emptyTextsUnset() {
    assertEquals(true, new Settings().assignment("mask=").find("mask").isEmpty());
  }

  @Test
  void numbersKeepTheirBounds() {
    assertTrue(refusal(() -> new Settings().set("batch", 0, "x")).contains("from 1 to 65536"));
    assertTrue(refusal(() -> new Settings().set("batch", 2.5, "x")).contains("a whole number"));
    assertTrue(refusal(() -> new Settings().set("bad-rows-limit", 1.5, "x")).contains("0 to 1"));
    assertTrue(refusal(() -> new Settings().set("bad-rows-limit", "nan", "x")).contains("number"));
  }

  @Test
  void variablesAndTheDateAreReplaced() {
    Map<String, String> environment = Map.of("BUCKET", "s3a://b");
    Clock clock = Clock.fixed(Instant.parse("2026-01-31T23:59:59Z"), ZoneOffset.UTC);
    String text = "${BUCKET}/{date}/$${BUCKET}";
    assertEquals(
        "s3a://b/2026-01-31/${BUCKET}",
        JobFile.expanded("output", TextNode.valueOf(text), "job", environment, clock).asText());
    String message =
        refusal(
            () ->
                JobFile.expanded(
                    "output", TextNode.valueOf("${NO_SUCH}"), "job", environment, clock));
    assertEquals(
        "output (job) names the environment variable \"NO_SUCH\", which is not set", message);
  }

  @Test
  void jobFilesAreSmallAndInUtf8() throws IOException {
    Path large = Files.write(folder.resolve("large.yaml"), new byte[(1 << 20) + 1]);
    assertTrue(refusal(() -> new Settings().jobFile(large)).contains("1048577 bytes"));
    Path wide = folder.resolve("wide.yaml");
    Files.write(wide, "batch: 3\n".getBytes(StandardCharsets.UTF_16));
    assertTrue(refusal(() -> new Settings().jobFile(wide)).contains("UTF-8"));
    Path twice = file("batch: 3\nbatch: 4\n");
    assertTrue(refusal(() -> new Settings().jobFile(twice)).contains("not valid YAML"));
    TareException missing =
        assertThrows(
            TareException.class, () -> new Settings().jobFile(folder.resolve("none.yaml")));
    assertEquals(TareException.Kind.MISSING_INPUT, missing.kind());
  }

  @Test
  void nulCharactersAreRefused() {
    String message = refusal(() -> new Settings().set("model", "a\0b", "job.yaml"));
    assertEquals("model (job.yaml) holds a NUL character", message);
  }

  @Test
  void freeKeysAreKeptBelowTheirPrefix() {
    Settings settings =
        new Settings()
            .assignment("data.options.header=true")
            .assignment("spark.hadoop.fs.s3a.endpoint=http://localhost:1");
    assertEquals(Map.of("header", "true"), settings.below("data.options."));
    assertEquals(Map.of("hadoop.fs.s3a.endpoint", "http://localhost:1"), settings.below("spark."));
    assertTrue(
        refusal(() -> settings.set("data.options.x", List.of(1), "here")).contains("a text"));
  }
}
