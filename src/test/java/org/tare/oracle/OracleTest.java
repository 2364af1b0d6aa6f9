package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.tare.torch.ObserverConfig;
import org.tare.torch.ObserverKind;
import org.tare.torch.TorchObserver;

/**
 * Holds every recorded result of PyTorch and ONNX Runtime, case by case, with the tolerances that
 * their README states. The folder is the system property {@value Oracle#FOLDER}, by default that in
 * the test resources; of those, the number of cases held and of all in the file is asserted too, so
 * that none is left out silently.
 *
 * <p>Folding and quantized operators, bn_folding.json and quantized_ops.json, are held by {@code
 * FoldBatchNormalizationTest} and {@code QuantizedOpsTest}, from the same folder.
 */
class OracleTest {
  private static void hold(String file, int held, int all, BiConsumer<JsonNode, Tally> cases) {
    Tally tally = new Tally(file);
    cases.accept(Oracle.read(file), tally);
    tally.finish();
    if (Oracle.isOwn()) {
      assertEquals(held, tally.held(), "cases held of " + file);
      assertEquals(all, tally.all(), "cases of " + file);
    }
  }

  /** The moving average per channel of the tutorial's two printed tensors, as it prints it. */
  @Test
  void perChannelSeedFigures() {
    TorchObserver observer =
        new TorchObserver(ObserverConfig.of(ObserverKind.MOVING_AVERAGE_PER_CHANNEL));
    observer.observe(new float[] {-0.6123f, 0.1598f, 0.4631f, -0.1487f, -0.1753f, 1.1975f}, 3, 2);
    observer.observe(new float[] {-2.1246f, 1.5558f, -0.8172f, 0.5080f, 0.3117f, -0.8401f}, 3, 2);
    double[] scales = {0.0031, 0.0024, 0.0054};
    int[] zeroPoints = {200, 64, 34};
    for (int c = 0; c < 3; c++) {
      assertEquals(scales[c], observer.qparams().get(c).scale(), 5e-5);
      assertEquals(zeroPoints[c], (int) observer.qparams().get(c).zeroPoint());
    }
  }

  @Test
  void minMaxObservers() {
    hold("observers_minmax.json", 1021, 1021, ObserverCases::observers);
  }

  @Test
  void movingAverageObservers() {
    hold("observers_moving_average.json", 880, 880, ObserverCases::observers);
  }

  @Test
  void perChannelObservers() {
    hold("observers_per_channel.json", 893, 893, ObserverCases::observers);
  }

  @Test
  void calculateQParams() {
    hold("qparams.json", 2124, 2124, ObserverCases::calculateQParams);
  }

  @Test
  void histc() {
    hold("histc.json", 50, 51, HistogramCases::histc);
  }

  @Test
  void histogramSearch() {
    hold("histogram_search.json", 27, 27, HistogramCases::search);
  }

  @Test
  void histogramObservers() {
    hold("observers_histogram.json", 445, 445, HistogramCases::observers);
  }

  @Test
  void generatedStreams() {
    hold("observers_generated.json", 90, 90, HistogramCases::generated);
  }

  @Test
  void orders() {
    hold("order_dependence.json", 39, 39, OrderCases::small);
  }

  @Test
  void ordersOfGeneratedStreams() {
    hold("order_dependence_generated.json", 78, 78, OrderCases::generated);
  }

  @Test
  void dynamic() {
    hold("dynamic.json", 92, 92, QuantizeCases::dynamic);
  }

  @Test
  void quantize() {
    JsonNode newer = Oracle.read("newer_torch_2_13.json");
    hold("quantize.json", 56, 59, (file, tally) -> QuantizeCases.quantize(file, newer, tally));
  }

  @Test
  void fakeQuantize() {
    JsonNode newer = Oracle.read("newer_torch_2_13.json");
    hold(
        "fake_quantize.json",
        78,
        78,
        (file, tally) -> QuantizeCases.fakeQuantize(file, newer, tally));
  }

  @Test
  void learnableFakeQuantize() {
    hold("learnable_fake_quantize.json", 156, 156, QuantizeCases::learnable);
  }

  @Test
  void metrics() {
    hold("metrics.json", 24, 24, QuantizeCases::metrics);
  }

  @Test
  void newerTorch() {
    hold("newer_torch_2_13.json", 240, 240, QuantizeCases::newer);
  }

  @Test
  void facts() {
    hold("facts.json", 50, 114, FactsCases::facts);
  }

  @Test
  void onnxRuntimeCalibrators() {
    hold("onnxruntime_calibrators.json", 80, 80, OnnxRuntimeCases::calibrators);
  }
}
