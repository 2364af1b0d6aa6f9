package org.tare.rewrite;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.Attention;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Operators;
import org.tare.onnx.Tensor;
import org.tare.quant.DType;

/**
 * Turns a model in QDQ form into operators on integers, as ONNX Runtime itself does when it loads
 * one: ONNX's QLinearConv and QLinearMatMul, and of the domain {@code com.microsoft} QGemm,
 * QLinearAdd, QLinearMul, QLinearConcat, QLinearAveragePool, QLinearGlobalAveragePool,
 * QLinearSigmoid, QLinearLeakyRelu, QLinearSoftmax, QLinearWhere, QAttention, and
 * MatMulIntegerToFloat, which takes the bias that is added to its result. Operators that only move
 * values move integers. What has no such form stays as it is.
 */
public final class QOperatorRewriter {
  /** Operators of one activation, with the name of their integer form. */
  private static final Map<String, String> UNARY =
      Map.of(
          "AveragePool", "QLinearAveragePool",
          "GlobalAveragePool", "QLinearGlobalAveragePool",
          "Sigmoid", "QLinearSigmoid",
          "LeakyRelu", "QLinearLeakyRelu",
          "Softmax", "QLinearSoftmax");

  private final OnnxModel model;
  private final Graph graph;
  private final Map<String, Node> producers;
  private final Map<String, List<Node>> consumers;
  private final Set<Node> dropped = new HashSet<>();
  private final List<Node> written = new ArrayList<>();

  private QOperatorRewriter(OnnxModel model) {
    this.model = model;
    this.graph = model.graph();
    this.producers = graph.producers();
    this.consumers = graph.consumers();
  }

  /** The same quantized model; its own graph is changed. */
  static QuantizedModel rewrite(QuantizedModel qdq) {
    QOperatorRewriter rewriter = new QOperatorRewriter(qdq.model());
    rewriter.rewrite();
    return qdq;
  }

  private void rewrite() {
    for (Node node : graph.nodes()) {
      if (dropped.contains(node)) {
        continue;
      }
      boolean isWritten =
          node.isStandard() ? integers(node) : Attention.matches(node) && attention(node);
      if (!isWritten) {
        written.add(node);
      }
    }
    written.removeAll(dropped);
    graph.setNodes(written);
    graph.removeUnused();
    model.importUsedDomains();
  }

  /** Names of integers, scale and zero point, as a DequantizeLinear reads them. */
  private record Quantized(String integers, String scale, String zeroPoint) {}

  private Optional<Quantized> quantized(String tensor) {
    Node producer = producers.get(tensor);
    boolean isDequantized =
        producer != null
            && producer.isStandard()
            && producer.opType().equals("DequantizeLinear")
            && producer.intAttribute("block_size", 0) == 0;
    return isDequantized
        ? Optional.of(new Quantized(producer.input(0), producer.input(1), producer.input(2)))
        : Optional.empty();
  }

  /** The QuantizeLinear that reads the tensor, if it is the only reader. */
  private Optional<Node> rounding(String tensor) {
    List<Node> readers = consumers.getOrDefault(tensor, List.of());
    boolean isRounded =
        readers.size() == 1
            && !graph.isOutput(tensor)
            && readers.get(0).opType().equals("QuantizeLinear");
    return isRounded ? Optional.of(readers.get(0)) : Optional.empty();
  }

  private boolean integers(Node node) {
    return switch (node.opType()) {
      case "Conv" -> conv(node);
      case "MatMul" -> matMul(node);
      case "Gemm" -> gemm(node);
      case "Add", "Mul" -> binary(node);
      case "Concat" -> concat(node);
      case "Where" -> where(node);
      default ->
          UNARY.containsKey(node.opType())
              ? unary(node, UNARY.get(node.opType()))
              : Operators.MOVES_INTEGERS.contains(node.opType()) && move(node);
    };
  }

  private void replace(Node node, Node by, Optional<Node> rounding) {
    by.copyAttributes(node);
    rounding.ifPresent(
        quantize -> {
          by.setOutput(0, quantize.output(0));
          dropped.add(quantize);
        });
    written.add(by);
  }

  /** The zero points; zeros where the QDQ form leaves them out. */
  private String zeroPoint(Quantized of, DType dtype) {
    if (!of.zeroPoint().isEmpty()) {
      return of.zeroPoint();
    }
    Tensor scales = graph.constant(of.scale()).orElseThrow();
    long[] shape = scales.shape();
    String name = graph.addedName(of.integers(), "_z");
    graph.addConstant(Tensor.ofQuantized(name, dtype, shape, new int[(int) scales.size()]));
    return name;
  }

