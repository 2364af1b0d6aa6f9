package org.tare.job;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.OutputMetrics;

/** What cannot be shown to be good enough does not pass. */
class QualityGateTest {
  private static final OptionalDouble NONE = OptionalDouble.empty();

  private static EvaluationJob.Result of(Map<String, OutputMetrics> outputs, String... otherShape) {
    return new EvaluationJob.Result(0, 0, "", outputs, Map.of(), List.of(otherShape), 0);
  }

  @Test
  void figureThatIsNotANumberDoesNotPass() {
    QualityGate gate = new QualityGate(OptionalDouble.of(-1000), NONE, NONE, NONE);
    assertEquals(
        List.of("Output \"100%s\": SQNR is NaN dB, evaluate.min-sqnr asks for -1000"),
        gate.unmet(of(Map.of("100%s", new OutputMetrics()))));
  }

  @Test
  void outputThatWasNotComparedDoesNotPass() {
    QualityGate gate = new QualityGate(NONE, OptionalDouble.of(-1), NONE, NONE);
    assertEquals(
        List.of("Output \"boxes\" was not compared: its shape is another"),
        gate.unmet(of(Map.of(), "boxes")));
  }

  @Test
  void accuracyOfNothingDoesNotPass() {
    QualityGate gate = new QualityGate(NONE, NONE, OptionalDouble.of(1), NONE);
    assertEquals(
        List.of("No output ranks classes, so there is no accuracy to hold"),
        gate.unmet(of(Map.of("y", new OutputMetrics()))));
  }

  @Test
  void gateThatAsksForNothingPasses() {
    assertEquals(List.of(), new QualityGate(NONE, NONE, NONE, NONE).unmet(of(Map.of(), "boxes")));
  }
}
