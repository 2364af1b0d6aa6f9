package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.torch.FakeQuantizeConfig;
import org.tare.torch.ObserverConfig;
import org.tare.torch.ObserverKind;
import org.tare.torch.TorchQConfig;

/** PyTorch's default QConfigs. */
final class FactsCases {
  private FactsCases() {}

  static void facts(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("default_qconfig")) {
      tally.hold(
          "default_qconfig " + c.path("backend"),
          () -> qconfig(c, TorchQConfig.postTraining(c.path("backend").asText())));
    }
    for (JsonNode c : file.path("default_qat_qconfig")) {
      tally.hold(
          "default_qat_qconfig " + c.path("backend") + c.path("version"),
          () ->
              qconfig(
                  c, TorchQConfig.training(c.path("backend").asText(), c.path("version").asInt())));
    }
    for (JsonNode c : file.path("named_qconfigs")) {
      String name = c.path("name").asText();
      if (name.equals("default_symmetric_qnnpack_qconfig")
          || name.equals("default_per_channel_symmetric_qnnpack_qconfig")) {
        tally.hold(
            name, () -> qconfig(c, TorchQConfig.symmetricQnnpack(name.contains("per_channel"))));
      } else {
        tally.hold(name, () -> fromArguments(c));
      }
    }
    for (JsonNode c : file.path("qconfig_mappings")) {
      tally.hold("qconfig_mappings " + c.path("backend") + c.path("qat"), () -> mapping(c));
    }
    for (JsonNode c : file.path("named_observers")) {
      String kind = c.path("class").asText();
      if (kind.equals("FixedQParamsObserver")) {
        tally.hold(
            c.path("name").asText(),
            () ->
                observer(
                    c,
                    ObserverConfig.fixed(
                        Oracle.floats(c.path("scale"))[0], c.path("zero_point").get(0).asInt())));
      } else {
        tally.skip("observers and fake quantizations by name: PyTorch's Python variables");
      }
    }
    for (String table : new String[] {"eager_fusions", "fx_fusion_patterns", "backend_configs"}) {
      file.path(table).forEach(c -> tally.skip(table + ": names of PyTorch's modules"));
    }
  }

  /** The global QConfig is the backend's; what is said of operators follows from its arguments. */
  private static void mapping(JsonNode c) {
    String backend = c.path("backend").asText();
    qconfig(
        c.path("global"),
        c.path("qat").asBoolean()
            ? TorchQConfig.training(backend, 1)
            : TorchQConfig.postTraining(backend));
    for (JsonNode type : c.path("object_types")) {
      if (type.path("qconfig").isObject()) {
        fromArguments(type.path("qconfig"));
      }
    }
  }

  /** What the arguments of with_args lead to: limits, eps, type and scheme. */
  private static void fromArguments(JsonNode qconfig) {
    for (String part : new String[] {"activation", "weight"}) {
      JsonNode module = qconfig.path(part);
      JsonNode args = module.path("with_args");
      boolean isFake = module.path("kind").asText().equals("fake_quantize");
      JsonNode expected = isFake ? module.path("observer") : module;
      if (module.path("kind").asText().equals("module")) {
        continue;
      }
      ObserverKind kind = ObserverKind.of(expected.path("class").asText());
      if (kind == ObserverKind.FIXED_QPARAMS) {
        JsonNode scale = expected.path("scale").get(0);
        JsonNode zeroPoint = expected.path("zero_point").get(0);
        observer(expected, ObserverConfig.fixed((float) scale.asDouble(), zeroPoint.asInt()));
      } else if (!kind.observes()) {
        // Nothing is computed: the name alone is a fact.
        assertEquals(expected.path("class").asText(), kind.className());
      } else {
        observer(expected, arguments(kind, args));
      }
    }
  }

  private static ObserverConfig arguments(ObserverKind kind, JsonNode args) {
    ObserverConfig config = ObserverConfig.of(kind);
    config =
        config.with(
            args.has("dtype") ? DType.of(args.path("dtype").asText()) : DType.UINT8,
            args.has("qscheme") ? QScheme.of(args.path("qscheme").asText()) : config.scheme());
    if (args.has("quant_min")) {
      config = config.withRange(args.path("quant_min").asInt(), args.path("quant_max").asInt());
    }
    if (args.path("reduce_range").asBoolean()) {
      config = config.withReducedRange();
    }
    if (args.has("eps")) {
      config = config.withEps((float) args.path("eps").asDouble());
    }
    if (args.has("averaging_constant")) {
      config = config.withAveragingConstant((float) args.path("averaging_constant").asDouble());
    }
    return config.withAxis(args.path("ch_axis").asInt(0));
  }

  private static void qconfig(JsonNode c, TorchQConfig found) {
    module(c.path("activation"), found.activation());
    module(c.path("weight"), found.weight());
  }

  private static void module(JsonNode expected, TorchQConfig.Module found) {
    boolean isFake = expected.path("kind").asText().equals("fake_quantize");
    assertEquals(isFake, found.fakeQuantize().isPresent(), "fake quantization");
    found
        .fakeQuantize()
        .map(FakeQuantizeConfig.Kind::className)
        .ifPresent(name -> assertEquals(expected.path("class").asText(), name));
    observer(isFake ? expected.path("observer") : expected, found.observer());
  }

  private static void observer(JsonNode expected, ObserverConfig found) {
    assertEquals(ObserverKind.of(expected.path("class").asText()), found.kind());
    assertEquals(DType.of(expected.path("dtype").asText()), found.dtype().orElseThrow());
    assertEquals(expected.path("qscheme").asText(), found.scheme().id());
    QuantSpec spec = found.spec();
    assertEquals(expected.path("quant_min").asInt(), spec.quantMin(), "quant_min");
    assertEquals(expected.path("quant_max").asInt(), spec.quantMax(), "quant_max");
    if (expected.has("reduce_range")) {
      assertEquals(expected.path("reduce_range").asBoolean(), found.reduceRange());
      assertEquals(expected.path("has_customized_qrange").asBoolean(), spec.customized());
      assertEquals((float) expected.path("eps").asDouble(), spec.eps());
    }
    if (expected.has("averaging_constant")) {
      assertEquals(
          (float) expected.path("averaging_constant").asDouble(), found.averagingConstant());
    }
    if (expected.has("ch_axis")) {
      assertEquals(expected.path("ch_axis").asInt(), found.axis());
    }
    if (expected.has("bins")) {
      assertEquals(expected.path("bins").asInt(), found.bins());
      assertEquals(expected.path("upsample_rate").asInt(), found.upsampleRate());
    }
    if (expected.has("scale")) {
      assertEquals(Oracle.floats(expected.path("scale"))[0], found.fixed().orElseThrow().scale());
    }
  }
}
