package org.tare;

import java.util.List;
import org.tare.report.ReportData.Fact;
import org.tare.results.Provenance;

/** What a call gave: a value, with what it was made of and a form for machines. */
public sealed interface Result
    permits Calibration,
        DriftCheck,
        Evaluation,
        LayerComparison,
        Mix,
        Observation,
        Quantized,
        Recalibration,
        Recommendation,
        RunResult,
        Sensitivity {
  /** On what it was made, with which settings, when, by which versions. */
  Provenance provenance();

  /** What was done otherwise than one may think, in a sentence each. */
  List<String> warnings();

  /**
   * What the quality gate asks for and is not met, in a sentence each: then nothing was published.
   * Empty where all is met, or nothing is asked for.
   */
  default List<String> unmet() {
    return List.of();
  }

  /** What {@code result.json} holds. */
  String toJson();

  /** Lines for people: what, and what came of it. */
  List<Fact> summary();
}
