package org.tare.rewrite;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.tare.onnx.ElementType;
import org.tare.onnx.Float16;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/**
 * Stores what stays float32 as float16, with a Cast before its use: half the bytes, rounded to 11
 * bits. Computation stays in float32; runtimes cast once, when they load the model.
 */
final class HalfWeights {
  /** Smaller constants are not worth a node. */
  private static final int LEAST = 256;

  private static final float LARGEST = 65504f;

  private HalfWeights() {}

  /** Converts all large matrices and kernels whose values float16 holds; returns how many. */
  static int apply(Graph graph) {
    List<Node> nodes = new ArrayList<>();
    Map<String, List<Node>> consumers = graph.consumers();
    for (Tensor tensor : List.copyOf(graph.constants())) {
      boolean isLarge = tensor.isFloat() && tensor.size() >= LEAST;
      if (!isLarge || isVector(tensor) || isOfIntegers(consumers.get(tensor.name()))) {
        continue;
      }
      float[] values = tensor.floats();
      if (isHeld(values) && !graph.isOutput(tensor.name())) {
        String name = graph.freshName(tensor.name() + "_half");
        graph.addConstant(half(name, tensor.shape(), values));
        graph.removeConstant(tensor.name());
        Node cast = Node.of("Cast", "", List.of(name), List.of(tensor.name()));
        cast.setInt("to", ElementType.FLOAT32.code());
        nodes.add(cast);
      }
    }
    int converted = nodes.size();
    nodes.addAll(graph.nodes());
    graph.setNodes(nodes);
    return converted;
  }

  /** Biases and scales, of whatever rank: too small to matter, and scales have to be exact. */
  private static boolean isVector(Tensor tensor) {
    return Arrays.stream(tensor.shape()).filter(size -> size > 1).count() < 2;
  }

  /** Scales of blocks. */
  private static boolean isOfIntegers(List<Node> readers) {
    return readers == null
        || readers.stream()
            .anyMatch(node -> !node.isStandard() || node.opType().equals("DequantizeLinear"));
  }

  private static boolean isHeld(float[] values) {
    for (float value : values) {
      if (!(Math.abs(value) <= LARGEST)) {
        return false;
      }
    }
    return true;
  }

  private static Tensor half(String name, long[] shape, float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(2 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putShort(Float16.bits(value));
    }
    return Tensor.ofBytes(name, ElementType.FLOAT16, shape, bytes.array());
  }
}
