package org.tare.correct;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.correct.SmoothGroups.Group;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.qconfig.QConfigMapping;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelStats;
import org.tare.stats.TensorStats;

/**
 * Moves outliers of activations into weights before products are quantized (Xiao et al. 2023,
 * SmoothQuant): {@code x W = (x / s) (s W)}, with one factor for each channel of x,
 *
 * <pre>
 *   s[c] = max|x[c]|^alpha / max|W[c]|^(1 - alpha)
 * </pre>
 *
 * rounded to a power of two, so that the float model's results stay the same to the last bit. Where
 * x is the result of arithmetic with constants that nothing else reads (a normalization's scale and
 * shift, say), the division goes into those constants and costs nothing; else it is a Mul that all
 * products of x share. Convolutions get factors only where they cost nothing. Alpha is chosen for
 * each tensor by the least error to be expected of the products; where that is not clearly less
 * than without factors, nothing is done.
 *
 * <p>With steps of the activation dx and of output n of the weight dw[n], errors being uniform and
 * independent, the error to be expected is
 *
 * <pre>
 *   dx^2 / 12 * sum_c s[c]^2 sum_n W[c][n]^2  +  sum_n dw[n]^2 / 12 * sum_c E[x[c]^2] / s[c]^2
 * </pre>
 *
 * with E[x^2] from the mean magnitude as of a normal distribution. It takes no more than the
 * extremes and sums of each channel.
 */
public final class SmoothQuant {
  /** The greatest share of the expected error that may remain where the factors need a Mul. */
  private static final double WORTH_A_NODE = 0.8;

  /** The greatest share that may remain where constants take the factors. */
  private static final double WORTH = 0.95;

  private SmoothQuant() {}

  /**
   * A model with factors, or the one given if none are worth it.
   *
   * @param model computes the same; its digest is that of the given one
   * @param types of all its tensors
   * @param layers what was chosen for each tensor that got factors
   */
  public record Result(OnnxModel model, Map<String, TensorType> types, List<Layer> layers) {
    /** The tensors that have to be observed in the new model. */
    public List<String> smoothed() {
      return layers.stream().map(Layer::smoothed).toList();
    }
  }

  /**
   * One tensor with factors.
   *
   * @param smoothed the name of {@code x / s}; it is made of the factors, so that statistics of
   *     other factors are not taken for its
   * @param gain the expected error without factors over that with them
   * @param folded whether the division went into constants
   */
  public record Layer(
      String tensor,
      String smoothed,
      double alpha,
      double gain,
      boolean folded,
      List<String> products) {}

  /**
   * The tensors whose channels decide the factors, with the axis of those, counted from the end.
   */
  public static Map<String, Integer> candidates(
      OnnxModel prepared, Map<String, TensorType> types, QConfigMapping mapping) {
    Map<String, Integer> axes = new LinkedHashMap<>();
    for (Group group : SmoothGroups.of(prepared.graph(), mapping)) {
      TensorType type = types.get(group.tensor());
      if (group.isMatrix()) {
        axes.put(group.tensor(), -1);
      } else if (type != null && type.rank() > 2) {
        axes.put(group.tensor(), 1 - type.rank());
      }
    }
    return axes;
  }

  /**
   * Adds factors to a copy of the model wherever they are worth it.
   *
   * @param state with statistics of the channels of {@link #candidates}; tensors without them get
   *     no factors
   */
  public static Result apply(
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      CalibrationState state) {
    OnnxModel copy = prepared.copy();
    Graph graph = copy.graph();
    List<Node> nodes = new ArrayList<>(graph.nodes());
    Map<String, TensorType> allTypes = new LinkedHashMap<>(types);
    List<Layer> layers = new ArrayList<>();
    Set<Node> taken = new LinkedHashSet<>();
    for (Group group : SmoothGroups.of(graph, mapping)) {
      Optional<ChannelStats> channels =
          Optional.ofNullable(state.tensors().get(group.tensor()))
              .flatMap(TensorStats::channels)
              .filter(stats -> stats.channels() == group.channels());
      boolean isFree = !group.arithmetic().isEmpty();
      Optional<SmoothFactors.Choice> choice =
          channels.flatMap(
              stats ->
                  new SmoothFactors(stats, group.weights(), group.config())
                      .choose(isFree ? WORTH : WORTH_A_NODE));
      if (choice.isPresent() && taken.addAll(group.products())) {
        Layer layer = write(graph, nodes, group, choice.get());
        layers.add(layer);
        TensorType type = types.get(group.tensor());
        if (type != null) {
          allTypes.put(layer.smoothed(), type);
        }
      }
    }
    if (layers.isEmpty()) {
      return new Result(prepared, types, List.of());
    }
    graph.setNodes(nodes);
    graph.removeUnused();
    return new Result(copy, allTypes, layers);
  }

