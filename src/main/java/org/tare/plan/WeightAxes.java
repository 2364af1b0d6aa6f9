package org.tare.plan;

import org.tare.onnx.Node;

/** Which axis of a weight counts the output channels of its operator. */
public final class WeightAxes {
  private WeightAxes() {}

  /** The axis, or -1 if there is none. */
  public static int channelAxis(Node node, long[] shape) {
    return switch (node.opType()) {
      case "Conv" -> 0;
      case "ConvTranspose" -> 1;
      case "Gemm" -> node.intAttribute("transB", 0) != 0 ? 0 : 1;
      default -> shape.length == 2 ? 1 : -1;
    };
  }
}
