package org.tare.train;

/** What becomes of a model with nodes that cannot be trained through. */
public enum Untrainable {
  /** It is refused. */
  REFUSED,
  /**
   * These nodes, and all that they depend on, stay as they are: ONNX Runtime computes them in
   * floats, and what comes after them is trained.
   */
  FROZEN
}
