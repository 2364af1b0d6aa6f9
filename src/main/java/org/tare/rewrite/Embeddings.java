package org.tare.rewrite;

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
}
