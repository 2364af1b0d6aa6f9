package org.tare.plan;

import java.util.Optional;
import org.tare.onnx.Node;
import org.tare.qconfig.QConfig;
import org.tare.quant.DType;
import org.tare.quant.PairLimit;
import org.tare.quant.WeightColumns;

/** What the sums of integer products ask of a weight. */
public final class IntegerSums {
  /** The most products of uint8 and int8 whose sum fits int32 whatever their signs. */
  public static final long MOST = Integer.MAX_VALUE / (255 * 127);

  private IntegerSums() {}

  /**
   * How the integer kernel of an operator, or of its form on integers, reads its weight; empty if
   * it has none that adds products of several channels or places in 16 bits: depthwise convolutions
   * multiply each channel by itself, in 32 bits, transposed ones are computed in floats.
   */
  public static Optional<WeightColumns> columns(Node node, long[] shape) {
    return switch (node.opType()) {
      case "Conv", "QLinearConv" -> {
        boolean isDepthwise = shape[1] == 1 && shape[0] == node.intAttribute("group", 1);
        yield isDepthwise ? Optional.empty() : Optional.of(convolution(shape));
      }
      case "ConvInteger" -> Optional.of(convolution(shape));
      case "Gemm", "QGemm" ->
          Optional.of(
              node.intAttribute("transB", 0) != 0
                  ? WeightColumns.ofTransposed((int) shape[0], (int) shape[1])
                  : matrices(shape));
      case "MatMul",
          "Attention",
          "QLinearMatMul",
          "MatMulInteger",
          "MatMulIntegerToFloat",
          "QAttention",
          "DynamicQuantizeMatMul",
          "DynamicQuantizeLSTM" ->
          Optional.of(matrices(shape));
      default -> Optional.empty();
    };
  }

  private static WeightColumns convolution(long[] shape) {
    return WeightColumns.ofConvolution(
        (int) shape[0], (int) shape[1], (int) product(shape, 2, shape.length));
  }

  /** The last two axes are depth and columns, those before them count matrices. */
  public static WeightColumns matrices(long[] shape) {
    if (shape.length == 1) {
      return WeightColumns.ofMatrices(1, (int) shape[0], 1);
    }
    int last = shape.length - 1;
    return WeightColumns.ofMatrices(
        (int) product(shape, 0, last - 1), (int) shape[last - 1], (int) shape[last]);
  }

  private static long product(long[] shape, int from, int to) {
    long product = 1;
    for (int i = from; i < to; i++) {
      product *= shape[i];
    }
    return product;
  }

  /** The limit that a weight keeps to as its node's configuration wants it. */
  public static PairLimit limit(Node node, long[] shape, QConfig config) {
    return columns(node, shape).map(columns -> limit(columns, config)).orElse(PairLimit.none());
  }

  public static PairLimit limit(WeightColumns columns, QConfig config) {
    PairLimit.Which limited = config.products().limited();
    return limited == PairLimit.Which.NONE || config.weight().dtype() != DType.INT8
        ? PairLimit.none()
        : new PairLimit(limited, columns);
  }

  /** Why the products of a node can't be added up in 32 bits. */
  public static Optional<String> obstacle(Node node, long[] shape) {
    return columns(node, shape).flatMap(IntegerSums::obstacle);
  }

  public static Optional<String> obstacle(WeightColumns columns) {
    return columns.depth() > MOST
        ? Optional.of(
            "it adds up "
                + columns.depth()
                + " products, of which int32 holds the sum for "
                + MOST
                + " at most")
        : Optional.empty();
  }
}
