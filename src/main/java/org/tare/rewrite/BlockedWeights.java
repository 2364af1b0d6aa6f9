package org.tare.rewrite;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.BlockQParams;
import org.tare.quant.DType;
import org.tare.rewrite.QuantizedConstants.Weight;

/**
 * Matrices of 4-bit integers with qparams for each block of a column: for ONNX Runtime's
 * MatMulNBits, which multiplies without writing the floats down, or for the blocked
 * DequantizeLinear of operator set 21. A matrix that several products read is written once.
 */
final class BlockedWeights {
  private final Graph graph;
  private final Consumer<Node> write;
  private final Map<String, QuantizedWeight> weights;
  private final boolean standardOnly;
  private final Map<Key, List<String>> written = new HashMap<>();

  private record Key(String name, TensorQConfig config) {}

  /**
   * @param write takes the nodes, in order
   * @param weights is told of each weight, by its name in the float model
   * @param standardOnly whether only ONNX's own operators may be used
   */
  BlockedWeights(
      Graph graph,
      Consumer<Node> write,
      Map<String, QuantizedWeight> weights,
      boolean standardOnly) {
    this.graph = graph;
    this.write = write;
    this.weights = weights;
    this.standardOnly = standardOnly;
  }

  /** Writes a MatMul of a matrix with blocks. */
  void write(Node product, Weight weight, QConfig config) {
    Key key = new Key(weight.name(), config.weight());
    List<String> known = written.get(key);
    if (known == null) {
      int rows = (int) weight.shape()[0];
      int columns = (int) weight.shape()[1];
      BlockQParams q =
          QuantizedConstants.quantizer(config)
              .blocks(weight.values(), rows, columns, config.weight().block());
      weights.put(weight.name(), QuantizedWeight.of(q, weight.values().length, hasZeroPoints(q)));
      known = standardOnly ? List.of(dequantized(weight, q)) : packed(weight, q);
      written.put(key, known);
    }
    if (standardOnly) {
      product.setInput(1, known.get(0));
      write.accept(product);
    } else {
      write.accept(matMulNBits(product, weight, config.weight().block(), known));
    }
  }

  /** Signed integers are symmetric. */
  private static boolean hasZeroPoints(BlockQParams q) {
    return q.dtype() == DType.UINT4;
  }

  private static Node matMulNBits(Node product, Weight weight, int block, List<String> packed) {
    List<String> inputs = new ArrayList<>(List.of(product.input(0)));
    inputs.addAll(packed);
    Node node = Node.of(Node.MICROSOFT, "MatMulNBits", product.name(), inputs, product.outputs());
    node.setInt("K", weight.shape()[0]);
    node.setInt("N", weight.shape()[1]);
    node.setInt("bits", 4);
    node.setInt("block_size", block);
    return node;
  }

  /**
   * Integers, scales and zero points as MatMulNBits reads them: [columns, blocks, bytes of a
   * block], two values a byte, the first one low.
   */
  private List<String> packed(Weight weight, BlockQParams q) {
    int rows = (int) weight.shape()[0];
    int columns = (int) weight.shape()[1];
    byte[] packed = new byte[columns * q.blocks() * q.block() / 2];
    // The operator's integers are unsigned, with 8 for the zero of the symmetric ones.
    int shift = hasZeroPoints(q) ? 0 : 8;
    float[] values = weight.values();
    for (int n = 0; n < columns; n++) {
      for (int k = 0; k < rows; k++) {
        int value = q.quantize(values[k * columns + n], k, n) + shift;
        packed[(n * q.blocks() * q.block() + k) / 2] |= (byte) (value << (k % 2 * 4));
      }
    }
    Graph owner = graph.owner(weight.name());
    String integers = graph.addedName(weight.name(), "_q");
    long[] shape = {columns, q.blocks(), q.block() / 2};
    owner.addConstant(Tensor.ofBytes(integers, ElementType.UINT8, shape, packed));
    String scales = graph.addedName(weight.name(), "_s");
    owner.addConstant(Tensor.ofFloats(scales, new long[] {q.scales().length}, q.scales()));
    if (!hasZeroPoints(q)) {
      return List.of(integers, scales);
    }
    int bytes = (q.blocks() + 1) / 2;
    byte[] zeroPoints = new byte[columns * bytes];
    for (int n = 0; n < columns; n++) {
      for (int b = 0; b < q.blocks(); b++) {
        zeroPoints[n * bytes + b / 2] |= (byte) (q.zeroPoints()[n * q.blocks() + b] << (b % 2 * 4));
      }
    }
    String name = graph.addedName(weight.name(), "_z");
    owner.addConstant(
        Tensor.ofBytes(name, ElementType.UINT8, new long[] {zeroPoints.length}, zeroPoints));
    return List.of(integers, scales, name);
  }

  /** The name of the floats out of a DequantizeLinear, whose qparams lie block by block. */
  private String dequantized(Weight weight, BlockQParams q) {
    int columns = (int) weight.shape()[1];
    float[] values = weight.values();
    int[] integers = new int[values.length];
    for (int i = 0; i < integers.length; i++) {
      integers[i] = q.quantize(values[i], i / columns, i % columns);
    }
    float[] scales = new float[q.scales().length];
    int[] zeroPoints = new int[scales.length];
    for (int n = 0; n < columns; n++) {
      for (int b = 0; b < q.blocks(); b++) {
        scales[b * columns + n] = q.scales()[n * q.blocks() + b];
        zeroPoints[b * columns + n] = q.zeroPoints()[n * q.blocks() + b];
      }
    }
    long[] shape = {q.blocks(), columns};
    // In the graph of the node: see QuantizedConstants.beside.
    String integersName = graph.addedName(weight.name(), "_q");
    String scalesName = graph.addedName(weight.name(), "_s");
    graph.addConstant(Tensor.ofQuantized(integersName, q.dtype(), weight.shape(), integers));
    graph.addConstant(Tensor.ofFloats(scalesName, shape, scales));
    List<String> inputs = new ArrayList<>(List.of(integersName, scalesName));
    if (hasZeroPoints(q)) {
      String name = graph.addedName(weight.name(), "_z");
      graph.addConstant(Tensor.ofQuantized(name, q.dtype(), shape, zeroPoints));
      inputs.add(name);
    }
    String output = graph.addedName(weight.name(), "_dq");
    Node dequantize = Node.of("DequantizeLinear", "", inputs, List.of(output));
    dequantize.setInt("axis", 0);
    dequantize.setInt("block_size", q.block());
    write.accept(dequantize);
    return output;
  }
}
