package org.tare.prepare;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.prepare.FoldBatchNormalization.Moments;

/**
 * Rescales the channels between neighbouring layers so that one scale for a whole weight wastes
 * less of it (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
 * Correction"; the form of AIMET). Through Relu, LeakyRelu, PRelu or nothing, where f(t x) = t f(x)
 * for t &gt; 0, a channel i between layers 1 and 2 may be multiplied by any t:
 *
 * <pre>
 *   w1'[i,·] = w1[i,·] * t      b1'[i] = b1[i] * t      w2'[·,i] = w2[·,i] / t
 *   r1 = max |w1[i,·]|          r2 = max |w2[·,i]|      t = sqrt(r1 r2) / r1
 * </pre>
 *
 * after which both ranges are sqrt(r1 r2). With depthwise layers between, all n layers of such a
 * group get the geometric mean of their n ranges: cube roots for convolution, depthwise,
 * convolution. A full layer may end one group and begin another, so groups are gone over until none
 * changes by more than {@value #TOLERANCE}, or {@value #MOST_ROUNDS} times. The result computes the
 * same function up to float32 rounding.
 *
 * <p>Layers are Conv and ConvTranspose among themselves, and Gemm and MatMul (with the Add of its
 * bias) among themselves: between the two kinds, channels are not one axis. What lies between is
 * read by the next layer alone and is no output of the model; weights, and biases of all but the
 * last layer, are float32 constants. Constants of other readers stay as they are. A channel keeps
 * its scale if one of its ranges is 0, NaN, infinite or denormal, if a scale or bias would be, or
 * if its ranges are more than 2^24 apart: of such a channel hardly more than the bias is left, and
 * its scale would blow that up.
 *
 * <p>Two options change the function:
 *
 * <ul>
 *   <li>reluInsteadOfRelu6: a Clip from 0 to 6, which is not homogeneous, becomes Relu where it
 *       lies between such layers. Without it, those layers are left alone. A model that was trained
 *       with ReLU6 may need its bound: compare outputs before it is quantized.
 *   <li>absorbHighBias: where a channel of mean beta and standard deviation |gamma|, as the
 *       normalization before it says, goes through Relu, c = max(0, beta - 3 |gamma|) is taken from
 *       its bias and W2 c is added to the next one's. That is exact for values above c, all but one
 *       of 741 if they are normal. A layer with padding reads zeros beside them, where it would not
 *       be: only Conv without padding, Gemm, and MatMul with a bias take it. What else stays: a
 *       ConvTranspose, whose pixels see different parts of the kernel.
 * </ul>
 */
final class CrossLayerEqualization {
  private static final double TOLERANCE = 1e-6;
  private static final int MOST_ROUNDS = 100;
  private static final double FARTHEST_APART = 0x1p24;
  private static final double RELU6 = 6;

  private final Graph graph;
  private final Options options;
  private final Map<String, List<Node>> consumers;
  private final Map<Node, Layer> layers = new LinkedHashMap<>();
  private final Map<Layer, Link> linkAfter = new LinkedHashMap<>();

  /**
   * What changes the function.
   *
   * @param moments of tensors that batch normalizations wrote, for absorbHighBias
   */
  record Options(boolean absorbHighBias, boolean reluInsteadOfRelu6, Map<String, Moments> moments) {
    /** Only what leaves the function as it is. */
    static Options exact() {
      return new Options(false, false, Map.of());
    }
  }

  /**
   * What was done.
   *
   * @param pairs neighbouring layers, each two; their channels were rescaled where they can be
   * @param absorbedChannels channels whose bias went in part to the next layer
   * @param worstBefore the greatest ratio of two ranges of one channel within a group, of the
   *     channels that can be rescaled; 1 if there are none
   * @param worstAfter the same after it
   */
  record Report(int pairs, int absorbedChannels, double worstBefore, double worstAfter) {}

  /** A layer with the factors by which its weight is rescaled. */
  private static final class Layer {
    final LinearLayer linear;
    final double[] outputScale;
    double[] inputScale;

    /** Of the weights before scales; null until a group asks. */
    private float[] largest;

    /** Before scales; null if it is no constant. */
    final double[] bias;

    boolean hasNewBias;

    Layer(LinearLayer linear) {
      this.linear = linear;
      this.inputScale = LinearLayer.ones(linear.inputs());
      this.outputScale = LinearLayer.ones(linear.outputs());
      this.bias = linear.bias().orElse(null);
    }

    /** The greatest magnitude of the weights of each output channel, or of each input channel. */
    double[] ranges(boolean ofOutputs) {
      if (largest == null) {
        largest = linear.largest();
      }
      double[] ranges = new double[ofOutputs ? linear.outputs() : linear.inputs()];
      for (int row = 0; row < linear.rows(); row++) {
        for (int column = 0; column < linear.columns(); column++) {
          int in = linear.inputOf(row, column);
          int out = linear.outputOf(row, column);
          double scaled =
              largest[row * linear.columns() + column] * (outputScale[out] / inputScale[in]);
          int channel = ofOutputs ? out : in;
          ranges[channel] = Math.max(ranges[channel], scaled);
        }
      }
      return ranges;
    }
  }

