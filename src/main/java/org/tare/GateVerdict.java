package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import org.tare.job.QualityGate;
import org.tare.spark.tasks.EvaluationJob;

/** What came of a quality gate: the sentences that say what is not met, none if all is. */
record GateVerdict(List<String> unmet) {
  GateVerdict {
    unmet = List.copyOf(unmet);
  }

  /** Empty if the gate asks for nothing. */
  static Optional<GateVerdict> of(QualityGate gate, EvaluationJob.Result found) {
    return gate.isSet() ? Optional.of(new GateVerdict(gate.unmet(found))) : Optional.empty();
  }

  void addTo(ObjectNode result) {
    ObjectNode node = result.putObject("gate").put("met", unmet.isEmpty());
    unmet.forEach(node.putArray("unmet")::add);
  }

  /** Tells those who follow the run why nothing was published, and what is kept. */
  static void tell(Tare tare, Result result, Optional<List<String>> kept) {
    tare.progress()
        .accept(
            "Not published: "
                + String.join("; ", result.unmet())
                + kept.map(files -> "; kept are " + String.join(" and ", files)).orElse(""));
  }
}
