package org.tare.rewrite;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.tare.onnx.Attention;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.plan.FiniteValues;
import org.tare.plan.IntegerSums;
import org.tare.plan.WeightAxes;
import org.tare.qconfig.QConfig;
import org.tare.quant.ChannelQParams;
import org.tare.quant.WeightColumns;
import org.tare.quant.WeightQuantizer;
import org.tare.rewrite.QuantizedConstants.Weight;

/**
 * Products whose left side becomes integers when the model runs:
 *
 * <pre>
 *   xq, xs, xz = DynamicQuantizeLinear(x)
 *   y = Cast(MatMulInteger(xq, wq, xz)) * (xs * ws)
 * </pre>
 *
 * with uint8 for x and symmetric int8 for the weight, so that the weight has no zero point (but for
 * ConvInteger, where the same weight is uint8 with the zero point 128). ONNX Runtime fuses the four
 * nodes of a matrix product into one. A long short-term memory becomes its {@code
 * DynamicQuantizeLSTM}, an {@link Attention} of its own QAttention.
 */
final class IntegerProducts {
  private final Graph graph;
  private final QuantizedConstants constants;
  private final Consumer<Node> write;
  private final Function<String, Optional<ChannelQParams>> trained;
  private final Map<String, Quantized> inputs = new HashMap<>();

  /** What DynamicQuantizeLinear gives for a tensor. */
  private record Quantized(String integers, String scale, String zeroPoint) {}

  /**
   * @param trained gives the qparams that a weight was trained with, if it was
   */
  IntegerProducts(
      Graph graph,
      QuantizedConstants constants,
      Consumer<Node> write,
      Function<String, Optional<ChannelQParams>> trained) {
    this.trained = trained;
    this.graph = graph;
    this.constants = constants;
    this.write = write;
  }

  /** Writes the node's product in integers; gives the reason if it can't. */
  Optional<String> rewrite(Node node, QConfig config) {
    return switch (node.opType()) {
      case "MatMul" -> matMul(node, config);
      case "Gemm" -> gemm(node, config);
      case "Conv" -> conv(node, config);
      case "LSTM" -> lstm(node, config);
      case "Attention" -> attention(node, config);
      default -> Optional.of("there is no integer form of it");
    };
  }

  private Quantized quantize(String tensor) {
    return inputs.computeIfAbsent(
        tensor,
        key -> {
          Quantized names =
              new Quantized(
                  graph.addedName(tensor, "_q"),
                  graph.addedName(tensor, "_s"),
                  graph.addedName(tensor, "_z"));
          write.accept(
              Node.of(
                  "DynamicQuantizeLinear",
                  "",
                  List.of(tensor),
                  List.of(names.integers(), names.scale(), names.zeroPoint())));
          return names;
        });
  }

  private Optional<String> matMul(Node node, QConfig config) {
    Weight weight = constants.read(node.input(1));
    if (weight.rank() != 2) {
      return Optional.of("its weight is no matrix");
    }
    Optional<String> obstacle = IntegerSums.obstacle(node, weight.shape());
    if (obstacle.isEmpty()) {
      product(node, weight, config, node.output(0));
    }
    return obstacle;
  }

  /**
   * @param matrix [depth, columns]
   */
  private void product(Node node, Weight matrix, QConfig config, String output) {
    Weight weight = matrix.within(IntegerSums.limit(IntegerSums.matrices(matrix.shape()), config));
    ChannelQParams qparams = QuantizedConstants.qparams(weight, 1, config);
    Quantized x = quantize(node.input(0));
    String sums = graph.addedName(node.label(), "_sums");
    write.accept(
        Node.of(
            "MatMulInteger",
            node.name(),
            List.of(x.integers(), constants.integers(weight, qparams), x.zeroPoint()),
            List.of(sums)));
    scale(node, sums, x, constants.scales(weight, qparams), output);
  }

