package org.tare.job.advice;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.job.trials.Criterion;

/**
 * Which way to quantize a model, and why.
 *
 * @param rows how many each way was judged on
 * @param metric what they were judged by
 * @param floatMetric of the float model
 * @param maxDrop how much of it may be lost
 * @param tried every way, in the order of their costs
 * @param chosen the first that keeps the target, or else the best; empty if none could be measured
 * @param overrides entries of {@code quantize.overrides} that the choice needs besides
 */
public record Advice(
    Traits traits,
    long rows,
    Criterion metric,
    double floatMetric,
    double maxDrop,
    List<Step> tried,
    Optional<Step> chosen,
    List<Map<String, Object>> overrides,
    double seconds) {
  public Advice {
    tried = List.copyOf(tried);
    overrides = List.copyOf(overrides);
  }

  /** Whether the choice keeps the target. */
  public boolean isMet() {
    return chosen.flatMap(Step::measured).map(Measured::isMet).orElse(false);
  }

  /**
   * One way.
   *
   * @param measured empty where it was not tried
   * @param reason what was made of it, as a sentence without its end
   */
  public record Step(Way way, Optional<Measured> measured, String reason) {}

  /**
   * What a way gives.
   *
   * @param metric of the quantized model
   * @param sqnr in dB, of the mean error over all outputs
   * @param bytes of the quantized model
   * @param isMet whether it keeps the target
   */
  public record Measured(
      double metric, double drop, double sqnr, long bytes, boolean isMet, double seconds) {}
}
