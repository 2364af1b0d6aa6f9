package org.tare.prepare;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/**
 * A Conv, ConvTranspose, Gemm or MatMul whose weight is a float32 constant, seen by channels: the
 * weight is a matrix of rows and columns with a kernel in each cell, and each cell belongs to one
 * input and one output channel.
 *
 * <pre>
 *   Conv           [output, input of the group, kernel..]
 *   ConvTranspose  [input, output of the group, kernel..]
 *   Gemm, MatMul   [input, output], or [output, input] with transB; no kernel
 * </pre>
 *
 * Constants are never changed in place: others may read them.
 */
public final class LinearLayer {
  private final Graph graph;
  private final Node node;

  /** The node that adds the bias: the layer's own, but for MatMul; null if none can. */
  private final Node biasNode;

  private final int biasInput;
  private final long[] shape;
  private final boolean rowsAreOutputs;
  private final int groups;
  private final int rows;
  private final int columns;
  private final int kernel;

  private LinearLayer(
      Graph graph,
      Node node,
      Node biasNode,
      int biasInput,
      long[] shape,
      boolean rowsAreOutputs,
      int groups) {
    this.graph = graph;
    this.node = node;
    this.biasNode = biasNode;
    this.biasInput = biasInput;
    this.shape = shape;
    this.rowsAreOutputs = rowsAreOutputs;
    this.groups = groups;
    this.rows = (int) shape[0];
    this.columns = (int) shape[1];
    long size = 1;
    for (int i = 2; i < shape.length; i++) {
      size *= shape[i];
    }
    this.kernel = (int) size;
  }

  /** The layer that a Conv, ConvTranspose or Gemm is; empty if it is none, or not constant. */
  static Optional<LinearLayer> of(Graph graph, Node node) {
    Optional<long[]> shape = weightShape(graph, node);
    if (shape.isEmpty()) {
      return Optional.empty();
    }
    boolean isFlat = shape.get().length == 2;
    long groups = node.intAttribute("group", 1);
    return switch (node.opType()) {
      case "Conv", "ConvTranspose" ->
          isFlat || groups < 1 || shape.get()[0] % groups != 0
              ? Optional.empty()
              : Optional.of(
                  new LinearLayer(
                      graph,
                      node,
                      node,
                      2,
                      shape.get(),
                      node.opType().equals("Conv"),
                      (int) groups));
      case "Gemm" -> {
        boolean transposed = node.intAttribute("transB", 0) != 0;
        yield isFlat
            ? Optional.of(new LinearLayer(graph, node, node, 2, shape.get(), transposed, 1))
            : Optional.empty();
      }
      default -> Optional.empty();
    };
  }

  /**
   * The same, or the layer that a MatMul by a constant matrix is, with the Add of a constant vector
   * that alone reads it, if there is one.
   *
   * @param consumers of the graph's tensors
   */
  public static Optional<LinearLayer> of(
      Graph graph, Map<String, List<Node>> consumers, Node node) {
    return of(graph, node).or(() -> ofMatMul(graph, consumers, node));
  }

  private static Optional<LinearLayer> ofMatMul(
      Graph graph, Map<String, List<Node>> consumers, Node node) {
    Node add =
        graph
            .soleReader(consumers, node.output(0))
            .filter(reader -> addsVector(graph, reader))
            .orElse(null);
    int biasInput = add != null && add.input(0).equals(node.output(0)) ? 1 : 0;
    return weightShape(graph, node)
        .filter(shape -> node.opType().equals("MatMul") && shape.length == 2)
        .map(shape -> new LinearLayer(graph, node, add, biasInput, shape, false, 1));
  }

  private static boolean addsVector(Graph graph, Node node) {
    return node.isStandard()
        && node.opType().equals("Add")
        && node.inputs().stream()
            .anyMatch(in -> graph.constant(in).filter(t -> t.rank() == 1).isPresent());
  }

  private static Optional<long[]> weightShape(Graph graph, Node node) {
    return graph
        .constant(node.input(1))
        .filter(tensor -> node.isStandard() && tensor.isFloat())
        .filter(tensor -> tensor.rank() >= 2 && tensor.size() > 0)
        .map(Tensor::shape);
  }

  Node node() {
    return node;
  }

  /** The tensor of the result, bias included. */
  public String output() {
    return (biasNode == null ? node : biasNode).output(0);
  }

  /** Of convolutions, the rank of the input and of the result too. */
  public int weightRank() {
    return shape.length;
  }

  int rows() {
    return rows;
  }

  int columns() {
    return columns;
  }

  int inputs() {
    return rowsAreOutputs ? columns * groups : rows;
  }

  int outputs() {
    return rowsAreOutputs ? rows : columns * groups;
  }

  int inputOf(int row, int column) {
    return rowsAreOutputs ? row / (rows / groups) * columns + column : row;
  }

  int outputOf(int row, int column) {
    return rowsAreOutputs ? row : row / (rows / groups) * columns + column;
  }