  /** {@code output = float(sums) * (scale of x * scales of the weight)}. */
  private void scale(Node node, String sums, Quantized x, String weightScales, String output) {
    String floats = graph.addedName(node.label(), "_floats");
    Node cast = Node.of("Cast", "", List.of(sums), List.of(floats));
    cast.setInt("to", ElementType.FLOAT32.code());
    write.accept(cast);
    String scales = graph.addedName(node.label(), "_scales");
    write.accept(Node.of("Mul", "", List.of(x.scale(), weightScales), List.of(scales)));
    write.accept(Node.of("Mul", "", List.of(floats, scales), List.of(output)));
  }

  private Optional<String> gemm(Node node, QConfig config) {
    if (node.intAttribute("transA", 0) != 0) {
      return Optional.of("its input is transposed");
    }
    Weight weight = constants.read(node.input(1));
    Optional<String> obstacle = IntegerSums.obstacle(node, weight.shape());
    if (obstacle.isPresent()) {
      return obstacle;
    }
    if (node.intAttribute("transB", 0) != 0) {
      weight = weight.transposed();
    }
    float alpha = node.floatAttribute("alpha", 1f);
    String bias = node.input(2);
    if (!bias.isEmpty() && graph.floatConstant(bias).isEmpty()) {
      return Optional.of("its bias is not a constant");
    }
    boolean plain = bias.isEmpty() && alpha == 1f;
    String output = plain ? node.output(0) : graph.addedName(node.label(), "_product");
    product(node, weight, config, output);
    if (alpha != 1f) {
      String scaled = bias.isEmpty() ? node.output(0) : graph.addedName(node.label(), "_alpha");
      String factor = graph.addedName(node.label(), "_factor");
      graph.addConstant(Tensor.ofFloats(factor, new long[0], alpha));
      write.accept(Node.of("Mul", "", List.of(output, factor), List.of(scaled)));
      output = scaled;
    }
    if (!bias.isEmpty()) {
      float beta = node.floatAttribute("beta", 1f);
      Weight values = constants.read(bias);
      String added = bias;
      if (beta != 1f) {
        float[] scaled = values.values().clone();
        for (int i = 0; i < scaled.length; i++) {
          scaled[i] *= beta;
        }
        added = graph.addedName(bias, "_beta");
        graph.addConstant(Tensor.ofFloats(added, values.shape(), scaled));
      }
      write.accept(Node.of("Add", "", List.of(output, added), List.of(node.output(0))));
    }
    return Optional.empty();
  }

  private Optional<String> conv(Node node, QConfig config) {
    Weight weight = constants.read(node.input(1)).roundedFor(node, config);
    Optional<String> obstacle = IntegerSums.obstacle(node, weight.shape());
    if (obstacle.isPresent()) {
      return obstacle;
    }
    String bias = node.input(2);
    if (!bias.isEmpty() && graph.floatConstant(bias).isEmpty()) {
      return Optional.of("its bias is not a constant");
    }
    // ONNX Runtime's ConvInteger takes a third of the time with uint8 weights, and one zero point.
    // Products of uint8 by uint8 are exact on every CPU, so that no limit is needed.
    ChannelQParams qparams = QuantizedConstants.qparams(weight, 0, config).asUnsigned();
    Quantized x = quantize(node.input(0));
    String zeroPoint = graph.addedName(weight.name(), "_z");
    graph.addConstant(
        Tensor.ofQuantized(
            zeroPoint, qparams.dtype(), new long[0], qparams.channels().get(0).zeroPoint()));
    String sums = graph.addedName(node.label(), "_sums");
    Node product =
        Node.of(
            "ConvInteger",
            node.name(),
            List.of(x.integers(), constants.integers(weight, qparams), x.zeroPoint(), zeroPoint),
            List.of(sums));
    product.copyAttributes(node);
    write.accept(product);
    // One value a channel: [C, 1, 1] beside [N, C, H, W].
    long[] perChannel = new long[weight.rank() - 1];
    Arrays.fill(perChannel, 1);
    perChannel[0] = weight.shape()[0];
    String scales = constants.scales(weight, qparams);
    if (qparams.isPerChannel()) {
      String shaped = graph.addedName(weight.name(), "_s");
      graph.addConstant(Tensor.ofFloats(shaped, perChannel, qparams.scales()));
      scales = shaped;
    }
    String output = bias.isEmpty() ? node.output(0) : graph.addedName(node.label(), "_product");
    scale(node, sums, x, scales, output);
    if (!bias.isEmpty()) {
      String shaped = graph.addedName(bias, "_c");
      graph.addConstant(Tensor.ofFloats(shaped, perChannel, constants.read(bias).values()));
      write.accept(Node.of("Add", "", List.of(output, shaped), List.of(node.output(0))));
    }
    return Optional.empty();
  }

