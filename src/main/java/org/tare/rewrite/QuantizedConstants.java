package org.tare.rewrite;

import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.qconfig.QConfig;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;
import org.tare.quant.KernelSums;
import org.tare.quant.PairLimit;
import org.tare.quant.QParams;
import org.tare.quant.WeightQuantizer;
import org.tare.range.RangeMethod;

/** Puts the integers of float constants into a graph, each once for each way it is quantized. */
final class QuantizedConstants {
  private final Graph graph;
  private final Consumer<Node> write;
  private final Map<String, QuantizedWeight> weights;
  private final Map<Key, String> written;
  private final boolean beside;
  private final TiedTables tied;

  private record Key(Graph owner, String name, String what, int rank, ChannelQParams qparams) {}

  /**
   * @param write takes the nodes that dequantize, before those that read them
   * @param weights is told of each constant, by its name in the float model
   * @param tied is told of integers that lookups may read
   */
  QuantizedConstants(
      Graph graph, Consumer<Node> write, Map<String, QuantizedWeight> weights, TiedTables tied) {
    this(graph, write, weights, new HashMap<>(), false, tied);
  }

  private QuantizedConstants(
      Graph graph,
      Consumer<Node> write,
      Map<String, QuantizedWeight> weights,
      Map<Key, String> written,
      boolean beside,
      TiedTables tied) {
    this.graph = graph;
    this.write = write;
    this.weights = weights;
    this.written = written;
    this.beside = beside;
    this.tied = tied;
  }

  /**
   * For constants that stand in the graph of the node that reads them, even if the float constant
   * is in a graph around it: ONNX Runtime fuses a dequantized weight with its product, and then
   * looks for the integers in that graph only.
   */
  QuantizedConstants beside() {
    return new QuantizedConstants(graph, write, weights, written, true, tied);
  }

  private Graph home(Weight weight) {
    return beside ? graph : graph.owner(weight.name());
  }

  /** For a subgraph: constants that both graphs use stay in the outer one, and are written once. */
  QuantizedConstants within(Graph inner, Consumer<Node> innerWrite, TiedTables innerTied) {
    return new QuantizedConstants(inner, innerWrite, weights, written, false, innerTied);
  }

  private Key key(Weight weight, String what, ChannelQParams qparams) {
    return new Key(home(weight), weight.name(), what, weight.rank(), qparams);
  }

  /** Not computeIfAbsent: making one thing may take another. */
  private String once(Key key, Supplier<String> make) {
    String name = written.get(key);
    if (name == null) {
      name = make.get();
      written.put(key, name);
    }
    return name;
  }

  private void add(Weight weight, Tensor tensor) {
    home(weight).addConstant(tensor);
  }

