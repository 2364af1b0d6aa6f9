package org.tare.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.tare.TareException;
import org.tare.graph.Quantization;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.qconfig.WeightProducts;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

/** What the keys below {@code quantize} mean. */
final class QuantizeSettings {
  private QuantizeSettings() {}

  /** Mode, backend, types, schemes and methods, with the overrides. */
  static QConfigMapping of(Settings settings) {
    Mode mode = Mode.of(settings.require("quantize.mode"));
    Backend backend = Backend.of(settings.require("quantize.backend"));
    setDefaults(settings, mode, backend);
    CorrectionSettings corrections = CorrectionSettings.of(settings);
    QConfig config =
        new QConfig(
            settings.flag("quantize.automatic"),
            tensor(settings, "quantize.activation."),
            tensor(settings, "quantize.weight."),
            settings.flag("quantize.reduce-range"),
            settings.flag("quantize.activation.reduce-range"),
            corrections.kernelSums() != CorrectionSettings.Switch.OFF,
            WeightProducts.of(settings.require("quantize.weight.products")));
    List<QConfigMapping.Rule> overrides = new ArrayList<>();
    JsonNode list = settings.node("quantize.overrides").orElse(null);
    if (list != null && !list.isNull()) {
      if (!list.isArray()) {
        throw settings.wrong("quantize.overrides", list.toString(), "a list");
      }
      for (JsonNode override : list) {
        overrides.add(override(override, config));
      }
    }
    if (!config.quantized() && overrides.isEmpty()) {
      throw TareException.usage(
          "quantize.automatic is false and quantize.overrides is empty: nothing would be quantized;"
              + " list what is to be, as in {op: Conv}");
    }
    return new QConfigMapping(
        mode,
        backend,
        config,
        overrides,
        corrections.biasCorrection() != CorrectionSettings.Switch.OFF);
  }

  /** The form of the written model. */
  static Quantization.Form form(Settings settings) {
    String form = settings.find("quantize.form").orElse("");
    if (form.isEmpty()) {
      // 4-bit products have a fast kernel only in ONNX Runtime's own operator.
      boolean hasBlocks = settings.find("quantize.weight.block").isPresent();
      return hasBlocks ? Quantization.Form.QOPERATOR : Quantization.Form.QDQ;
    }
    return switch (form) {
      case "qdq" -> Quantization.Form.QDQ;
      case "qoperator" -> Quantization.Form.QOPERATOR;
      default -> throw settings.wrong("quantize.form", form, "qdq or qoperator");
    };
  }

  /** What was not said is as the backend has it, and shows as such. */
  private static void setDefaults(Settings settings, Mode mode, Backend backend) {
    String origin = "backend " + backend.id();
    settings.setDefault("quantize.weight.products", backend.products().id(), origin);
    QConfig standard =
        backend.standard(mode, WeightProducts.of(settings.require("quantize.weight.products")));
    settings.setDefault("quantize.activation.dtype", standard.activation().dtype().id(), origin);
    settings.setDefault("quantize.activation.scheme", standard.activation().scheme().id(), origin);
    settings.setDefault(
        "quantize.activation.reduce-range", Boolean.toString(standard.reduceActivations()), origin);
    settings.setDefault("quantize.weight.dtype", standard.weight().dtype().id(), origin);
    DType weight = DType.of(settings.require("quantize.weight.dtype"));
    boolean isFourBits = weight.bits() == 4;
    settings.setDefault(
        "quantize.weight.scheme",
        isFourBits
            ? (weight.isSigned() ? QScheme.PER_CHANNEL_SYMMETRIC : QScheme.PER_CHANNEL_AFFINE).id()
            : standard.weight().scheme().id(),
        isFourBits ? "default of 4 bits" : origin);
    settings.setDefault(
        "quantize.weight.method",
        isFourBits ? "mse" : "minmax",
        isFourBits ? "default of 4 bits" : origin);
    if (isFourBits) {
      settings.setDefault("quantize.weight.block", "32", "default of 4 bits");
    }
  }

  private static TensorQConfig tensor(Settings settings, String prefix) {
    Map<String, Double> parameters = new TreeMap<>();
    for (String parameter : RangeMethod.parameterNames()) {
      if (settings.find(prefix + parameter).isPresent()) {
        parameters.put(parameter, settings.number(prefix + parameter));
      }
    }
    return new TensorQConfig(
        RangeMethod.parse(settings.require(prefix + "method"), parameters),
        DType.of(settings.require(prefix + "dtype")),
        QScheme.of(settings.require(prefix + "scheme")),
        settings.find(prefix + "block").isPresent() ? (int) settings.number(prefix + "block") : 0);
  }

  private static QConfigMapping.Rule override(JsonNode node, QConfig standard) {
    checkFields(
        node,
        Set.of("op", "name", "float", "activation", "weight", "reduce-range"),
        "quantize.overrides");
    if (node.has("op") == node.has("name")) {
      throw TareException.usage(
          "quantize.overrides: each takes either op or name, as in {op: Softmax, float: true}: %s",
          node);
    }
    String pattern = node.path(node.has("op") ? "op" : "name").asText();
    QConfig config =
        new QConfig(
            !node.path("float").asBoolean(false),
            overridden(node.path("activation"), standard.activation()),
            overridden(node.path("weight"), standard.weight()),
            node.path("reduce-range").asBoolean(standard.reduceRange()),
            standard.reduceActivations(),
            standard.preserveSums(),
            standard.products());
    return node.has("op")
        ? new QConfigMapping.Rule(QConfigMapping.By.OPERATOR, pattern, config)
        : QConfigMapping.Rule.byName(pattern, config);
  }

  private static TensorQConfig overridden(JsonNode node, TensorQConfig standard) {
    if (node.isMissingNode()) {
      return standard;
    }
    Set<String> fields = new TreeSet<>(Set.of("method", "dtype", "scheme", "block"));
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
        node.has("scheme") ? QScheme.of(node.path("scheme").asText()) : standard.scheme(),
        node.path("block").asInt(standard.block()));
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
