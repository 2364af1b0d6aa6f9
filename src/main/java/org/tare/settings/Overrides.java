package org.tare.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.tare.TareException;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

/** What {@code quantize.overrides} means: each entry's keys and values are checked. */
final class Overrides {
  private static final String KEY = "quantize.overrides";
  private static final Set<String> FIELDS =
      new TreeSet<>(Set.of("op", "name", "float", "activation", "weight", "reduce-range"));
  private static final Set<String> TENSOR_FIELDS = tensorFields();

  private Overrides() {}

  private static Set<String> tensorFields() {
    Set<String> fields = new TreeSet<>(Set.of("method", "dtype", "scheme", "block", "bits"));
    fields.addAll(RangeMethod.parameterNames());
    return fields;
  }

  /**
   * The rules, in order.
   *
   * @param standard what holds where an entry says nothing
   */
  static List<QConfigMapping.Rule> of(Settings settings, QConfig standard) {
    List<QConfigMapping.Rule> rules = new ArrayList<>();
    settings.node(KEY).ifPresent(list -> list.forEach(entry -> rules.add(rule(entry, standard))));
    return rules;
  }

  private static QConfigMapping.Rule rule(JsonNode entry, QConfig standard) {
    checkFields(entry, FIELDS, KEY);
    if (entry.has("op") == entry.has("name")) {
      throw TareException.usage(
          "%s: each takes either op or name, as in {op: Softmax, float: true}: %s", KEY, entry);
    }
    String pattern = text(entry, entry.has("op") ? "op" : "name", KEY);
    QConfig config =
        new QConfig(
            !flag(entry, "float", false),
            tensor(entry, "activation", standard.activation()),
            tensor(entry, "weight", standard.weight()),
            flag(entry, "reduce-range", standard.reduceRange()),
            standard.reduceActivations(),
            standard.preserveSums(),
            standard.products());
    return entry.has("op")
        ? new QConfigMapping.Rule(QConfigMapping.By.OPERATOR, pattern, config)
        : QConfigMapping.Rule.byName(pattern, config);
  }

  private static TensorQConfig tensor(JsonNode entry, String which, TensorQConfig standard) {
    if (!entry.has(which)) {
      return standard;
    }
    String where = KEY + "." + which;
    JsonNode node = entry.get(which);
    checkFields(node, TENSOR_FIELDS, where);
    Map<String, Double> parameters = new TreeMap<>();
    for (String parameter : RangeMethod.parameterNames()) {
      if (node.has(parameter)) {
        parameters.put(parameter, number(node, parameter, where));
      }
    }
    RangeMethod method = standard.method();
    if (node.has("method") || !parameters.isEmpty()) {
      boolean isSame = RangeMethod.PARAMETERS.get(method.id()).containsAll(parameters.keySet());
      String absent = isSame ? method.id() : "percentile";
      String name = node.has("method") ? text(node, "method", where) : absent;
      method = RangeMethod.parse(name, parameters);
    }
    return new TensorQConfig(
        method,
        node.has("dtype") ? DType.of(text(node, "dtype", where)) : standard.dtype(),
        node.has("scheme") ? QScheme.of(text(node, "scheme", where)) : standard.scheme(),
        node.has("block") ? (int) number(node, "block", where) : standard.block(),
        bits(node, where, standard));
  }

  /** Of another type all, unless it is said. */
  private static int bits(JsonNode node, String where, TensorQConfig standard) {
    if (node.has("bits")) {
      return (int) number(node, "bits", where);
    }
    return node.has("dtype") ? DType.of(text(node, "dtype", where)).bits() : standard.bits();
  }

  private static String text(JsonNode node, String field, String where) {
    JsonNode value = node.get(field);
    if (!value.isValueNode() || value.isNull() || value.asText().isEmpty()) {
      throw wrong(where, field, value, "a text");
    }
    return value.asText();
  }

  private static boolean flag(JsonNode node, String field, boolean absent) {
    if (!node.has(field)) {
      return absent;
    }
    String text = node.get(field).asText();
    if (!text.equals("true") && !text.equals("false")) {
      throw wrong(KEY, field, node.get(field), "true or false");
    }
    return text.equals("true");
  }

  private static double number(JsonNode node, String field, String where) {
    if (!node.get(field).isNumber()) {
      throw wrong(where, field, node.get(field), "a number");
    }
    return node.get(field).asDouble();
  }

  private static TareException wrong(String where, String field, JsonNode value, String expected) {
    return TareException.usage("%s: %s cannot be %s: it is %s", where, field, value, expected);
  }

  private static void checkFields(JsonNode node, Set<String> known, String where) {
    if (!node.isObject()) {
      throw TareException.usage(
          "%s cannot hold %s: it takes maps with the keys %s",
          where, node, String.join(", ", known));
    }
    node.fieldNames()
        .forEachRemaining(
            field -> {
              if (!known.contains(field)) {
                throw TareException.usage(
                    "Unknown key \"%s\" (%s): did you mean \"%s\"?",
                    field, where, Spelling.nearest(field, known));
              }
            });
  }
}
