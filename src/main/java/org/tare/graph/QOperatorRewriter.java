package org.tare.graph;

/** Placeholder until the form is written. */
final class QOperatorRewriter {
  private QOperatorRewriter() {}

  static QuantizedModel rewrite(QuantizedModel qdq) {
    return qdq;
  }
}
