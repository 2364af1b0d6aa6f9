package org.tare.correct;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.tare.correct.SmoothGroups.Group;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.qconfig.QConfigMapping;
import org.tare.stats.CalibrationState;
import org.tare.stats.Smoothing;
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
 *
 * <p>Static quantization needs the range of {@code x / s}, so the factors have to be known before
 * the rows are observed: {@link #choose} takes them from the state of a few rows, {@link
 * #observing} gives a model that computes {@code x / s} beside {@code x}, and {@link #observed}
 * finds the factors again in the state of all rows.
 */
public final class SmoothQuant {
  /** The greatest share of the expected error that may remain where the factors need a Mul. */
  private static final double WORTH_A_NODE = 0.8;

  /** The greatest share that may remain where constants take the factors. */
  private static final double WORTH = 0.95;

  /** Behind it in the name of a tensor with factors stands a hash of them. */
  private static final String SMOOTHED = "_smooth_";

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
   * @param smoothing the factors
   * @param gain the expected error without factors over that with them
   * @param folded whether the division went into constants
   */
  public record Layer(
      String tensor,
      String smoothed,
      Smoothing smoothing,
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
  public static Result choose(
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      CalibrationState state) {
    return apply(
        prepared,
        types,
        mapping,
        group ->
            factors(group, state)
                .flatMap(
                    factors ->
                        factors.choose(group.arithmetic().isEmpty() ? WORTH_A_NODE : WORTH)));
  }

  /**
   * Adds the factors that the values of a state were divided by to a copy of the model.
   *
   * @param state of the model's tensors and of those with factors. A tensor that has some of them
   *     divided by other factors, as in the sum of states that chose differently, gets none
   */
  public static Result observed(
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      CalibrationState state) {
    return apply(
        prepared,
        types,
        mapping,
        group ->
            factors(group, state)
                .flatMap(factors -> smoothing(group, state).flatMap(factors::given)));
  }

  /** Whether a state tells which tensors were divided by which factors. */
  public static boolean knowsFactors(CalibrationState state) {
    return state.tensors().values().stream().anyMatch(stats -> stats.smoothing().isPresent());
  }

  /**
   * The tensors of which a state holds values that were divided by factors, but not all by the same
   * ones: {@link #observed} gives them none.
   */
  public static List<String> disagreeing(
      OnnxModel prepared, QConfigMapping mapping, CalibrationState state) {
    return SmoothGroups.of(prepared.graph(), mapping).stream()
        .filter(group -> state.tensors().containsKey(group.tensor()))
        .filter(
            group ->
                divided(group, state).stream().anyMatch(stats -> stats.smoothing().isPresent())
                    && smoothing(group, state).isEmpty())
        .map(Group::tensor)
        .toList();
  }

  /** What a state holds of a tensor divided by factors, of each choice of them. */
  private static Collection<TensorStats> divided(Group group, CalibrationState state) {
    String begin = group.tensor() + SMOOTHED;
    return state.tensors().subMap(begin, begin + Character.MAX_VALUE).values();
  }

  private static Optional<SmoothFactors> factors(Group group, CalibrationState state) {
    return Optional.ofNullable(state.tensors().get(group.tensor()))
        .flatMap(TensorStats::channels)
        .filter(stats -> stats.channels() == group.channels())
        .map(stats -> new SmoothFactors(stats, group.weights(), group.config()));
  }

  /** The factors that all values of a tensor were divided by. */
  private static Optional<Smoothing> smoothing(Group group, CalibrationState state) {
    long count = state.tensor(group.tensor()).count();
    return divided(group, state).stream()
        .filter(stats -> stats.count() == count)
        .flatMap(stats -> stats.smoothing().stream())
        .filter(smoothing -> smoothing.channels() == group.channels())
        .findFirst();
  }

  /**
   * The float model that computes each tensor divided by its factors beside it, and is otherwise
   * what it was. The values are those of the model with factors, to the last bit: a factor is a
   * power of two.
   *
   * @param smoothed of the prepared model
   */
  public static OnnxModel observing(OnnxModel prepared, QConfigMapping mapping, Result smoothed) {
    Map<String, Layer> layers = new LinkedHashMap<>();
    smoothed.layers().forEach(layer -> layers.put(layer.tensor(), layer));
    OnnxModel copy = prepared.copy();
    Graph graph = copy.graph();
    List<Node> nodes = new ArrayList<>(graph.nodes());
    for (Group group : SmoothGroups.of(graph, mapping)) {
      Layer layer = layers.get(group.tensor());
      if (layer != null) {
        nodes.add(division(graph, group, layer.smoothed(), inverse(layer.smoothing())));
      }
    }
    graph.setNodes(nodes);
    return copy;
  }

  private static Result apply(
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      Function<Group, Optional<SmoothFactors.Choice>> factors) {
    OnnxModel copy = prepared.copy();
    Graph graph = copy.graph();
    List<Node> nodes = new ArrayList<>(graph.nodes());
    Map<String, TensorType> allTypes = new LinkedHashMap<>(types);
    List<Layer> layers = new ArrayList<>();
    Set<Node> taken = new LinkedHashSet<>();
    for (Group group : SmoothGroups.of(graph, mapping)) {
      Optional<SmoothFactors.Choice> choice = factors.apply(group);
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
    int[] exponents = choice.smoothing().exponents();
    float[] inverse = inverse(choice.smoothing());
    String hash = String.format(Locale.ROOT, "%08x", Arrays.hashCode(exponents));
    String smoothed = graph.freshName(group.tensor() + SMOOTHED + hash);
    if (group.arithmetic().isEmpty()) {
      nodes.add(division(graph, group, smoothed, inverse));
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
      graph.addConstant(Tensor.ofFloats(name, own.shape(), own.scaled(exponents)));
      product.setInput(0, smoothed);
      product.setInput(1, name);
      products.add(product.label());
    }
    return new Layer(
        group.tensor(),
        smoothed,
        choice.smoothing(),
        choice.gain(),
        !group.arithmetic().isEmpty(),
        products);
  }

  private static float[] inverse(Smoothing smoothing) {
    int[] exponents = smoothing.exponents();
    float[] inverse = new float[exponents.length];
    for (int c = 0; c < inverse.length; c++) {
      inverse[c] = Math.scalb(1f, -exponents[c]);
    }
    return inverse;
  }

  private static Node division(Graph graph, Group group, String smoothed, float[] inverse) {
    String factors = graph.freshName(smoothed + "_factors");
    graph.addConstant(Tensor.ofFloats(factors, shape(group, 0), inverse));
    return Node.of("Mul", smoothed, List.of(group.tensor(), factors), List.of(smoothed));
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
}
