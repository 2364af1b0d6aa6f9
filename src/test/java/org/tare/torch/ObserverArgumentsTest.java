package org.tare.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.torch.TorchVersion;

/** Arguments by their names in PyTorch, and back. */
class ObserverArgumentsTest {
  @ParameterizedTest
  @EnumSource
  void nothingGivenIsAsPyTorchHasIt(ObserverKind kind) {
    assertEquals(ObserverConfig.of(kind), ObserverArguments.read(kind.className(), Map.of()));
    assertEquals(Map.of(), ObserverArguments.of(ObserverConfig.of(kind)));
  }

  @Test
  void everyArgumentArrives() {
    Map<String, Object> arguments = new LinkedHashMap<>();
    arguments.put("dtype", "qint8");
    arguments.put("qscheme", "per_channel_symmetric");
    arguments.put("reduce_range", true);
    arguments.put("quant_min", -100);
    arguments.put("quant_max", 100L);
    arguments.put("eps", 0x1p-12);
    arguments.put("averaging_constant", 0.5);
    arguments.put("ch_axis", 1);
    ObserverConfig config =
        ObserverConfig.of(ObserverKind.MOVING_AVERAGE_PER_CHANNEL)
            .with(DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC)
            .withReducedRange()
            .withRange(-100, 100)
            .withEps(0x1p-12f)
            .withAveragingConstant(0.5f)
            .withAxis(1);
    assertEquals(
        config, ObserverArguments.read("MovingAveragePerChannelMinMaxObserver", arguments));
    assertEquals(config, ObserverArguments.read(config.kind().id(), ObserverArguments.of(config)));
  }

  @Test
  void argumentsOfTheHistogramArrive() {
    Map<String, ?> arguments = Map.of("bins", 64, "upsample_rate", 16, "version", "torch-1.13");
    ObserverConfig config =
        ObserverConfig.of(ObserverKind.HISTOGRAM).withHistogram(TorchVersion.TORCH_1_13, 64, 16);
    assertEquals(config, ObserverArguments.read("HistogramObserver", arguments));
    assertEquals(arguments, ObserverArguments.of(config));
  }

  @Test
  void aLimitThatIsNoneIsNotGiven() {
    Map<String, Object> arguments = new LinkedHashMap<>();
    arguments.put("quant_min", null);
    assertEquals(
        OptionalInt.empty(), ObserverArguments.read("MinMaxObserver", arguments).quantMin());
  }

  /** What {@code get_default_qconfig} answers is what its text makes again. */
  @Test
  void defaultQConfigsSurviveTheirNames() {
    for (String backend : List.of("x86", "fbgemm", "onednn", "qnnpack")) {
      for (TorchQConfig qconfig :
          List.of(TorchQConfig.postTraining(backend), TorchQConfig.training(backend, 1))) {
        for (TorchQConfig.Module module : List.of(qconfig.activation(), qconfig.weight())) {
          ObserverConfig observer = module.observer();
          assertEquals(
              observer,
              ObserverArguments.read(observer.kind().className(), ObserverArguments.of(observer)));
        }
      }
    }
  }

  static Stream<List<?>> refused() {
    return Stream.of(
        List.of("MinMaxObserver", Map.of("dtyp", "quint8"), "takes no argument \"dtyp\": it takes"),
        List.of("MinMaxObserver", Map.of("ch_axis", 0), "takes no argument \"ch_axis\""),
        List.of("MinMaxObserver", Map.of("dtype", 3), "cannot take dtype=3: the argument is of"),
        List.of("MinMaxObserver", Map.of("eps", "small"), "cannot take eps=small"),
        List.of("MinMaxObserver", Map.of("reduce_range", 1), "cannot take reduce_range=1"),
        List.of("MinMaxObserver", Map.of("quant_min", 1.5), "cannot take quant_min=1.5"),
        List.of("MinMaxObserver", Map.of("quant_min", 1L << 40), "cannot take quant_min=1099"),
        List.of("MinMaxObserver", Map.of("qscheme", "qint8"), "Unknown scheme \"qint8\""),
        List.of("HistogramObserver", Map.of("bins", 0), "a histogram cannot have 0 parts"),
        List.of(
            "HistogramObserver", Map.of("version", "torch-3"), "Unknown generation \"torch-3\""),
        List.of("NoObserver", Map.of(), "Unknown observer \"NoObserver\""));
  }

  @ParameterizedTest
  @MethodSource("refused")
  void whatCannotBeIsSaid(List<?> refused) {
    @SuppressWarnings("unchecked")
    Map<String, ?> arguments = (Map<String, ?>) refused.get(1);
    TareException e =
        assertThrows(
            TareException.class, () -> ObserverArguments.read((String) refused.get(0), arguments));
    assertEquals(TareException.Kind.USAGE, e.kind());
    assertTrue(e.getMessage().contains((String) refused.get(2)), e.getMessage());
  }
}