  private static Layer write(
      Graph graph, List<Node> nodes, Group group, SmoothFactors.Choice choice) {
    float[] inverse = new float[group.channels()];
    for (int c = 0; c < inverse.length; c++) {
      inverse[c] = Math.scalb(1f, -choice.exponents()[c]);
    }
    String hash = String.format(Locale.ROOT, "%08x", Arrays.hashCode(choice.exponents()));
    String smoothed = graph.freshName(group.tensor() + "_smooth_" + hash);
    if (group.arithmetic().isEmpty()) {
      String factors = graph.freshName(smoothed + "_factors");
      graph.addConstant(Tensor.ofFloats(factors, shape(group, 0), inverse));
      nodes.add(Node.of("Mul", smoothed, List.of(group.tensor(), factors), List.of(smoothed)));
    } else {
      for (Node node : group.arithmetic()) {
        for (int i = 0; i < node.inputs().size(); i++) {
          if (graph.isConstant(node.input(i))) {
            node.setInput(i, divided(graph, node.input(i), group, inverse, hash));
          }
        }
      }
      group.arithmetic().get(0).setOutput(0, smoothed);
    }
    List<String> products = new ArrayList<>();
    for (int i = 0; i < group.products().size(); i++) {
      Node product = group.products().get(i);
      ChannelWeight own = group.weights().get(i);
      String name = graph.freshName(own.name() + "_smooth");
      graph.addConstant(Tensor.ofFloats(name, own.shape(), own.scaled(choice.exponents())));
      product.setInput(0, smoothed);
      product.setInput(1, name);
      products.add(product.label());
    }
    return new Layer(
        group.tensor(),
        smoothed,
        choice.alpha(),
        choice.gain(),
        !group.arithmetic().isEmpty(),
        products);
  }

  /**
   * One value a channel, counted from the end, so that it stands beside tensors of any rank: [C],
   * or [C, 1, 1] of an image.
   */
  private static long[] shape(Group group, int leastRank) {
    ChannelWeight weight = group.weights().get(0);
    int fromEnd = weight.channelFromEnd();
    long[] shape = new long[Math.max(fromEnd, leastRank)];
    Arrays.fill(shape, 1);
    shape[shape.length - fromEnd] = weight.channels();
    return shape;
  }

  private static String divided(
      Graph graph, String constant, Group group, float[] inverse, String hash) {
    // The rank must not fall: the result's rank may come from the constant.
    int rank = graph.constant(constant).orElseThrow().rank();
    float[] values = graph.floatConstant(constant).orElseThrow();
    float[] divided = inverse.clone();
    for (int c = 0; c < divided.length; c++) {
      divided[c] *= values[values.length == 1 ? 0 : c];
    }
    String name = graph.freshName(constant + "_smooth_" + hash);
    graph.addConstant(Tensor.ofFloats(name, shape(group, rank), divided));
    return name;
  }

  /** The state of both passes: tensors of the float model, and those that have factors. */
  public static CalibrationState join(CalibrationState first, CalibrationState second) {
    SortedMap<String, TensorStats> tensors = new TreeMap<>(first.tensors());
    tensors.putAll(second.tensors());
    return new CalibrationState(first.modelDigest(), first.slice(), first.rows(), tensors);
  }
}
