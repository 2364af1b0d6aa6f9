package org.tare.settings;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.tare.TareException;

/**
 * The settings of one run, each with where it was said. A value is checked against its {@link Key}
 * when it is put in: an unknown key, a value of another type and a missing value are errors.
 *
 * <p>A later call replaces what an earlier one said, so the weakest source is read first: {@code
 * spark.tare.*}, then a job file, then {@code set}, then options.
 */
public final class Settings {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** A value with where it was said. */
  public record Effective(String key, String value, String origin) {}

  private record Value(JsonNode node, String origin) {
    String text() {
      return node.isValueNode() ? node.asText() : node.toString();
    }
  }

  private final Map<String, Value> values = new TreeMap<>();

  /** The defaults. */
  public Settings() {
    for (Key key : Keys.list()) {
      if (!key.standard().isEmpty() && !key.name().contains(".NAME.")) {
        values.put(key.name(), new Value(TextNode.valueOf(key.standard()), "default"));
      }
    }
  }

  private Settings(Map<String, Value> values) {
    this.values.putAll(values);
  }

  /** The same settings, which can be changed apart from these. */
  public Settings copy() {
    return new Settings(values);
  }

  /** Takes what Spark's configuration says below {@code spark.tare.}. */
  public Settings sparkConf(Map<String, String> sparkConf) {
    String prefix = "spark.tare.";
    sparkConf.forEach(
        (key, value) -> {
          if (key.startsWith(prefix)) {
            put(key.substring(prefix.length()), JobFile.parse(value), key);
          }
        });
    return this;
  }

  /**
   * Takes a job file in YAML.
   *
   * @throws TareException if it is missing, too large, no YAML, or holds a key or value that is
   *     wrong
   */
  public Settings jobFile(Path file) {
    flatten("", JobFile.read(file), file.toString());
    return this;
  }

  /** Takes {@code key=value}, the value as in a job file. */
  public Settings assignment(String assignment) {
    int equals = assignment.indexOf('=');
    if (equals <= 0) {
      throw TareException.usage("--set %s: it takes key=value", assignment);
    }
    put(
        assignment.substring(0, equals),
        JobFile.parse(assignment.substring(equals + 1)),
        "--set " + assignment);
    return this;
  }

  /**
   * Takes one value.
   *
   * @param value a text, number or boolean, a list of them, or for {@code quantize.overrides} a
   *     list of maps
   * @param origin where it was said, for messages
   */
  public Settings set(String key, Object value, String origin) {
    if (value == null) {
      throw TareException.usage("%s (%s) has no value", key, origin);
    }
    put(key, JSON.valueToTree(value), origin);
    return this;
  }

  /** Gives a key that has no value one. */
  void setDefault(String key, String value, String origin) {
    if (find(key).isEmpty()) {
      values.put(key, new Value(TextNode.valueOf(value), origin));
    }
  }

  private void flatten(String prefix, JsonNode node, String origin) {
    node.properties()
        .forEach(
            entry -> {
              String key = prefix + entry.getKey();
              boolean isLeaf = Keys.find(key).isPresent() || !entry.getValue().isObject();
              if (isLeaf) {
                put(key, entry.getValue(), origin);
              } else {
                flatten(key + ".", entry.getValue(), origin);
              }
            });
  }

  private void put(String given, JsonNode value, String origin) {
    // "data: digits.parquet" is short for its path.
    String name = given.equals("data") || given.equals("validation") ? given + ".path" : given;
    Optional<Key> key = Keys.find(name);
    if (key.isEmpty() && !Keys.isFree(name)) {
      throw Keys.unknown(name, origin);
    }
    if (value.isNull() || value.isMissingNode()) {
      throw TareException.usage(
          "%s (%s) has no value: leave the key out, or write \"\" for an empty text", name, origin);
    }
    Value put = new Value(JobFile.expanded(name, value, origin), origin);
    key.ifPresent(known -> check(known, name, put));
    if (key.isEmpty() && !put.node().isValueNode()) {
      throw TareException.usage("%s (%s) cannot be %s: it is a text", name, origin, put.text());
    }
    values.put(name, put);
  }

