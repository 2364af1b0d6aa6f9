package org.tare.rewrite;

import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.plan.FiniteValues;
import org.tare.qconfig.QConfig;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;
import org.tare.rewrite.QuantizedConstants.Weight;

/** Embedding tables, which are stored as int8 in every mode. */
final class Embeddings {
  private Embeddings() {}

  /**
   * Gathers integers, then dequantizes them with a scale for each column: the table is never
   * dequantized as a whole.
   */
  static void write(
      Graph graph, QuantizedConstants constants, Consumer<Node> write, Node node, QConfig config) {
    Weight table = constants.read(node.input(0));
    FiniteValues.check(node, table.name(), table.values());
    QConfig eightBits = config.withWeightType(DType.INT8).withoutReducedRange();
    ChannelQParams qparams = QuantizedConstants.qparams(table, 1, eightBits);
    String rows = graph.addedName(node.label(), "_rows");
    String output = node.output(0);
    node.setInput(0, constants.integers(table, qparams));
    node.setOutput(0, rows);
    write.accept(node);
    write.accept(dequantize(constants, table, qparams, 1, rows, output));
  }

  /**
   * Looked-up rows as floats: with a scale for each of their places, be they equal. ONNX Runtime
   * 1.29 moves a DequantizeLinear with one scale past a Transpose or Reshape, where it takes the
   * integers for uint8 if there is no zero point; with one, it multiplies the rows in integers,
   * which may saturate.
   *
   * @param table as it is stored
   * @param axis of the stored table along which a row's values stand
   */
  static Node dequantize(
      QuantizedConstants constants,
      Weight table,
      ChannelQParams qparams,
      int axis,
      String rows,
      String output) {
    ChannelQParams each =
        qparams.isPerChannel()
            ? qparams
            : new ChannelQParams(
                axis, Collections.nCopies((int) table.shape()[axis], qparams.channels().get(0)));
    Node dequantize =
        Node.of(
            "DequantizeLinear", "", List.of(rows, constants.scales(table, each)), List.of(output));
    dequantize.setInt("axis", axis == 0 ? 0 : -1);
    return dequantize;
  }
}
