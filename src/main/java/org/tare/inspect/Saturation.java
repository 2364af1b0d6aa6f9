package org.tare.inspect;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.tare.onnx.ElementType;
import org.tare.onnx.GraphScope;
import org.tare.onnx.GraphScope.Item;
import org.tare.onnx.GraphScope.Place;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Operators;
import org.tare.onnx.Tensor;
import org.tare.plan.IntegerSums;
import org.tare.quant.WeightColumns;

/**
 * Finds the layers of a quantized model, whoever wrote it, whose integer products differ between
 * CPUs. ONNX Runtime's kernels, 1.32:
 *
 * <p>x86 without VNNI adds two neighbouring products of uint8 by int8 in 16 bits, which saturate
 * (AMD up to Zen 3, Intel before Cascade Lake); int8 between pairs becomes uint8 first. Depthwise
 * convolutions, products of uint8 by uint8, and operators on int8 by int8 are exact. On ARM of 64
 * bits a weight of -128 wraps in 16 bits in some kernels.
 */
public final class Saturation {
  private static final int MOST = Short.MAX_VALUE;

  private Saturation() {}

  /** The CPUs whose kernels compute other integers. */
  public enum Where {
    /** Sums of two products saturate. */
    X86_WITHOUT_VNNI("x86 without VNNI"),
    /** A weight of -128 wraps. */
    ARM64("ARM of 64 bits");

    private final String label;

    Where(String label) {
      this.label = label;
    }

    /** For people. */
    public String label() {
      return label;
    }
  }

  /**
   * A layer that can give other integers.
   *
   * @param opType as it stands in the model
   * @param name of the node, in a subgraph behind the names of the nodes that lead there
   * @param weight the name of its integers
   * @param where on which CPUs
   * @param largestPair how large the sum of two neighbouring products can be
   */
  public record Layer(String opType, String name, String weight, Where where, long largestPair) {}

  /** The inputs of an operator: its weight, its data, and the zero point of the data or -1. */
  private record Inputs(int weight, int data, int zeroPoint) {}

  /** The layers that can, in the order of the graph; a layer may be in it once for each CPU. */
  public static List<Layer> of(OnnxModel model) {
    List<Item> items = new ArrayList<>();
    GraphScope.read(model.graph(), items, new ArrayList<>());
    List<Layer> layers = new ArrayList<>();
    for (Item item : items) {
      for (Inputs inputs : inputs(item)) {
        visit(item, inputs, layers);
      }
    }
    return layers;
  }

  private static List<Inputs> inputs(Item item) {
    if (!item.isKnownDomain()) {
      return List.of();
    }
    return switch (item.op()) {
      case "QLinearConv", "QLinearMatMul", "QGemm" -> List.of(new Inputs(3, 0, 2));
      case "ConvInteger", "MatMulInteger" -> List.of(new Inputs(1, 0, 2));
      case "MatMulIntegerToFloat" -> List.of(new Inputs(1, 0, 4));
      case "QAttention" -> List.of(new Inputs(1, 0, 6));
      case "DynamicQuantizeMatMul" -> List.of(new Inputs(1, 0, -1));
      case "DynamicQuantizeLSTM" -> List.of(new Inputs(1, 0, -1), new Inputs(2, 0, -1));
      case "MatMul", "Gemm" -> List.of(new Inputs(1, 0, -1));
      case "Conv" -> roundsResult(item) ? List.of(new Inputs(1, 0, -1)) : List.of();
      default -> List.of();
    };
  }

  /** Whether the kernel of integers takes the place of a convolution between pairs. */
  private static boolean roundsResult(Item conv) {
    List<Item> readers = conv.scope().consumers(conv.node().output(0));
    while (readers.size() == 1 && Operators.BOUNDS.contains(readers.get(0).op())) {
      readers = readers.get(0).scope().consumers(readers.get(0).node().output(0));
    }
    return readers.size() == 1 && readers.get(0).is("QuantizeLinear");
  }

  private static void visit(Item item, Inputs inputs, List<Layer> layers) {
    boolean isPaired = item.is("Conv") || item.is("MatMul") || item.is("Gemm");
    String weight = item.node().input(inputs.weight());
    String data = item.node().input(inputs.data());
    if (isPaired) {
      Optional<Item> weightPair = dequantize(item, weight);
      Optional<Item> dataPair = dequantize(item, data);
      if (weightPair.isEmpty()
          || dataPair.isEmpty()
          || isConstant(dataPair.get())
          || isScaledByChannel(dataPair.get())) {
        return;
      }
      weight = weightPair.get().node().input(0);
      data = dataPair.get().node().input(0);
    } else if (inputs.zeroPoint() >= 0 && isSigned(item, item.node().input(inputs.zeroPoint()))) {
      return;
    }
    Optional<Tensor> tensor =
        item.scope().constant(weight).filter(t -> t.type() == ElementType.INT8 && t.rank() > 0);
    if (tensor.isEmpty() || tensor.get().size() == 0) {
      return;
    }
    byte[] integers = tensor.get().int8s();
    String name = new Place(item.scope(), item.node().label()).label();
    Optional<WeightColumns> columns = IntegerSums.columns(item.node(), tensor.get().shape());
    int most = most(item, data);
    long pair = columns.map(c -> (long) c.largestPair(integers) * most).orElse(0L);
    if (pair > MOST) {
      layers.add(new Layer(item.op(), name, weight, Where.X86_WITHOUT_VNNI, pair));
    }
    for (byte integer : integers) {
      if (integer == Byte.MIN_VALUE) {
        layers.add(new Layer(item.op(), name, weight, Where.ARM64, pair));
        return;
      }
    }
  }

  private static Optional<Item> dequantize(Item item, String tensor) {
    return item.scope().producer(tensor).filter(producer -> producer.is("DequantizeLinear"));
  }

  private static boolean isConstant(Item dequantize) {
    return dequantize.scope().constant(dequantize.node().input(0)).isPresent();
  }

  /** Kernels of integers take one scale for the data: rows of an embedding stay floats. */
  private static boolean isScaledByChannel(Item dequantize) {
    return dequantize
        .scope()
        .constant(dequantize.node().input(1))
        .filter(scale -> scale.size() > 1)
        .isPresent();
  }

  private static boolean isSigned(Item item, String zeroPoint) {
    return item.scope().constant(zeroPoint).filter(t -> t.type() == ElementType.INT8).isPresent();
  }

  /** The greatest integer of the input, as uint8: less than 255 behind a Clip of integers. */
  private static int most(Item item, String integers) {
    Optional<Item> producer = item.scope().producer(integers);
    while (producer.filter(p -> GraphScope.moves(p) || p.is("MaxPool")).isPresent()) {
      Item mover = producer.get();
      producer = mover.scope().producer(mover.node().input(0));
    }
    return producer
        .filter(p -> p.is("Clip"))
        .flatMap(p -> p.scope().constant(p.node().input(2)))
        .filter(bound -> bound.type() == ElementType.UINT8)
        .map(bound -> bound.int8s()[0] & 255)
        .orElse(255);
  }
}
