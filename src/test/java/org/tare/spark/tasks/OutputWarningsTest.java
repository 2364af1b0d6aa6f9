package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.job.Warnings;

/** What is said of an output that the quantized model gives otherwise. */
class OutputWarningsTest {
  private List<String> worst = List.of();

  private List<String> warnings(float... quantized) {
    OutputMetrics metrics = new OutputMetrics();
    float[] expected = {3, -4, 0, 0};
    metrics.add(expected, quantized, 0, expected.length);
    return Warnings.ofOutputs(
        new EvaluationJob.Result(1, 0, "", Map.of("y", metrics), Map.of(), List.of(), 0),
        () -> worst);
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "0.49, 0", "0.51, 1", "5, 1", "50, 1"})
  void anErrorOfMoreThanATenthOfTheSignalIsSaid(float error, int count) {
    List<String> warnings = warnings(3, -4, error, 0);
    assertEquals(count, warnings.size(), warnings.toString());
  }

  @Test
  void withTheFigures() {
    String warning = warnings(3, -4, 2.5f, 0).get(0);
    assertTrue(
        warning.startsWith(
            "Output \"y\" is far from float32's: an SQNR of 6.0 dB, so that the error is 50 % of"),
        warning);
    assertTrue(
        warning.contains(
            "of the signal; the command compare, with --model, --quantized and --data,"),
        warning);
  }

  @Test
  void withTheThreeLayersThatLoseMost() {
    worst =
        List.of("Conv(a) (3.0 dB alone)", "Gemm(b) (4.0 dB alone)", "Add(c) (5.0 dB alone)", "d");
    String warning = warnings(3, -4, 2.5f, 0).get(0);
    assertTrue(
        warning.contains(
            "most comes from Conv(a) (3.0 dB alone), Gemm(b) (4.0 dB alone), Add(c) (5.0 dB alone);"
                + " quantize.overrides"),
        warning);
  }

  /** Looking for them takes a pass over rows. */
  @Test
  void layersAreNotAskedForWhereLittleIsLost() {
    OutputMetrics metrics = new OutputMetrics();
    float[] values = {3, -4, 0, 0};
    metrics.add(values, values, 0, values.length);
    EvaluationJob.Result good =
        new EvaluationJob.Result(1, 0, "", Map.of("y", metrics), Map.of(), List.of(), 0);
    assertEquals(
        List.of(),
        Warnings.ofOutputs(
            good,
            () -> {
              throw new AssertionError("asked");
            }));
  }

  @Test
  void nothingIsSaidOfWhatCannotBeCompared() {
    List<String> warnings = warnings(Float.NaN, Float.NaN, Float.NaN, Float.NaN);
    assertEquals(1, warnings.size(), warnings.toString());
    assertTrue(warnings.get(0).contains("NaN or infinite"), warnings.toString());
  }
}
