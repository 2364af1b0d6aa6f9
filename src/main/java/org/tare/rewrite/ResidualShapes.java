package org.tare.rewrite;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.SymbolicShapes;
import org.tare.onnx.SymbolicShapes.Size;
import org.tare.onnx.TensorType;

/**
 * Declares the shapes of what residual additions add, where they are equal but vary. ONNX Runtime
 * fuses such an addition with the normalization after it (SkipLayerNormalization) only if it sees
 * that; no other shapes are written, since each takes some hundred bytes.
 */
final class ResidualShapes {
  private ResidualShapes() {}

  /**
   * @param floatGraph what the other was made from: what both have by a name is of one shape
   * @param types of the float model's tensors
   */
  static void declare(Graph quantized, Graph floatGraph, Map<String, TensorType> types) {
    Map<String, List<Size>> shapes = SymbolicShapes.of(floatGraph);
    for (Node node : floatGraph.nodes()) {
      boolean isSum = node.isStandard() && node.opType().equals("Add");
      List<Size> left = isSum ? shapes.get(node.input(0)) : null;
      boolean isResidual =
          left != null
              && left.stream().anyMatch(size -> !size.isNumber())
              && left.equals(shapes.get(node.input(1)));
      if (isResidual) {
        for (String input : node.inputs()) {
          if (isFloat(types.get(input)) && !floatGraph.isInput(input)) {
            quantized.declareFloat(input, left);
          }
        }
      }
    }
  }

  private static boolean isFloat(TensorType type) {
    return Optional.ofNullable(type)
        .filter(t -> t.elementType() == ElementType.FLOAT32)
        .isPresent();
  }
}
