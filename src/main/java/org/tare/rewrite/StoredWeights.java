package org.tare.rewrite;

import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Operators;
import org.tare.plan.FiniteValues;
import org.tare.plan.WeightAxes;
import org.tare.qconfig.QConfig;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;
import org.tare.rewrite.QuantizedConstants.Weight;

/**
 * Weights that are stored as integers and multiplied as floats: int8 through a DequantizeLinear,
 * with qparams per output channel, or 4 bits as {@link BlockedWeights} has them. No sum of integers
 * can saturate, so they have all bits and no limit.
 */
final class StoredWeights {
  private final Graph graph;
  private final QuantizedConstants constants;
  private final BlockedWeights blocks;
  private final Consumer<Node> write;
  private final Function<String, Optional<ChannelQParams>> trained;

  StoredWeights(
      Graph graph,
      QuantizedConstants constants,
      BlockedWeights blocks,
      Consumer<Node> write,
      Function<String, Optional<ChannelQParams>> trained) {
    this.trained = trained;
    this.graph = graph;
    this.constants = constants;
    this.blocks = blocks;
    this.write = write;
  }

  /** Writes the node with its weights as integers; gives the reason if it can't. */
  Optional<String> rewrite(Node node, QConfig given) {
    QConfig config = given.withoutReducedRange();
    if (Operators.RECURRENT.contains(node.opType())) {
      return recurrent(node, config.withWeightType(DType.INT8));
    }
    Weight weight = constants.read(node.input(1)).roundedFor(node, config);
    if (config.weight().block() != 0) {
      if (node.opType().equals("MatMul") && weight.rank() == 2) {
        blocks.write(node, weight, config);
        return Optional.empty();
      }
      return rewrite(node, config.withWeightType(DType.INT8));
    }
    int axis = WeightAxes.channelAxis(node, weight.shape());
    ChannelQParams qparams = QuantizedConstants.qparams(weight, axis, config);
    boolean isProduct = node.opType().equals("MatMul") || node.opType().equals("Gemm");
    QuantizedConstants place = isProduct ? constants.beside() : constants;
    node.setInput(1, place.dequantized(weight, qparams));
    write.accept(node);
    return Optional.empty();
  }

  private Optional<String> recurrent(Node node, QConfig config) {
    if (!graph.isConstant(node.input(1)) || !graph.isConstant(node.input(2))) {
      return Optional.of("its weights are not constants");
    }
    for (int i = 1; i <= 2; i++) {
      Weight weight = constants.read(node.input(i));
      FiniteValues.check(node, weight.name(), weight.values());
      ChannelQParams qparams =
          trained
              .apply(weight.name())
              .orElseGet(() -> QuantizedConstants.qparams(weight, 1, config));
      node.setInput(i, constants.dequantized(weight, qparams));
    }
    write.accept(node);
    return Optional.empty();
  }
}