  /** Two layers, the activation between them or null, and the scale of each channel between. */
  private record Link(Layer from, Node activation, Layer to, double[] scale) {}

  private CrossLayerEqualization(Graph graph, Options options) {
    this.graph = graph;
    this.options = options;
    this.consumers = graph.consumers();
  }

  /** Equalizes all it can. */
  static Report apply(Graph graph, Options options) {
    return new CrossLayerEqualization(graph, options).apply();
  }

  private Report apply() {
    graph.nodes().forEach(this::addLayer);
    layers.values().forEach(this::link);
    List<List<Link>> groups = groups();
    double before = worst(groups);
    boolean changes = true;
    for (int round = 0; changes && round < MOST_ROUNDS; round++) {
      changes = false;
      for (List<Link> group : groups) {
        changes |= equalize(group);
      }
    }
    double after = worst(groups);
    replaceRelu6();
    int absorbed = options.absorbHighBias() ? absorb() : 0;
    layers.values().forEach(CrossLayerEqualization::write);
    graph.removeUnused();
    return new Report(linkAfter.size(), absorbed, before, after);
  }

  private void addLayer(Node node) {
    LinearLayer.of(graph, consumers, node).ifPresent(layer -> layers.put(node, new Layer(layer)));
  }

  private Optional<Node> soleReaderOfFirst(String tensor) {
    return graph.soleReader(consumers, tensor).filter(node -> node.input(0).equals(tensor));
  }

  private void link(Layer from) {
    if (from.bias == null) {
      return;
    }
    Node next = soleReaderOfFirst(from.linear.output()).orElse(null);
    Node activation = null;
    if (next != null && isHomogeneous(next)) {
      activation = next;
      next = soleReaderOfFirst(activation.output(0)).orElse(null);
    }
    Layer to = next == null ? null : layers.get(next);
    if (to == null
        || to.linear.inputs() != from.linear.outputs()
        || to.linear.hasChannelsLast() != from.linear.hasChannelsLast()
        || (next.opType().equals("Gemm") && next.intAttribute("transA", 0) != 0)) {
      return;
    }
    to.inputScale = from.outputScale;
    linkAfter.put(from, new Link(from, activation, to, from.outputScale));
  }

  private boolean isHomogeneous(Node node) {
    return node.isStandard()
        && switch (node.opType()) {
          case "Relu", "LeakyRelu", "PRelu" -> true;
          default -> options.reluInsteadOfRelu6() && isRelu6(node);
        };
  }

  private boolean isRelu6(Node node) {
    return node.isStandard()
        && node.opType().equals("Clip")
        && isScalar(node.input(1), 0)
        && isScalar(node.input(2), RELU6);
  }

  private boolean isScalar(String tensor, double value) {
    Tensor constant = graph.constant(tensor).filter(Tensor::isFloat).orElse(null);
    return constant != null && constant.size() == 1 && constant.floats()[0] == value;
  }

  /** Links in a row whose inner layers are depthwise; each link is in one group. */
  private List<List<Link>> groups() {
    Set<Layer> inner = new HashSet<>();
    for (Link link : linkAfter.values()) {
      if (link.to().linear.isDepthwise()) {
        inner.add(link.to());
      }
    }
    List<List<Link>> groups = new ArrayList<>();
    for (Link first : linkAfter.values()) {
      if (inner.contains(first.from())) {
        continue;
      }
      List<Link> group = new ArrayList<>();
      for (Link link = first;
          link != null;
          link = link.to().linear.isDepthwise() ? linkAfter.get(link.to()) : null) {
        group.add(link);
      }
      groups.add(group);
    }
    return groups;
  }

  /** The ranges of the channels in the group's layers: those of outputs, but of the last layer. */
  private static List<double[]> ranges(List<Link> group) {
    List<double[]> ranges = new ArrayList<>();
    group.forEach(link -> ranges.add(link.from().ranges(true)));
    ranges.add(group.get(group.size() - 1).to().ranges(false));
    return ranges;
  }

  private static boolean isEqualizable(List<double[]> ranges, int channel) {
    double greatest = greatest(ranges, channel);
    double least = least(ranges, channel);
    return isNormal(least) && isNormal(greatest) && greatest / least <= FARTHEST_APART;
  }

  /** NaN if one is. */
  private static double greatest(List<double[]> ranges, int channel) {
    return ranges.stream().mapToDouble(range -> range[channel]).reduce(0, Math::max);
  }

  /** NaN if one is. */
  private static double least(List<double[]> ranges, int channel) {
    return ranges.stream()
        .mapToDouble(range -> range[channel])
        .reduce(Double.POSITIVE_INFINITY, Math::min);
  }

  private static boolean isNormal(double positive) {
    return positive >= Float.MIN_NORMAL && positive <= Float.MAX_VALUE;
  }

