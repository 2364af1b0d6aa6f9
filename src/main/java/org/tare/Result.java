package org.tare;

import java.util.List;
import org.tare.report.ReportData.Fact;

/** What a call gave: a value, with what it was made of and a form for machines. */
public sealed interface Result 
    permits Calibration, DriftCheck, Evaluation, Observation, Quantized, RunResult {
  /** On what it was made, with which settings, when, by which versions. */
  Provenance provenance();

  /** What was done otherwise than one may think, in a sentence each. */
  List<String> warnings();

  /** What {@code result.json} holds. */
  String toJson();

  /** Lines for people: what, and what came of it. */
  List<Fact> summary();
}
