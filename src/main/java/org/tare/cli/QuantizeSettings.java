package org.tare.cli;

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

/** What the keys below {@code quantize} mean. */
final class QuantizeSettings {
  private QuantizeSettings() {}

  /** Types, schemes and methods, with the overrides. */
  static QConfigMapping of(Settings settings) {
    String mode = settings.find("quantize.mode").orElse("");
    if (!mode.equals("static")) {
      throw settings.wrong(
          "quantize.mode", mode, "static; dynamic and weight-only are not there yet");
    }
    String backend = settings.find("quantize.backend").orElse("");
    if (!backend.equals("onnxruntime-cpu")) {
      throw settings.wrong(
          "quantize.backend", backend, "onnxruntime-cpu; others are not there yet");
    }
    QConfig standard =
        new QConfig(
            true,
            tensor(settings, "quantize.activation."),
            tensor(settings, "quantize.weight."),
            settings.flag("quantize.reduce-range"));
    List<QConfigMapping.Rule> overrides = new ArrayList<>();
    JsonNode list = settings.node("quantize.overrides").orElse(null);
    if (list != null) {
      if (!list.isArray()) {
        throw settings.wrong("quantize.overrides", list.toString(), "a list");
      }
      for (JsonNode override : list) {
        overrides.add(override(override, standard));
      }
    }
    return new QConfigMapping(standard, overrides);
  }

  private static TensorQConfig tensor(Settings settings, String prefix) {
    Map<String, Double> parameters = new TreeMap<>();
    for (String parameter : RangeMethod.parameterNames()) {
      if (settings.find(prefix + parameter).isPresent()) {
        parameters.put(parameter, settings.number(prefix + parameter));
      }
    }
    return new TensorQConfig(
        RangeMethod.parse(settings.find(prefix + "method").orElse(""), parameters),
        DType.of(settings.find(prefix + "dtype").orElse("")),
        QScheme.of(settings.find(prefix + "scheme").orElse("")));
  }

  private static QConfigMapping.Rule override(JsonNode node, QConfig standard) {
    checkFields(node, Set.of("op", "name", "float", "activation", "weight"), "quantize.overrides");
    if (node.has("op") == node.has("name")) {
      throw TareException.usage(
          "quantize.overrides: each takes either op or name, as in {op: Softmax, float: true}: %s",
          node);
    }
    QConfigMapping.By by = node.has("op") ? QConfigMapping.By.OPERATOR : QConfigMapping.By.NAME;
    String pattern = node.path(node.has("op") ? "op" : "name").asText();
    QConfig config =
        new QConfig(
            !node.path("float").asBoolean(false),
            overridden(node.path("activation"), standard.activation()),
            overridden(node.path("weight"), standard.weight()),
            standard.reduceRange());
    return new QConfigMapping.Rule(by, pattern, config);
  }

  private static TensorQConfig overridden(JsonNode node, TensorQConfig standard) {
    if (node.isMissingNode()) {
      return standard;
    }
    Set<String> fields = new TreeSet<>(Set.of("method", "dtype", "scheme"));
    fields.addAll(RangeMethod.parameterNames());
    checkFields(node, fields, "quantize.overrides.activation");
    Map<String, Double> parameters = new TreeMap<>();
    for (String parameter : RangeMethod.parameterNames()) {
      if (node.has(parameter)) {
        if (!node.path(parameter).isNumber()) {
          throw TareException.usage(
              "quantize.overrides: %s cannot be %s: it is a number",
              parameter, node.path(parameter));
        }
        parameters.put(parameter, node.path(parameter).asDouble());
      }
    }
    RangeMethod method = standard.method();
    if (node.has("method") || !parameters.isEmpty()) {
      boolean isSame = RangeMethod.PARAMETERS.get(method.id()).containsAll(parameters.keySet());
      String same = isSame ? method.id() : "percentile";
      method = RangeMethod.parse(node.path("method").asText(same), parameters);
    }
    return new TensorQConfig(
        method,
        node.has("dtype") ? DType.of(node.path("dtype").asText()) : standard.dtype(),
        node.has("scheme") ? QScheme.of(node.path("scheme").asText()) : standard.scheme());
  }

  private static void checkFields(JsonNode node, Set<String> known, String where) {
    node.fieldNames()
        .forEachRemaining(
            field -> {
              if (!known.contains(field)) {
                String best = known.iterator().next();
                for (String candidate : new TreeSet<>(known)) {
                  best =
                      Settings.distance(field, candidate) < Settings.distance(field, best)
                          ? candidate
                          : best;
                }
                throw TareException.usage(
                    "Unknown key \"%s\" (%s): did you mean \"%s\"?", field, where, best);
              }
            });
  }
}