  private static double worst(List<List<Link>> groups) {
    double worst = 1;
    for (List<Link> group : groups) {
      List<double[]> ranges = ranges(group);
      for (int c = 0; c < ranges.get(0).length; c++) {
        if (isEqualizable(ranges, c)) {
          worst = Math.max(worst, greatest(ranges, c) / least(ranges, c));
        }
      }
    }
    return worst;
  }

  /** Whether any scale changed. */
  private static boolean equalize(List<Link> group) {
    List<double[]> ranges = ranges(group);
    boolean changed = false;
    for (int c = 0; c < ranges.get(0).length; c++) {
      changed |= isEqualizable(ranges, c) && equalize(group, ranges, c);
    }
    return changed;
  }

  private static boolean equalize(List<Link> group, List<double[]> ranges, int channel) {
    double logs = 0;
    for (double[] range : ranges) {
      logs += Math.log(range[channel]);
    }
    double mean = Math.exp(logs / ranges.size());
    double[] scales = new double[group.size()];
    double factor = 1;
    boolean changes = false;
    for (int i = 0; i < scales.length; i++) {
      Link link = group.get(i);
      factor *= mean / ranges.get(i)[channel];
      changes |= Math.abs(factor - 1) > TOLERANCE;
      scales[i] = link.scale()[channel] * factor;
      double bias = Math.abs(link.from().bias[channel]);
      if (!isNormal(scales[i]) || (bias <= Float.MAX_VALUE && bias * scales[i] > Float.MAX_VALUE)) {
        return false;
      }
    }
    if (changes) {
      for (int i = 0; i < scales.length; i++) {
        group.get(i).scale()[channel] = scales[i];
      }
    }
    return changes;
  }

  private void replaceRelu6() {
    Map<Node, Node> replaced = new HashMap<>();
    for (Link link : linkAfter.values()) {
      Node clip = link.activation();
      if (clip != null && isRelu6(clip)) {
        Node relu = Node.of("Relu", clip.name(), List.of(clip.input(0)), List.of(clip.output(0)));
        replaced.put(clip, relu);
      }
    }
    if (!replaced.isEmpty()) {
      graph.setNodes(
          graph.nodes().stream().map(node -> replaced.getOrDefault(node, node)).toList());
    }
  }

  /** Absorbs before scales apply: max(0, t x) is t max(0, x). */
  private int absorb() {
    int absorbed = 0;
    for (Link link : linkAfter.values()) {
      Moments moments = options.moments().get(link.from().linear.output());
      boolean isRelu =
          link.activation() != null
              && (link.activation().opType().equals("Relu") || isRelu6(link.activation()));
      if (moments == null || !isRelu || !absorbs(link.to())) {
        continue;
      }
      double[] excess = new double[link.scale().length];
      int channels = 0;
      for (int c = 0; c < excess.length; c++) {
        double least = moments.beta()[c] - 3.0 * Math.abs(moments.gamma()[c]);
        if (least > 0 && Double.isFinite(least)) {
          excess[c] = least;
          channels++;
        }
      }
      if (channels > 0) {
        move(link, excess);
        absorbed += channels;
      }
    }
    return absorbed;
  }

  private static boolean absorbs(Layer layer) {
    Node node = layer.linear.node();
    String padding = node.stringAttribute("auto_pad", "NOTSET");
    boolean isUnpadded =
        (padding.equals("NOTSET") || padding.equals("VALID"))
            && node.intsAttribute("pads").stream().allMatch(pad -> pad == 0);
    return layer.bias != null
        && layer.linear.takesBias()
        && !node.opType().equals("ConvTranspose")
        && isUnpadded;
  }

  private static void move(Link link, double[] excess) {
    LinearLayer next = link.to().linear;
    double[] sums = next.sums();
    for (int row = 0; row < next.rows(); row++) {
      for (int column = 0; column < next.columns(); column++) {
        double moved = sums[row * next.columns() + column] * excess[next.inputOf(row, column)];
        link.to().bias[next.outputOf(row, column)] += moved;
      }
    }
    for (int c = 0; c < excess.length; c++) {
      link.from().bias[c] -= excess[c];
    }
    link.from().hasNewBias = true;
    link.to().hasNewBias = true;
  }

  private static void write(Layer layer) {
    boolean changesOutput = isChanged(layer.outputScale);
    if (changesOutput || isChanged(layer.inputScale)) {
      double[] inverse = new double[layer.inputScale.length];
      for (int c = 0; c < inverse.length; c++) {
        inverse[c] = 1 / layer.inputScale[c];
      }
      layer.linear.rescale(layer.outputScale, inverse, "_equalized");
    }
    boolean hasBias = layer.bias != null && layer.linear.hasBias();
    if (layer.hasNewBias || (changesOutput && hasBias)) {
      double[] bias = new double[layer.bias.length];
      for (int c = 0; c < bias.length; c++) {
        bias[c] = layer.bias[c] * layer.outputScale[c];
      }
      layer.linear.setBias(bias);
    }
  }

  private static boolean isChanged(double[] scales) {
    for (double scale : scales) {
      if (scale != 1) {
        return true;
      }
    }
    return false;
  }
}
