package org.tare.cli;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.tare.TareException;
import org.tare.graph.TensorRtCalibrationCache;
import org.tare.range.RangeMethod;
import org.tare.spark.BadRows;
import org.tare.spark.DataSource;
import org.tare.spark.InputSpec;
import org.tare.spark.ObservedParts;

/**
 * The settings of a job: each from an option, else from {@code --set}, else from the job file, else
 * from {@code spark.tare.*}, else the default; and where each came from.
 */
public final class Settings {
  private static final YAMLMapper YAML =
      YAMLMapper.builder().enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION).build();

  /** Every key of its own name, with its default; empty for none. */
  private static final Map<String, String> KEYS = keys();

  private static final Set<String> INPUT_FIELDS =
      new TreeSet<>(
          List.of(
              "column", "dtype", "shape", "scale", "mean", "std", "layout", "image", "resize",
              "crop"));

  private static Map<String, String> keys() {
    Map<String, String> keys = new LinkedHashMap<>();
    keys.put("model", "");
    keys.put("quantized", "");
    keys.put("state", "");
    keys.put("output", "");
    for (String source : List.of("data", "validation")) {
      for (String field : List.of("path", "table", "query")) {
        keys.put(source + "." + field, "");
      }
      keys.put(source + ".format", "parquet");
      keys.put(source + ".sample", "");
      keys.put(source + ".key", "");
    }
    keys.put("validation.label", "");
    keys.put("batch", "32");
    keys.put("bad-rows", "fail");
    keys.put("bad-rows-limit", "0.01");
    keys.put("overwrite", "false");
    keys.put("verbose", "false");
    keys.put("dry-run", "false");
    keys.put("prepare.equalize", "false");
    keys.put("prepare.absorb-bias", "false");
    keys.put("prepare.relu-for-relu6", "false");
    keys.put("calibrate.by", "");
    keys.put("calibrate.channels", "none");
    keys.put("observe.column", "");
    keys.put("observe.observer", "histogram");
    keys.put("observe.method", "");
    keys.put("observe.dtype", "quint8");
    keys.put("observe.scheme", "");
    keys.put("observe.rule", "");
    keys.put("observe.averaging-constant", "0.01");
    keys.put("observe.reduce-range", "false");
    keys.put("observe.json", "false");
    keys.put("mask", "attention_mask");
    keys.put("quantize.mode", "static");
    keys.put("quantize.backend", "onnxruntime-cpu");
    keys.put("quantize.form", "");
    keys.put("quantize.automatic", "true");
    keys.put("quantize.reduce-range", "false");
    keys.put("quantize.activation.method", "mse");
    for (String parameter : RangeMethod.parameterNames()) {
      keys.put("quantize.activation." + parameter, "");
    }
    keys.put("quantize.activation.dtype", "");
    keys.put("quantize.activation.scheme", "");
    keys.put("quantize.activation.reduce-range", "");
    keys.put("quantize.weight.method", "");
    keys.put("quantize.weight.dtype", "");
    keys.put("quantize.weight.scheme", "");
    keys.put("quantize.weight.block", "");
    keys.put("quantize.weight.products", "");
    keys.put("quantize.weight.rounding", "auto");
    keys.put("quantize.smooth-quant", "auto");
    keys.put("quantize.bias-correction", "auto");
    keys.put("quantize.measure-rows", "256");
    keys.put("quantize.declare-shapes", "true");
    keys.put("quantize.float16", "false");
    keys.put("quantize.overrides", "");
    keys.put("quantize.export", "");
    keys.put("quantize.tensorrt-version", TensorRtCalibrationCache.DEFAULT_VERSION);
    return keys;
  }

  /** A value and where it was said. */
  public record Effective(String key, String value, String origin) {}

  private record Value(JsonNode node, String origin) {
    String text() {
      return node.isValueNode() ? node.asText() : node.toString();
    }
  }

  private final Map<String, Value> values = new TreeMap<>();

  private Settings() {}

  /**
   * Resolves the settings.
   *
   * @param options key to value, of the options that were given
   * @param sets {@code key=value}
   * @param jobFile YAML
   * @param sparkConf everything in Spark's configuration
   * @throws TareException for a key that is not one, with the nearest that is
   */
  public static Settings resolve(
      Map<String, String> options,
      List<String> sets,
      Optional<Path> jobFile,
      Map<String, String> sparkConf) {
    Settings settings = new Settings();
    KEYS.forEach(
        (key, value) -> {
          if (!value.isEmpty()) {
            settings.put(key, text(value), "default");
          }
        });
    sparkConf.forEach(
        (key, value) -> {
          if (key.startsWith("spark.tare.")) {
            settings.putChecked(key.substring("spark.tare.".length()), parse(value), key);
          }
        });
    jobFile.ifPresent(file -> settings.flatten("", readJobFile(file), file.toString()));
    for (String set : sets) {
      int equals = set.indexOf('=');
      if (equals <= 0) {
        throw TareException.usage("--set %s: it takes key=value", set);
      }
      settings.putChecked(
          set.substring(0, equals), parse(set.substring(equals + 1)), "--set " + set);
    }
    options.forEach((key, value) -> settings.putChecked(key, text(value), "option"));
    return settings;
  }

  private static JsonNode text(String value) {
    return com.fasterxml.jackson.databind.node.TextNode.valueOf(value);
  }

  private static JsonNode parse(String value) {
    try {
      JsonNode node = YAML.readTree(value);
      return node == null || node.isMissingNode() ? text(value) : node;
    } catch (JsonProcessingException e) {
      return text(value);
    }
  }

  private static JsonNode readJobFile(Path file) {
    if (!Files.isRegularFile(file)) {
      throw TareException.missing("Cannot read job file %s: there is no such file", file);
    }
    try {
      JsonNode root = YAML.readTree(Files.readString(file));
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

  private void flatten(String prefix, JsonNode node, String origin) {
    node.properties()
        .forEach(
            entry -> {
              String key = prefix + entry.getKey();
              if (entry.getValue().isObject()) {
                flatten(key + ".", entry.getValue(), origin);
              } else {
                putChecked(key, entry.getValue(), origin);
              }
            });
  }

  private void putChecked(String key, JsonNode value, String origin) {
    // "data: digits.parquet" is short for its path.
    String full = key.equals("data") || key.equals("validation") ? key + ".path" : key;
    if (!isKnown(full)) {
      throw TareException.usage(
          "Unknown key \"%s\" (%s): did you mean \"%s\"?", key, origin, nearest(full));
    }
    put(full, value, origin);
  }

  private void put(String key, JsonNode value, String origin) {
    values.put(key, new Value(value, origin));
  }

  private static boolean isKnown(String key) {
    int dot = key.lastIndexOf('.');
    boolean isInput =
        key.startsWith("inputs.")
            && dot > "inputs.".length()
            && INPUT_FIELDS.contains(key.substring(dot + 1));
    return KEYS.containsKey(key)
        || isInput
        || key.startsWith("data.options.")
        || key.startsWith("validation.options.");
  }

  private static String nearest(String key) {
    List<String> candidates = new ArrayList<>(KEYS.keySet());
    int dot = key.lastIndexOf('.');
    if (key.startsWith("inputs.") && dot > "inputs.".length()) {
      candidates.clear();
      INPUT_FIELDS.forEach(field -> candidates.add(key.substring(0, dot + 1) + field));
    }
    String best = candidates.get(0);
    for (String candidate : candidates) {
      if (distance(key, candidate) < distance(key, best)) {
        best = candidate;
      }
    }
    return best;
  }

  /** Levenshtein's distance. */
  static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }

  /** All settings that have a value, with where each came from. */
  public List<Effective> effective() {
    return values.entrySet().stream()
        .map(e -> new Effective(e.getKey(), e.getValue().text(), e.getValue().origin()))
        .toList();
  }

  /** Gives a key that has no value one. */
  void setDefault(String key, String value, String origin) {
    if (find(key).isEmpty()) {
      put(key, text(value), origin);
    }
  }

  /** A setting that may be missing. */
  public Optional<String> find(String key) {
    Value value = values.get(key);
    return value == null || value.text().isEmpty() ? Optional.empty() : Optional.of(value.text());
  }

  /**
   * A setting that a command needs.
   *
   * @throws TareException that tells how to give it
   */
  public String require(String key) {
    return find(key)
        .orElseThrow(
            () ->
                TareException.usage(
                    "Missing %s: give --%s, --set %s=…, or the key in a job file",
                    key, key.replace(".path", ""), key));
  }

  public boolean flag(String key) {
    String value = find(key).orElse("false");
    if (!value.equals("true") && !value.equals("false")) {
      throw wrong(key, value, "true or false");
    }
    return value.equals("true");
  }

  /** Rows per run of the model. */
  public int batch() {
    double batch = number("batch");
    if (batch < 1 || batch > 65536 || batch != Math.rint(batch)) {
      throw wrong("batch", find("batch").orElse(""), "a whole number from 1 to 65536");
    }
    return (int) batch;
  }

  double number(String key) {
    String value = find(key).orElse("");
    try {
      return Double.parseDouble(value);
    } catch (NumberFormatException e) {
      throw wrong(key, value, "a number").causedBy(e);
    }
  }

  /** The error of a value that its setting does not take. */
  TareException wrong(String key, String value, String expected) {
    return TareException.usage(
        "%s (%s) cannot be \"%s\": it is %s",
        key, values.containsKey(key) ? values.get(key).origin() : "not set", value, expected);
  }

  /**
   * The input that says which places of sequences are filling, if the model has it. Of a model with
   * a decoder it has to be said: which sequence is meant does not show.
   */
  Optional<String> mask(List<String> inputs) {
    Optional<String> mask = find("mask");
    boolean isOpen = inputs.stream().anyMatch(input -> input.startsWith("decoder"));
    if (isOpen && mask.isPresent() && values.get("mask").origin().equals("default")) {
      return Optional.empty();
    }
    if (mask.isPresent() && !inputs.contains(mask.get())) {
      if (!values.get("mask").origin().equals("default")) {
        throw wrong("mask", mask.get(), "an input of the model: " + String.join(", ", inputs));
      }
      return Optional.empty();
    }
    return mask;
  }

  /** What to do with rows that cannot be decoded. */
  public BadRows badRows() {
    String policy = find("bad-rows").orElse("");
    if (!policy.equals("fail") && !policy.equals("skip")) {
      throw wrong("bad-rows", policy, "fail or skip");
    }
    double limit = number("bad-rows-limit");
    if (!(limit >= 0 && limit <= 1)) {
      throw wrong("bad-rows-limit", Double.toString(limit), "a share from 0 to 1");
    }
    return new BadRows(policy.equals("skip"), limit);
  }

  /** The table that a prefix, {@code data} or {@code validation}, describes, if it does. */
  public Optional<DataSource> source(String prefix) {
    Optional<String> path = find(prefix + ".path");
    Optional<String> table = find(prefix + ".table");
    Optional<String> query = find(prefix + ".query");
    long given = List.of(path, table, query).stream().filter(Optional::isPresent).count();
    if (given == 0) {
      return Optional.empty();
    }
    if (given > 1) {
      throw TareException.usage(
          "%s: give one of path, table and query, not %d of them", prefix, given);
    }
    Map<String, String> options = new TreeMap<>();
    String optionPrefix = prefix + ".options.";
    values.forEach(
        (key, value) -> {
          if (key.startsWith(optionPrefix)) {
            options.put(key.substring(optionPrefix.length()), value.text());
          }
        });
    Optional<Double> sample = find(prefix + ".sample").map(value -> number(prefix + ".sample"));
    sample.ifPresent(
        amount -> {
          boolean isFraction = amount > 0 && amount < 1;
          boolean isCount =
              amount >= 1 && amount == Math.rint(amount) && amount <= Integer.MAX_VALUE;
          if (!isFraction && !isCount) {
            throw wrong(
                prefix + ".sample",
                Double.toString(amount),
                "a number of rows, or a fraction between 0 and 1");
          }
        });
    return Optional.of(
        new DataSource(
            path,
            table,
            query,
            find(prefix + ".format").orElse("parquet"),
            options,
            sample,
            find(prefix + ".key")));
  }

  /** How the model's inputs are made, for those of which something is said. */
  public Map<String, InputSpec> inputs() {
    Set<String> names = new TreeSet<>();
    for (String key : values.keySet()) {
      if (key.startsWith("inputs.")) {
        names.add(key.substring("inputs.".length(), key.lastIndexOf('.')));
      }
    }
    Map<String, InputSpec> inputs = new TreeMap<>();
    for (String name : names) {
      String prefix = "inputs." + name + ".";
      inputs.put(
          name,
          new InputSpec(
              find(prefix + "column"),
              find(prefix + "dtype"),
              numbers(prefix + "shape").stream().map(Double::longValue).toList(),
              find(prefix + "scale").isPresent() ? number(prefix + "scale") : 1,
              orElse(numbers(prefix + "mean"), 0.0),
              orElse(numbers(prefix + "std"), 1.0),
              isChannelsLast(prefix + "layout"),
              flag(prefix + "image"),
              numbers(prefix + "resize").stream().map(Double::intValue).toList(),
              numbers(prefix + "crop").stream().map(Double::intValue).toList()));
    }
    return inputs;
  }

  private boolean isChannelsLast(String key) {
    String layout = find(key).orElse("nchw");
    return switch (layout.toLowerCase(java.util.Locale.ROOT)) {
      case "nchw" -> false;
      case "nhwc" -> true;
      default -> throw wrong(key, layout, "nchw or nhwc: the layout of the column");
    };
  }

  private static List<Double> orElse(List<Double> numbers, double absent) {
    return numbers.isEmpty() ? List.of(absent) : numbers;
  }

  /** A list of texts, written as a list or with commas. */
  List<String> texts(String key) {
    Value value = values.get(key);
    List<String> texts = new ArrayList<>();
    if (value != null && value.node().isArray()) {
      value.node().forEach(element -> texts.add(element.asText()));
    } else if (value != null && !value.text().isEmpty()) {
      texts.addAll(List.of(value.text().split(",", -1)));
    }
    return texts.stream().map(String::strip).toList();
  }

  /** How much of each channel is observed. */
  ObservedParts.ChannelDetail channelDetail() {
    String detail = find("calibrate.channels").orElse("none");
    for (ObservedParts.ChannelDetail known : ObservedParts.ChannelDetail.values()) {
      if (known.name().equalsIgnoreCase(detail)) {
        return known;
      }
    }
    throw wrong("calibrate.channels", detail, "none, summary or histogram");
  }

  private List<Double> numbers(String key) {
    Value value = values.get(key);
    if (value == null) {
      return List.of();
    }
    List<Double> numbers = new ArrayList<>();
    List<String> texts = new ArrayList<>();
    if (value.node().isArray()) {
      value.node().forEach(element -> texts.add(element.asText()));
    } else {
      texts.addAll(List.of(value.text().split(",", -1)));
    }
    for (String text : texts) {
      try {
        numbers.add(Double.parseDouble(text.strip()));
      } catch (NumberFormatException e) {
        throw wrong(key, value.text(), "a number or a list of numbers").causedBy(e);
      }
    }
    return numbers;
  }

  /** The value of a key as it was written, for keys that hold more than a text. */
  Optional<JsonNode> node(String key) {
    return Optional.ofNullable(values.get(key)).map(Value::node);
  }
}