  /** The output channels of the weight's values. */
  WeightChannels outputChannels() {
    return rowsAreOutputs
        ? new WeightChannels(1, 1, columns * kernel)
        : new WeightChannels(rows / groups, columns, kernel);
  }

  /** Whether channels are the last axis of its tensors, not the second of three or more. */
  public boolean hasChannelsLast() {
    return node.opType().equals("Gemm") || node.opType().equals("MatMul");
  }

  /** Whether each output channel is made from the input channel of the same number alone. */
  boolean isDepthwise() {
    return !hasChannelsLast() && columns == 1 && rows == groups;
  }

  /** Whether there is a place for a bias. */
  public boolean takesBias() {
    return biasNode != null;
  }

  boolean hasBias() {
    return biasNode != null && !biasNode.input(biasInput).isEmpty();
  }

  private double alpha() {
    return node.opType().equals("Gemm") ? node.floatAttribute("alpha", 1f) : 1;
  }

  /** The greatest magnitude in each cell, row-major; NaN where a weight is NaN. */
  float[] largest() {
    float[] values = values();
    float alpha = (float) Math.abs(alpha());
    float[] largest = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      int cell = i / kernel;
      largest[cell] = Math.max(largest[cell], alpha * Math.abs(values[i]));
    }
    return largest;
  }

  /** The sum of the weights in each cell, row-major. */
  double[] sums() {
    float[] values = values();
    double[] sums = new double[rows * columns];
    for (int i = 0; i < values.length; i++) {
      sums[i / kernel] += alpha() * values[i];
    }
    return sums;
  }

  /** The weight in effect: Gemm's factor is in it. */
  float[] weight() {
    float[] weight = values().clone();
    for (int i = 0; i < weight.length; i++) {
      weight[i] = (float) (weight[i] * alpha());
    }
    return weight;
  }

  private float[] values() {
    return graph.floatConstant(node.input(1)).orElseThrow();
  }

  /**
   * The bias in effect, one value per output channel, zeros where there is none; empty if it is no
   * constant of a known form.
   */
  public Optional<double[]> bias() {
    double[] bias = new double[outputs()];
    if (!hasBias()) {
      return Optional.of(bias);
    }
    Tensor tensor = graph.constant(biasNode.input(biasInput)).filter(Tensor::isFloat).orElse(null);
    if (tensor == null) {
      return Optional.empty();
    }
    long size = tensor.size();
    int rank = tensor.rank();
    boolean isPerChannel =
        size == bias.length && rank > 0 && (rank == 1 || tensor.dim(rank - 1) == size);
    if (!isPerChannel && size != 1) {
      return Optional.empty();
    }
    float[] given = tensor.floats();
    double beta = node.opType().equals("Gemm") ? node.floatAttribute("beta", 1f) : 1;
    for (int c = 0; c < bias.length; c++) {
      bias[c] = beta * given[isPerChannel ? c : 0];
    }
    return Optional.of(bias);
  }

  /** Gives the layer a weight of its own: each value times the factors of its channels. */
  void rescale(double[] outputFactors, double[] inputFactors, String suffix) {
    float[] values = values();
    double alpha = alpha();
    for (int i = 0; i < values.length; i++) {
      int row = i / kernel / columns;
      int column = i / kernel % columns;
      values[i] =
          (float)
              (values[i]
                  * alpha
                  * outputFactors[outputOf(row, column)]
                  * inputFactors[inputOf(row, column)]);
    }
    String wanted = node.input(1).endsWith(suffix) ? node.input(1) : node.input(1) + suffix;
    String name = graph.freshName(wanted);
    graph.addConstant(Tensor.ofFloats(name, shape, values));
    node.setInput(1, name);
    if (node.opType().equals("Gemm")) {
      node.setFloat("alpha", 1f);
    }
  }

  /** Gives the layer a bias of its own. */
  public void setBias(double[] bias) {
    float[] values = new float[bias.length];
    for (int c = 0; c < bias.length; c++) {
      values[c] = (float) bias[c];
    }
    String name = graph.freshName(node.label() + "_bias");
    graph.addConstant(Tensor.ofFloats(name, new long[] {values.length}, values));
    biasNode.setInput(biasInput, name);
    if (node.opType().equals("Gemm")) {
      node.setFloat("beta", 1f);
    }
  }

  /**
   * Makes the layer compute {@code (y - mean) * factor + offset} per output channel, in place of y.
   *
   * @return whether it could: its bias is a constant, and the channels are as many
   */
  boolean foldAffine(double[] mean, double[] factor, double[] offset) {
    Optional<double[]> given = bias();
    if (given.isEmpty() || factor.length != outputs()) {
      return false;
    }
    double[] bias = given.get();
    for (int c = 0; c < bias.length; c++) {
      bias[c] = (bias[c] - mean[c]) * factor[c] + offset[c];
    }
    if (!Arrays.equals(factor, ones(factor.length))) {
      rescale(factor, ones(inputs()), "_folded");
    }
    setBias(bias);
    return true;
  }

  static double[] ones(int size) {
    double[] ones = new double[size];
    Arrays.fill(ones, 1);
    return ones;
  }
}