  private boolean conv(Node node) {
    Optional<Quantized> x = quantized(node.input(0));
    Optional<Quantized> w = quantized(node.input(1));
    Optional<Quantized> bias = quantized(node.input(2));
    Optional<Node> rounding = rounding(node.output(0));
    boolean hasFloatBias = !node.input(2).isEmpty() && bias.isEmpty();
    if (x.isEmpty() || w.isEmpty() || rounding.isEmpty() || hasFloatBias) {
      return false;
    }
    List<String> inputs = new ArrayList<>(given(x.get()));
    inputs.addAll(List.of(w.get().integers(), w.get().scale(), zeroPoint(w.get(), DType.INT8)));
    inputs.addAll(List.of(rounding.get().input(1), rounding.get().input(2)));
    bias.ifPresent(b -> inputs.add(b.integers()));
    replace(node, Node.of("QLinearConv", node.name(), inputs, node.outputs()), rounding);
    return true;
  }

  private static List<String> given(Quantized x) {
    return List.of(x.integers(), x.scale(), x.zeroPoint());
  }

  private boolean matMul(Node node) {
    Optional<Quantized> x = quantized(node.input(0));
    Optional<Quantized> w = quantized(node.input(1));
    if (x.isEmpty() || w.isEmpty()) {
      return false;
    }
    Optional<Node> rounding = rounding(node.output(0));
    if (rounding.isPresent()) {
      List<String> inputs = new ArrayList<>(given(x.get()));
      inputs.addAll(List.of(w.get().integers(), w.get().scale(), zeroPoint(w.get(), DType.INT8)));
      inputs.addAll(List.of(rounding.get().input(1), rounding.get().input(2)));
      replace(node, Node.of("QLinearMatMul", node.name(), inputs, node.outputs()), rounding);
      return true;
    }
    if (!graph.isConstant(w.get().integers())) {
      return false;
    }
    Node product =
        Node.of(
            Node.MICROSOFT,
            "MatMulIntegerToFloat",
            node.name(),
            List.of(
                x.get().integers(),
                w.get().integers(),
                x.get().scale(),
                w.get().scale(),
                x.get().zeroPoint()),
            node.outputs());
    bias(node)
        .ifPresent(
            sum -> {
              String values = sum.input(sum.input(0).equals(node.output(0)) ? 1 : 0);
              product.setInput(6, values);
              product.setOutput(0, sum.output(0));
              dropped.add(sum);
            });
    written.add(product);
    return true;
  }

  /** The addition of a constant for each column, if it is the only reader of a product. */
  private Optional<Node> bias(Node product) {
    List<Node> readers = consumers.getOrDefault(product.output(0), List.of());
    if (readers.size() != 1 || graph.isOutput(product.output(0))) {
      return Optional.empty();
    }
    Node sum = readers.get(0);
    if (!sum.isStandard() || !sum.opType().equals("Add")) {
      return Optional.empty();
    }
    String other = sum.input(sum.input(0).equals(product.output(0)) ? 1 : 0);
    Node weight = producers.get(product.input(1));
    long[] shape = graph.constant(weight.input(0)).orElseThrow().shape();
    if (shape.length != 2) {
      return Optional.empty();
    }
    long columns = shape[1];
    boolean isRow =
        graph
            .constant(other)
            .filter(Tensor::isFloat)
            .filter(b -> b.rank() == 1 && b.dim(0) == columns)
            .isPresent();
    return isRow ? Optional.of(sum) : Optional.empty();
  }

  private boolean attention(Node node) {
    Optional<Quantized> x = quantized(node.input(0)).filter(this::isUnsigned);
    Optional<Quantized> w = quantized(node.input(1)).filter(this::isSymmetric);
    if (x.isEmpty() || w.isEmpty() || Attention.obstacle(node).isPresent()) {
      return false;
    }
    written.add(
        Attention.integerForm(node, given(x.get()), List.of(w.get().integers(), w.get().scale())));
    return true;
  }

  private boolean isSymmetric(Quantized weight) {
    return graph
        .constant(weight.zeroPoint())
        .map(Tensor::numbers)
        .map(zeros -> Arrays.stream(zeros).allMatch(zero -> zero == 0))
        .orElse(weight.zeroPoint().isEmpty());
  }

  private boolean isUnsigned(Quantized x) {
    return graph
        .constant(x.zeroPoint())
        .filter(zero -> zero.type() == ElementType.UINT8)
        .isPresent();
  }

