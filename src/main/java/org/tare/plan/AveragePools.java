package org.tare.plan;

import java.util.Optional;
import org.tare.onnx.Node;

/**
 * Average pools that ONNX Runtime (1.29 to 1.32) gets wrong where it fuses them with the pairs
 * around them: its integer kernel divides by the whole window where {@code ceil_mode} lets it stand
 * out and {@code count_include_pad} is set (results of 7 to 21 dB), and has no dilations at all, so
 * that the model does not load.
 */
public final class AveragePools {
  private AveragePools() {}

  /** Why a node must stay float and must not be fused, if it is such a pool. */
  public static Optional<String> obstacle(Node node) {
    if (!node.isStandard() || !node.opType().equals("AveragePool")) {
      return Optional.empty();
    }
    if (node.intsAttribute("dilations").stream().anyMatch(step -> step != 1)) {
      return Optional.of("ONNX Runtime's integer kernel has no dilations");
    }
    boolean countsPads =
        node.intAttribute("ceil_mode", 0) != 0 && node.intAttribute("count_include_pad", 0) != 0;
    return countsPads
        ? Optional.of("ONNX Runtime's integer kernel is wrong for ceil_mode with count_include_pad")
        : Optional.empty();
  }
}
