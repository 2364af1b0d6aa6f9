package org.tare.settings;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDate;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tare.TareException;

/**
 * Reads job files: YAML in UTF-8 of at most 1 MB. In its texts, <code>${NAME}</code> stands for a
 * variable of the environment and {@code {date}} for today's date in UTC, as in 2026-01-31; a
 * second dollar sign, <code>$${NAME}</code>, leaves the text as it is.
 */
final class JobFile {
  private static final long LARGEST = 1 << 20; // 1 MB

  private static final Pattern VARIABLE = Pattern.compile("\\$?\\$\\{([^}]*)\\}|\\{date\\}");

  private static final YAMLMapper YAML =
      YAMLMapper.builder().enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION).build();

  private JobFile() {}

  static JsonNode read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw TareException.missing("Cannot read job file %s: there is no such file", file);
    }
    try {
      if (Files.size(file) > LARGEST) {
        throw TareException.usage(
            "Cannot read job file %s: it has %d bytes, a job file at most %d",
            file, Files.size(file), LARGEST);
      }
      JsonNode root = YAML.readTree(text(file));
      if (root == null || !root.isObject()) {
        throw TareException.usage("Cannot read job file %s: it holds no keys", file);
      }
      return root;
    } catch (JsonProcessingException e) {
      String where = e.getLocation() == null ? "" : " in line " + e.getLocation().getLineNr();
      throw TareException.usage(
              "Cannot read job file %s: not valid YAML%s: %s",
              file, where, e.getOriginalMessage().lines().findFirst().orElse(""))
          .causedBy(e);
    } catch (IOException e) {
      throw TareException.missing("Cannot read job file %s: %s", file, e).causedBy(e);
    }
  }

  private static String text(Path file) throws IOException {
    try {
      String text = Files.readString(file, StandardCharsets.UTF_8);
      if (text.indexOf('\0') >= 0) {
        throw TareException.usage(
            "Cannot read job file %s: it holds NUL characters; it has to be in UTF-8", file);
      }
      return text;
    } catch (CharacterCodingException e) {
      throw TareException.usage("Cannot read job file %s: it is not in UTF-8", file).causedBy(e);
    }
  }

  /** A value as YAML reads it, or the text itself where it is no YAML. */
  static JsonNode parse(String value) {
    try {
      JsonNode node = YAML.readTree(value);
      boolean isEmpty = node == null || node.isMissingNode() || node.isNull();
      return isEmpty ? TextNode.valueOf(value) : node;
    } catch (JsonProcessingException e) {
      return TextNode.valueOf(value);
    }
  }

  /**
   * The value with variables replaced.
   *
   * @throws TareException if the environment has no such variable
   */
  static JsonNode expanded(String key, JsonNode value, String origin) {
    return expanded(key, value, origin, System.getenv(), Clock.systemUTC());
  }

  static JsonNode expanded(
      String key, JsonNode value, String origin, Map<String, String> environment, Clock clock) {
    if (value.isTextual()) {
      String text = value.asText();
      return TextNode.valueOf(expanded(key, text, origin, environment, clock));
    }
    if (value.isArray()) {
      ArrayNode list = YAML.createArrayNode();
      value.forEach(element -> list.add(expanded(key, element, origin, environment, clock)));
      return list;
    }
    if (value.isObject()) {
      ObjectNode map = YAML.createObjectNode();
      value
          .properties()
          .forEach(
              entry ->
                  map.set(
                      entry.getKey(), expanded(key, entry.getValue(), origin, environment, clock)));
      return map;
    }
    return value;
  }

  private static String expanded(
      String key, String text, String origin, Map<String, String> environment, Clock clock) {
    Matcher variable = VARIABLE.matcher(text);
    StringBuilder result = new StringBuilder();
    while (variable.find()) {
      String found = variable.group();
      String by;
      if (found.equals("{date}")) {
        by = LocalDate.now(clock).toString();
      } else if (found.startsWith("$$")) {
        by = found.substring(1);
      } else {
        by = environment.get(variable.group(1));
      }
      if (by == null) {
        throw TareException.usage(
            "%s (%s) names the environment variable \"%s\", which is not set",
            key, origin, variable.group(1));
      }
      variable.appendReplacement(result, Matcher.quoteReplacement(by));
    }
    return variable.appendTail(result).toString();
  }
}