  /**
   * A constant's values and shape.
   *
   * @param limit that its integers keep to
   * @param isTurned whether it is the transpose of the constant of that name
   */
  record Weight(
      String name,
      float[] values,
      long[] shape,
      boolean preserveSums,
      PairLimit limit,
      boolean isTurned) {
    Weight(String name, float[] values, long[] shape) {
      this(name, values, shape, false, PairLimit.none(), false);
    }

    /** To be rounded as the node's configuration says. */
    Weight roundedFor(Node node, QConfig config) {
      boolean preserves = config.preserveSums() && node.opType().equals("Conv");
      return new Weight(name, values, shape, preserves, limit, isTurned);
    }

    /** To keep to a limit. */
    Weight within(PairLimit other) {
      return new Weight(name, values, shape, preserveSums, other, isTurned);
    }

    /** How its integers are rounded, given its qparams. */
    private String rounding() {
      return preserveSums ? "sums " + limit : "nearest";
    }

    int rank() {
      return shape.length;
    }

    /** A matrix with rows and columns exchanged. */
    Weight transposed() {
      int rows = (int) shape[0];
      int columns = (int) shape[1];
      float[] turned = new float[values.length];
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
          turned[c * rows + r] = values[r * columns + c];
        }
      }
      return new Weight(
          name, turned, new long[] {columns, rows}, false, PairLimit.none(), !isTurned);
    }
  }

  Weight read(String name) {
    Tensor tensor = graph.constant(name).orElseThrow();
    return new Weight(name, tensor.floats(), tensor.shape());
  }

  static WeightQuantizer quantizer(QConfig config) {
    return new WeightQuantizer(
        config.weight().spec(config.reduceRange()),
        config.weight().method() instanceof RangeMethod.Mse);
  }

  /**
   * The qparams of a weight.
   *
   * @param axis of the channels, used if the configuration is per channel; -1 for none
   */
  static ChannelQParams qparams(Weight weight, int axis, QConfig config) {
    WeightQuantizer quantizer = quantizer(config);
    return axis >= 0 && config.weight().scheme().isPerChannel()
        ? quantizer.perChannel(weight.values(), weight.shape(), axis, weight.limit())
        : quantizer.perTensor(weight.values(), weight.limit());
  }

  /** The weight's integers, rounded as it is to be. */
  static int[] quantize(Weight weight, ChannelQParams qparams) {
    int[] integers = WeightQuantizer.quantize(weight.values(), weight.shape(), qparams);
    if (weight.preserveSums()) {
      KernelSums.preserve(integers, weight.values(), weight.shape(), qparams, weight.limit());
    }
    return integers;
  }

  /** The name of the weight's integers. */
  String integers(Weight weight, ChannelQParams qparams) {
    return once(
        key(weight, "integers " + Arrays.toString(weight.shape()) + weight.rounding(), qparams),
        () -> {
          weights.put(weight.name(), QuantizedWeight.of(qparams, weight.values().length, false));
          String name = graph.addedName(weight.name(), "_q");
          add(weight, quantized(name, weight, qparams));
          tied.note(weight, qparams, name);
          return name;
        });
  }

  private static Tensor quantized(String name, Weight weight, ChannelQParams qparams) {
    DType dtype = qparams.dtype();
    if (dtype.bits() == 8 && !weight.preserveSums()) {
      return Tensor.ofBytes(
          name,
          ElementType.of(dtype),
          weight.shape(),
          WeightQuantizer.quantizeToBytes(weight.values(), weight.shape(), qparams));
    }
    return Tensor.ofQuantized(name, dtype, weight.shape(), quantize(weight, qparams));
  }

  /** The name of its scales, one or one per channel. */
  String scales(Weight weight, ChannelQParams qparams) {
    return once(
        key(weight, "scales", qparams),
        () -> {
          String name = graph.addedName(weight.name(), "_s");
          add(weight, Tensor.ofFloats(name, shapeOf(qparams), qparams.scales()));
          return name;
        });
  }

  /** The name of its zero points, one or one per channel. */
  String zeroPoints(Weight weight, ChannelQParams qparams) {
    return once(
        key(weight, "zero points", qparams),
        () -> {
          String name = graph.addedName(weight.name(), "_z");
          int[] zeroPoints = qparams.channels().stream().mapToInt(QParams::zeroPoint).toArray();
          add(weight, Tensor.ofQuantized(name, qparams.dtype(), shapeOf(qparams), zeroPoints));
          return name;
        });
  }

  private static long[] shapeOf(ChannelQParams qparams) {
    return qparams.isPerChannel() ? new long[] {qparams.channels().size()} : new long[0];
  }

  /**
   * The name of the weight as floats again, out of a DequantizeLinear of its integers. It has a
   * zero point, be it 0: ONNX Runtime 1.29 fuses no Gemm without one, and with the option {@code
   * session.x64quantprecision} 1.32 refuses a stored weight without one.
   */
  String dequantized(Weight weight, ChannelQParams qparams) {
    return once(
        new Key(graph, weight.name(), "floats " + weight.rounding(), weight.rank(), qparams),
        () -> {
          List<String> inputs =
              List.of(
                  integers(weight, qparams), scales(weight, qparams), zeroPoints(weight, qparams));
          weights.put(weight.name(), QuantizedWeight.of(qparams, weight.values().length, true));
          String output = graph.addedName(weight.name(), "_dq");
          Node node = Node.of("DequantizeLinear", "", inputs, List.of(output));
          if (qparams.isPerChannel()) {
            node.setInt("axis", qparams.axis());
          }
          write.accept(node);
          return output;
        });
  }

  /** An empty record of weights, in the order they are written. */
  static Map<String, QuantizedWeight> noWeights() {
    return new LinkedHashMap<>();
  }
}
