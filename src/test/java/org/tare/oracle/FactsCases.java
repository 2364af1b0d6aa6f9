package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import org.tare.qconfig.torch.FakeQuantizeConfig;
import org.tare.qconfig.torch.ObserverConfig;
import org.tare.qconfig.torch.ObserverKind;
import org.tare.qconfig.torch.TorchQConfig;
import org.tare.quant.DType;
import org.tare.quant.QuantSpec;

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
        tally.skip("QConfigs by other names than a backend's");
      }
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
    for (String table :
        new String[] {
          "qconfig_mappings", "eager_fusions", "fx_fusion_patterns", "backend_configs"
        }) {
      file.path(table).forEach(c -> tally.skip(table + ": names of PyTorch's modules"));
    }
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
