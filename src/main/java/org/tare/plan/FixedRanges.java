package org.tare.plan;

import java.util.Map;
import java.util.Optional;
import org.tare.onnx.Node;
import org.tare.qconfig.Backend;
import org.tare.range.Range;

/**
 * Ranges that hold whatever the data are, so that nothing is observed: those of functions with a
 * bounded result. Not of Softmax: over many places its results are far below 1, and most of the
 * integers would stand for nothing.
 */
final class FixedRanges {
  private static final Range PROBABILITY = new Range(0f, 1f);

  /**
   * PyTorch's modules have these; elsewhere the observed range, which is narrower, serves better.
   */
  private static final Map<String, Range> ROUNDED =
      Map.of("Sigmoid", PROBABILITY, "HardSigmoid", PROBABILITY, "Tanh", new Range(-1f, 1f));

  private FixedRanges() {}

  /** The range of what the node computes, if it has one. */
  static Optional<Range> of(Node node, Backend backend) {
    if (!node.isStandard()) {
      return Optional.empty();
    }
    return backend.roundsProducts()
        ? Optional.ofNullable(ROUNDED.get(node.opType()))
        : Optional.empty();
  }
}
