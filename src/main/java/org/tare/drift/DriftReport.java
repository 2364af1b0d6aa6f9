package org.tare.drift;

import java.util.List;

/**
 * How far two states are apart.
 *
 * @param referenceRows rows of the reference
 * @param currentRows rows of the current state
 * @param verdict the gravest of the tensors'
 * @param tensors those that both states hold, the gravest first, then by effect, then by name
 * @param onlyInReference names of tensors that the current state lacks
 * @param onlyInCurrent names of tensors that the reference lacks
 */
public record DriftReport(
    long referenceRows,
    long currentRows,
    Verdict verdict,
    List<TensorDrift> tensors,
    List<String> onlyInReference,
    List<String> onlyInCurrent) {
  public DriftReport {
    tensors = List.copyOf(tensors);
    onlyInReference = List.copyOf(onlyInReference);
    onlyInCurrent = List.copyOf(onlyInCurrent);
  }

  /** How many tensors got the verdict. */
  public long count(Verdict of) {
    return tensors.stream().filter(tensor -> tensor.verdict() == of).count();
  }

  /** The largest effect of a tensor, in standard deviations. */
  public double effect() {
    return tensors.stream().mapToDouble(TensorDrift::effect).max().orElse(0);
  }
}
