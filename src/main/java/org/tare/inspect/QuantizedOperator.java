package org.tare.inspect;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.GraphScope;
import org.tare.onnx.Node;

/**
 * Where the operators that take integers have their tensors, scales and zero points: ONNX's own and
 * those of com.microsoft.
 *
 * @param inputs the quantized inputs
 * @param output where scale and zero point of the output are, in {@link Slot#scale} and {@link
 *     Slot#zeroPoint}, if it is quantized
 * @param bias the input that is an int32 bias, of the scale of the first two inputs' product; -1
 *     for none
 * @param dynamicInput the float input that the operator quantizes by itself; -1 for none
 */
record QuantizedOperator(List<Slot> inputs, Optional<Slot> output, int bias, int dynamicInput) {
  /**
   * The indices of a tensor's inputs; -1 where there is none.
   *
   * @param tensor the tensor itself
   */
  record Slot(int tensor, int scale, int zeroPoint) {}

  private static final QuantizedOperator BINARY =
      new QuantizedOperator(
          List.of(new Slot(0, 1, 2), new Slot(3, 4, 5)), Optional.of(new Slot(-1, 6, 7)), -1, -1);
  private static final QuantizedOperator UNARY =
      new QuantizedOperator(List.of(new Slot(0, 1, 2)), Optional.of(new Slot(-1, 3, 4)), -1, -1);
  private static final QuantizedOperator INTEGER =
      new QuantizedOperator(
          List.of(new Slot(0, -1, 2), new Slot(1, -1, 3)), Optional.empty(), -1, -1);

  private static final Map<String, QuantizedOperator> BY_NAME =
      Map.ofEntries(
          Map.entry("QLinearConv", new QuantizedOperator(BINARY.inputs, BINARY.output, 8, -1)),
          Map.entry("QLinearMatMul", BINARY),
          Map.entry("QLinearAdd", BINARY),
          Map.entry("QLinearMul", BINARY),
          Map.entry(
              "QGemm",
              new QuantizedOperator(BINARY.inputs, Optional.of(new Slot(-1, 7, 8)), 6, -1)),
          Map.entry("QLinearSigmoid", UNARY),
          Map.entry("QLinearLeakyRelu", UNARY),
          Map.entry("QLinearAveragePool", UNARY),
          Map.entry("QLinearGlobalAveragePool", UNARY),
          Map.entry("QLinearReduceMean", UNARY),
          Map.entry("QLinearSoftmax", UNARY),
          Map.entry(
              "QLinearWhere",
              new QuantizedOperator(
                  List.of(new Slot(1, 2, 3), new Slot(4, 5, 6)),
                  Optional.of(new Slot(-1, 7, 8)),
                  -1,
                  -1)),
          Map.entry("ConvInteger", INTEGER),
          Map.entry("MatMulInteger", INTEGER),
          Map.entry(
              "MatMulIntegerToFloat",
              new QuantizedOperator(
                  List.of(new Slot(0, 2, 4), new Slot(1, 3, 5)), Optional.empty(), -1, -1)),
          Map.entry(
              "QAttention",
              new QuantizedOperator(
                  List.of(new Slot(0, 3, 6), new Slot(1, 4, 7)), Optional.empty(), -1, -1)),
          Map.entry(
              "QEmbedLayerNormalization",
              new QuantizedOperator(
                  List.of(
                      new Slot(2, 8, 13),
                      new Slot(3, 9, 14),
                      new Slot(4, 10, 15),
                      new Slot(5, 11, 16),
                      new Slot(6, 12, 17)),
                  Optional.empty(),
                  -1,
                  -1)),
          Map.entry(
              "DynamicQuantizeMatMul",
              new QuantizedOperator(List.of(new Slot(1, 2, 3)), Optional.empty(), -1, 0)),
          Map.entry(
              "DynamicQuantizeLSTM",
              new QuantizedOperator(
                  List.of(new Slot(1, 8, 9), new Slot(2, 10, 11)), Optional.empty(), -1, 0)));

  /** What is known of a node's operator, if it is one of these. */
  static Optional<QuantizedOperator> of(GraphScope.Item item) {
    if (item.is("QLinearConcat")) {
      List<Slot> parts = new ArrayList<>();
      for (int i = 2; i + 2 < item.node().inputs().size(); i += 3) {
        parts.add(new Slot(i, i + 1, i + 2));
      }
      return Optional.of(new QuantizedOperator(parts, Optional.of(new Slot(-1, 0, 1)), -1, -1));
    }
    return item.isKnownDomain() ? Optional.ofNullable(BY_NAME.get(item.op())) : Optional.empty();
  }

  /** The axis along which a weight of this operator has its scales, if it has several. */
  static int weightAxis(Node node, int rank) {
    return switch (node.opType()) {
      case "QLinearConv", "ConvInteger" -> 0;
      case "QGemm" -> node.intAttribute("transB", 0) != 0 ? 0 : 1;
      default -> rank - 1;
    };
  }
}
