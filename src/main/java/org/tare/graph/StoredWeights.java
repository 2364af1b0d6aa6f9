package org.tare.graph;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.tare.graph.QuantizedConstants.Weight;
import org.tare.qconfig.QConfig;
import org.tare.quant.BlockQParams;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;

/**
 * Weights that are stored as integers and multiplied as floats: int8 through a DequantizeLinear,
 * with qparams per output channel; 4 bits in blocks through ONNX Runtime's MatMulNBits, which
 * multiplies without writing the floats down, or through the blocked DequantizeLinear of operator
 * set 21; rows of an embedding table after they are gathered.
 */
final class StoredWeights {
  /** Tables with fewer values gain nothing. */
  private static final int LEAST_TABLE = 1024;

  private static final Set<String> RECURRENT = Set.of("LSTM", "GRU", "RNN");

  private final Graph graph;
  private final QuantizedConstants constants;
  private final Consumer<Node> write;
  private final Map<String, QuantizedWeight> weights;

  StoredWeights(
      Graph graph,
      QuantizedConstants constants,
      Consumer<Node> write,
      Map<String, QuantizedWeight> weights) {
    this.graph = graph;
    this.constants = constants;
    this.write = write;
    this.weights = weights;
  }

  /** Whether the node gathers rows of a large constant table. */
  static boolean isEmbedding(Graph graph, Node node) {
    return node.isStandard()
        && node.opType().equals("Gather")
        && node.intAttribute("axis", 0) == 0
        && graph
            .constant(node.input(0))
            .filter(Tensors::isFloat)
            .filter(table -> table.getDimsCount() == 2 && Tensors.size(table) >= LEAST_TABLE)
            .isPresent();
  }

  /**
   * Gathers integers, then dequantizes them with a scale for each column: the table is never
   * dequantized as a whole.
   */
  void embedding(Node node, QConfig config) {
    Weight table = constants.read(node.input(0));
    QuantizedConstants.checkFinite(node, table.name(), table.values());
    QConfig eightBits = config.withWeightType(DType.INT8);
    ChannelQParams qparams = QuantizedConstants.qparams(table, 1, eightBits);
    String rows = graph.freshName(node.label() + "_rows");
    String output = node.output(0);
    node.setInput(0, constants.integers(table, qparams));
    node.setOutput(0, rows);
    write.accept(node);
    Node dequantize =
        Node.of(
            "DequantizeLinear",
            "",
            List.of(rows, constants.scales(table, qparams)),
            List.of(output));
    if (qparams.isPerChannel()) {
      dequantize.setInt("axis", -1);
    }
    write.accept(dequantize);
  }

  /** Writes the node with its weights as integers; gives the reason if it can't. */
  Optional<String> rewrite(Node node, QConfig config, boolean blocked) {
    if (RECURRENT.contains(node.opType())) {
      return recurrent(node, config.withWeightType(DType.INT8));
    }
    Weight weight = constants.read(node.input(1)).roundedFor(node, config);
    if (config.weight().block() != 0) {
      if (node.opType().equals("MatMul") && weight.rank() == 2) {
        if (blocked) {
          blockedDequantize(node, weight, config);
        } else {
          matMulNBits(node, weight, config);
        }
        return Optional.empty();
      }
      return rewrite(node, config.withWeightType(DType.INT8), blocked);
    }
    int axis = WeightAxes.channelAxis(node, weight.shape());
    ChannelQParams qparams = QuantizedConstants.qparams(weight, axis, config);
    boolean isProduct = node.opType().equals("MatMul") || node.opType().equals("Gemm");
    QuantizedConstants place = isProduct ? constants.beside() : constants;
    node.setInput(1, place.dequantized(weight, qparams, false));
    write.accept(node);
    return Optional.empty();
  }

  private Optional<String> recurrent(Node node, QConfig config) {
    if (!graph.isConstant(node.input(1)) || !graph.isConstant(node.input(2))) {
      return Optional.of("its weights are not constants");
    }
    for (int i = 1; i <= 2; i++) {
      Weight weight = constants.read(node.input(i));
      QuantizedConstants.checkFinite(node, weight.name(), weight.values());
      ChannelQParams qparams = QuantizedConstants.qparams(weight, 1, config);
      node.setInput(i, constants.dequantized(weight, qparams, false));
    }
    write.accept(node);
    return Optional.empty();
  }