  private boolean gemm(Node node) {
    Optional<Quantized> x = quantized(node.input(0));
    Optional<Quantized> w = quantized(node.input(1));
    Optional<Quantized> bias = quantized(node.input(2));
    boolean hasFloatBias = !node.input(2).isEmpty() && bias.isEmpty();
    if (x.isEmpty() || w.isEmpty() || hasFloatBias) {
      return false;
    }
    Optional<Node> rounding = rounding(node.output(0));
    List<String> inputs = new ArrayList<>(given(x.get()));
    inputs.addAll(List.of(w.get().integers(), w.get().scale(), zeroPoint(w.get(), DType.INT8)));
    if (bias.isPresent() || rounding.isPresent()) {
      inputs.add(bias.map(Quantized::integers).orElse(""));
    }
    rounding.ifPresent(quantize -> inputs.addAll(List.of(quantize.input(1), quantize.input(2))));
    replace(node, Node.of(Node.MICROSOFT, "QGemm", node.name(), inputs, node.outputs()), rounding);
    return true;
  }

  private boolean binary(Node node) {
    Optional<Quantized> a = quantized(node.input(0));
    Optional<Quantized> b = quantized(node.input(1));
    Optional<Node> rounding = rounding(node.output(0));
    if (a.isEmpty() || b.isEmpty() || rounding.isEmpty()) {
      return false;
    }
    List<String> inputs = new ArrayList<>(given(a.get()));
    inputs.addAll(given(b.get()));
    inputs.addAll(List.of(rounding.get().input(1), rounding.get().input(2)));
    replace(
        node,
        Node.of(Node.MICROSOFT, "QLinear" + node.opType(), node.name(), inputs, node.outputs()),
        rounding);
    return true;
  }

  private boolean unary(Node node, String integerForm) {
    Optional<Quantized> x = quantized(node.input(0));
    Optional<Node> rounding = rounding(node.output(0));
    if (x.isEmpty() || rounding.isEmpty()) {
      return false;
    }
    List<String> inputs = new ArrayList<>(given(x.get()));
    inputs.addAll(List.of(rounding.get().input(1), rounding.get().input(2)));
    Node integer = Node.of(Node.MICROSOFT, integerForm, node.name(), inputs, node.outputs());
    if (node.opType().equals("Softmax")) {
      integer.setInt("opset", model.opset());
    }
    replace(node, integer, rounding);
    return true;
  }

  private boolean concat(Node node) {
    Optional<Node> rounding = rounding(node.output(0));
    if (rounding.isEmpty()) {
      return false;
    }
    List<String> inputs =
        new ArrayList<>(List.of(rounding.get().input(1), rounding.get().input(2)));
    for (String input : node.inputs()) {
      Optional<Quantized> x = quantized(input);
      if (x.isEmpty()) {
        return false;
      }
      inputs.addAll(given(x.get()));
    }
    replace(
        node,
        Node.of(Node.MICROSOFT, "QLinearConcat", node.name(), inputs, node.outputs()),
        rounding);
    return true;
  }

  private boolean where(Node node) {
    Optional<Quantized> a = quantized(node.input(1));
    Optional<Quantized> b = quantized(node.input(2));
    Optional<Node> rounding = rounding(node.output(0));
    if (a.isEmpty() || b.isEmpty() || rounding.isEmpty()) {
      return false;
    }
    List<String> inputs = new ArrayList<>(List.of(node.input(0)));
    inputs.addAll(given(a.get()));
    inputs.addAll(given(b.get()));
    inputs.addAll(List.of(rounding.get().input(1), rounding.get().input(2)));
    replace(
        node,
        Node.of(Node.MICROSOFT, "QLinearWhere", node.name(), inputs, node.outputs()),
        rounding);
    return true;
  }

  /** Values that are only moved: all outputs are rounded with the input's qparams. */
  private boolean move(Node node) {
    Optional<Quantized> x = quantized(node.input(0));
    if (x.isEmpty()) {
      return false;
    }
    for (String output : node.outputs()) {
      Optional<Node> rounding = rounding(output);
      boolean isSame =
          rounding.isPresent()
              && rounding.get().input(1).equals(x.get().scale())
              && rounding.get().input(2).equals(x.get().zeroPoint());
      if (!isSame) {
        return false;
      }
    }
    if (node.opType().equals("Pad")
        && node.stringAttribute("mode", "constant").equals("constant")) {
      // Zero is the zero point among integers.
      node.setInput(2, x.get().zeroPoint());
    }
    node.setInput(0, x.get().integers());
    for (int i = 0; i < node.outputs().size(); i++) {
      Node quantize = rounding(node.output(i)).orElseThrow();
      dropped.add(quantize);
      node.setOutput(i, quantize.output(0));
    }
    written.add(node);
    return true;
  }
}