  /** ONNX Runtime's operator takes W and R transposed, [directions, in, 4 hidden]. */
  private Optional<String> lstm(Node node, QConfig config) {
    if (node.intAttribute("layout", 0) != 0) {
      return Optional.of("its batch stands first, which ONNX Runtime does not take");
    }
    if (!graph.isConstant(node.input(1)) || !graph.isConstant(node.input(2))) {
      return Optional.of("its weights are not constants");
    }
    List<String> given = new ArrayList<>(node.inputs());
    while (given.size() < 8) {
      given.add("");
    }
    List<Weight> turned = new ArrayList<>();
    for (int i = 1; i <= 2; i++) {
      Weight weight = turned(constants.read(node.input(i)));
      FiniteValues.check(node, weight.name(), weight.values());
      WeightColumns columns = IntegerSums.matrices(weight.shape());
      Optional<String> obstacle = IntegerSums.obstacle(columns);
      if (obstacle.isPresent()) {
        return obstacle;
      }
      turned.add(weight.within(IntegerSums.limit(columns, config)));
    }
    for (int i = 1; i <= 2; i++) {
      Weight weight = turned.get(i - 1);
      // One scale a direction: the axis of the directions.
      ChannelQParams qparams =
          trained
              .apply(weight.name())
              .map(q -> WeightQuantizer.held(q, weight.values(), weight.shape(), weight.limit()))
              .orElseGet(
                  () ->
                      QuantizedConstants.quantizer(config)
                          .perChannel(weight.values(), weight.shape(), 0, weight.limit()));
      given.set(i, constants.integers(weight, qparams));
      given.add(constants.scales(weight, qparams));
      given.add(constants.zeroPoints(weight, qparams));
    }
    Node quantized =
        Node.of(Node.MICROSOFT, "DynamicQuantizeLSTM", node.name(), given, node.outputs());
    quantized.copyAttributes(node);
    quantized.removeAttribute("layout");
    write.accept(quantized);
    return Optional.empty();
  }

  private Optional<String> attention(Node node, QConfig config) {
    Weight read = constants.read(node.input(1));
    Optional<String> obstacle =
        Attention.obstacle(node).or(() -> IntegerSums.obstacle(node, read.shape()));
    if (obstacle.isPresent()) {
      return obstacle;
    }
    Weight weight = read.within(IntegerSums.limit(node, read.shape(), config));
    ChannelQParams qparams =
        QuantizedConstants.qparams(weight, WeightAxes.channelAxis(node, weight.shape()), config);
    Quantized x = quantize(node.input(0));
    write.accept(
        Attention.integerForm(
            node,
            List.of(x.integers(), x.scale(), x.zeroPoint()),
            List.of(constants.integers(weight, qparams), constants.scales(weight, qparams))));
    return Optional.empty();
  }

  private static Weight turned(Weight weight) {
    int directions = (int) weight.shape()[0];
    int rows = (int) weight.shape()[1];
    int columns = (int) weight.shape()[2];
    float[] turned = new float[weight.values().length];
    for (int d = 0; d < directions; d++) {
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
          turned[(d * columns + c) * rows + r] = weight.values()[(d * rows + r) * columns + c];
        }
      }
    }
    return new Weight(weight.name(), turned, new long[] {directions, columns, rows});
  }
}