  private static void check(Key key, String name, Value value) {
    JsonNode node = value.node();
    boolean fits =
        switch (key.kind()) {
          case TEXT, SAMPLE -> node.isValueNode();
          case TEXTS, NUMBERS -> node.isValueNode() || isListOfValues(node);
          case FLAG -> isFlag(node.asText()) && node.isValueNode();
          case WHOLE -> isNumber(node, key, true);
          case NUMBER -> isNumber(node, key, false);
          case CHOICE -> node.isValueNode() && key.choices().contains(node.asText());
          case OVERRIDES -> node.isArray();
        };
    boolean isUnset = value.text().isEmpty() && key.kind() != Key.Kind.OVERRIDES;
    if (!fits && !isUnset) {
      throw wrong(name, value.text(), value.origin(), key.expected());
    }
    if (value.text().indexOf('\0') >= 0) {
      throw TareException.usage("%s (%s) holds a NUL character", name, value.origin());
    }
  }

  private static boolean isListOfValues(JsonNode node) {
    boolean isList = node.isArray();
    for (JsonNode element : node) {
      isList &= element.isValueNode() && !element.isNull();
    }
    return isList;
  }

  private static boolean isFlag(String text) {
    return text.equals("true") || text.equals("false");
  }

  private static boolean isNumber(JsonNode node, Key key, boolean isWhole) {
    try {
      double number = Double.parseDouble(node.asText());
      return number >= key.least()
          && number <= key.greatest()
          && (!isWhole || number == Math.rint(number));
    } catch (NumberFormatException e) {
      return false;
    }
  }

  private static TareException wrong(String key, String value, String origin, String expected) {
    return TareException.usage("%s (%s) cannot be \"%s\": it is %s", key, origin, value, expected);
  }

  /** The error of a value that its setting does not take. */
  public TareException wrong(String key, String value, String expected) {
    return wrong(key, value, origin(key), expected);
  }

  /** Where a value was said. */
  String origin(String key) {
    return values.containsKey(key) ? values.get(key).origin() : "not set";
  }

  /** Whether a value is the default, and nobody said it. */
  boolean isDefault(String key) {
    return origin(key).equals("default");
  }

  /** All settings that have a value, with where each came from. */
  public List<Effective> effective() {
    return values.entrySet().stream()
        .map(e -> new Effective(e.getKey(), e.getValue().text(), e.getValue().origin()))
        .toList();
  }

  /** The names that have a value. */
  List<String> names() {
    return List.copyOf(values.keySet());
  }

  /** A setting that may be missing. */
  public Optional<String> find(String key) {
    Value value = values.get(key);
    return value == null || value.text().isEmpty() ? Optional.empty() : Optional.of(value.text());
  }

  /**
   * A setting that a run needs.
   *
   * @throws TareException that tells its name
   */
  public String require(String key) {
    return find(key)
        .orElseThrow(
            () -> {
              String help = Keys.find(key).map(Key::help).orElse("");
              return TareException.usage("Missing %s, %s: set it", key, help);
            });
  }

  /** Whether a flag is on. */
  public boolean flag(String key) {
    return find(key).orElse("false").equals("true");
  }

  double number(String key) {
    return Double.parseDouble(find(key).orElseThrow());
  }

  int whole(String key) {
    return (int) number(key);
  }

  /** A list of texts, written as a list or with commas. */
  public List<String> texts(String key) {
    Value value = values.get(key);
    List<String> texts = new ArrayList<>();
    if (value != null && value.node().isArray()) {
      value.node().forEach(element -> texts.add(element.asText()));
    } else if (value != null && !value.text().isEmpty()) {
      texts.addAll(List.of(value.text().split(",", -1)));
    }
    return texts.stream().map(String::strip).toList();
  }

  List<Double> numbers(String key) {
    List<Double> numbers = new ArrayList<>();
    for (String text : texts(key)) {
      try {
        numbers.add(Double.parseDouble(text));
      } catch (NumberFormatException e) {
        throw wrong(key, find(key).orElse(""), "a number, or a list of numbers").causedBy(e);
      }
    }
    return numbers;
  }

  /** The value of a key as it was written, for keys that hold more than a text. */
  Optional<JsonNode> node(String key) {
    return Optional.ofNullable(values.get(key)).map(Value::node);
  }

  /** The free settings behind a prefix, without it. */
  public Map<String, String> below(String prefix) {
    Map<String, String> found = new TreeMap<>();
    values.forEach(
        (key, value) -> {
          if (key.startsWith(prefix)) {
            found.put(key.substring(prefix.length()), value.text());
          }
        });
    return found;
  }
}