  /** The weight as [columns, blocks, bytes of a block], two values a byte, the first one low. */
  private void matMulNBits(Node node, Weight weight, QConfig config) {
    int rows = (int) weight.shape()[0];
    int columns = (int) weight.shape()[1];
    int block = config.weight().block();
    BlockQParams q =
        QuantizedConstants.quantizer(config).blocks(weight.values(), rows, columns, block);
    byte[] packed = new byte[columns * q.blocks() * block / 2];
    boolean signed = q.dtype() == DType.INT4;
    for (int n = 0; n < columns; n++) {
      for (int k = 0; k < rows; k++) {
        // The operator's integers are unsigned, with 8 for the zero of the symmetric ones.
        int value = q.quantize(weight.values()[k * columns + n], k, n) + (signed ? 8 : 0);
        packed[(n * q.blocks() * block + k) / 2] |= (byte) (value << (k % 2 * 4));
      }
    }
    String integers = graph.freshName(weight.name() + "_q");
    graph
        .owner(weight.name())
        .addConstant(
            Tensors.ofBytes(
                integers, ElementType.UINT8, new long[] {columns, q.blocks(), block / 2}, packed));
    String scales = graph.freshName(weight.name() + "_s");
    graph
        .owner(weight.name())
        .addConstant(Tensors.ofFloats(scales, new long[] {q.scales().length}, q.scales()));
    List<String> inputs = new ArrayList<>(List.of(node.input(0), integers, scales));
    if (!signed) {
      int bytes = (q.blocks() + 1) / 2;
      byte[] zeroPoints = new byte[columns * bytes];
      for (int n = 0; n < columns; n++) {
        for (int b = 0; b < q.blocks(); b++) {
          zeroPoints[n * bytes + b / 2] |=
              (byte) (q.zeroPoints()[n * q.blocks() + b] << (b % 2 * 4));
        }
      }
      String name = graph.freshName(weight.name() + "_z");
      graph
          .owner(weight.name())
          .addConstant(
              Tensors.ofBytes(name, ElementType.UINT8, new long[] {zeroPoints.length}, zeroPoints));
      inputs.add(name);
    }
    weights.put(weight.name(), QuantizedWeight.of(q, weight.values().length, !signed));
    Node product = Node.of("com.microsoft", "MatMulNBits", node.name(), inputs, node.outputs());
    product.setInt("K", rows);
    product.setInt("N", columns);
    product.setInt("bits", 4);
    product.setInt("block_size", block);
    write.accept(product);
  }

  private void blockedDequantize(Node node, Weight weight, QConfig config) {
    int rows = (int) weight.shape()[0];
    int columns = (int) weight.shape()[1];
    BlockQParams q =
        QuantizedConstants.quantizer(config)
            .blocks(weight.values(), rows, columns, config.weight().block());
    int[] integers = new int[weight.values().length];
    for (int i = 0; i < integers.length; i++) {
      integers[i] = q.quantize(weight.values()[i], i / columns, i % columns);
    }
    float[] scales = new float[q.scales().length];
    int[] zeroPoints = new int[scales.length];
    for (int n = 0; n < columns; n++) {
      for (int b = 0; b < q.blocks(); b++) {
        scales[b * columns + n] = q.scales()[n * q.blocks() + b];
        zeroPoints[b * columns + n] = q.zeroPoints()[n * q.blocks() + b];
      }
    }
    long[] blocks = {q.blocks(), columns};
    // In the graph of the node: see QuantizedConstants.beside.
    String integersName = graph.freshName(weight.name() + "_q");
    String scalesName = graph.freshName(weight.name() + "_s");
    graph.addConstant(Tensors.ofQuantized(integersName, q.dtype(), weight.shape(), integers));
    graph.addConstant(Tensors.ofFloats(scalesName, blocks, scales));
    List<String> inputs = new ArrayList<>(List.of(integersName, scalesName));
    boolean withZeroPoint = q.dtype() == DType.UINT4;
    if (withZeroPoint) {
      String name = graph.freshName(weight.name() + "_z");
      graph.addConstant(Tensors.ofQuantized(name, q.dtype(), blocks, zeroPoints));
      inputs.add(name);
    }
    weights.put(weight.name(), QuantizedWeight.of(q, weight.values().length, withZeroPoint));
    String output = graph.freshName(weight.name() + "_dq");
    Node dequantize = Node.of("DequantizeLinear", "", inputs, List.of(output));
    dequantize.setInt("axis", 0);
    dequantize.setInt("block_size", q.block());
    write.accept(dequantize);
    node.setInput(1, output);
    write.accept(node);
  }
}
