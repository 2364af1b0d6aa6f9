package org.tare.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.qconfig.QConfig;
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
 * rounded to a power of two, so that the float model's results stay the same to the last bit. The
 * division is a Mul that all products of one tensor share. Alpha is chosen for each tensor by the
 * least error to be expected of the products; where that is not clearly less than without factors,
 * nothing is done.
 *
 * <p>With steps of the activation dx and of column n of the weight dw[n], errors being uniform and
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
  /** What the expected error has to come down to for the Mul to be worth its time. */
  private static final double WORTH = 0.8;

  private static final double[] ALPHAS = {0.25, 0.35, 0.45, 0.5, 0.55, 0.65, 0.75, 0.85, 0.95};

  /** Factors are 2^-24 to 2^24. */
  private static final int LARGEST_EXPONENT = 24;

  private SmoothQuant() {}

  /**
   * A model with factors, or the one given if none are worth it.
   *
   * @param model the float model with the Mul nodes; its digest is that of the given one
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
   */
  public record Layer(
      String tensor, String smoothed, double alpha, double gain, List<String> products) {}

  /** The products that read a tensor, and their weights stacked side by side. */
  private record Group(
      String tensor, int channels, List<Node> products, List<float[]> weights, QConfig config) {}

  /** The tensors whose channels decide the factors: what quantized products of weights read. */
  public static List<String> candidates(OnnxModel prepared, QConfigMapping mapping) {
    return groups(prepared.graph(), mapping).stream().map(Group::tensor).toList();
  }

  private static List<Group> groups(Graph graph, QConfigMapping mapping) {
    Map<String, Group> groups = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      QConfig config = mapping.of(node.opType(), node.label(), node.output(0));
      boolean isProduct =
          node.isStandard()
              && node.opType().equals("MatMul")
              && config.quantized()
              && !graph.isConstant(node.input(0));
      Optional<float[]> weight = isProduct ? graph.floatConstant(node.input(1)) : Optional.empty();
      if (weight.isEmpty()) {
        continue;
      }
      long[] shape = Tensors.shape(graph.constant(node.input(1)).orElseThrow());
      if (shape.length != 2 || weight.get().length == 0) {
        continue;
      }
      Group group =
          groups.computeIfAbsent(
              node.input(0),
              tensor ->
                  new Group(tensor, (int) shape[0], new ArrayList<>(), new ArrayList<>(), config));
      if (group.channels() == shape[0]) {
        group.products().add(node);
        group.weights().add(weight.get());
      }
    }
    return List.copyOf(groups.values());
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
    for (Group group : groups(graph, mapping)) {
      Optional<ChannelStats> channels =
          Optional.ofNullable(state.tensors().get(group.tensor()))
              .flatMap(TensorStats::channels)
              .filter(stats -> stats.channels() == group.channels());
      Optional<Choice> choice = channels.flatMap(stats -> choose(group, stats));
      if (choice.isPresent()) {
        layers.add(write(graph, nodes, group, choice.get()));
        TensorType type = types.get(group.tensor());
        if (type != null) {
          allTypes.put(layers.get(layers.size() - 1).smoothed(), type);
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

  private record Choice(double alpha, int[] exponents, double gain) {}

  private static Optional<Choice> choose(Group group, ChannelStats stats) {
    int channels = group.channels();
    float[] weightMax = new float[channels];
    double[] weightSquares = new double[channels];
    for (float[] weight : group.weights()) {
      int columns = weight.length / channels;
      for (int c = 0; c < channels; c++) {
        for (int n = c * columns; n < (c + 1) * columns; n++) {
          if (!Float.isFinite(weight[n])) {
            return Optional.empty();
          }
          weightMax[c] = Math.max(weightMax[c], Math.abs(weight[n]));
          weightSquares[c] += (double) weight[n] * weight[n];
        }
      }
    }
    for (int c = 0; c < channels; c++) {
      if (stats.finiteCount(c) == 0) {
        return Optional.empty();
      }
    }
    Estimate estimate = new Estimate(group, stats, weightSquares);
    double without = estimate.error(new int[channels]);
    Choice best = null;
    for (double alpha : ALPHAS) {
      int[] exponents = exponents(stats, weightMax, alpha);
      double error = estimate.error(exponents);
      if (error < without * WORTH && (best == null || without / error > best.gain())) {
        best = new Choice(alpha, exponents, without / error);
      }
    }
    return Optional.ofNullable(best);
  }

  /** The factors as powers of two, their geometric mean about 1; 0 for channels of zeros. */
  private static int[] exponents(ChannelStats stats, float[] weightMax, double alpha) {
    double[] logs = new double[weightMax.length];
    double sum = 0;
    int counted = 0;
    for (int c = 0; c < logs.length; c++) {
      double largest = Math.max(Math.abs(stats.min(c)), Math.abs(stats.max(c)));
      logs[c] = Double.NaN;
      if (largest > 0 && weightMax[c] > 0) {
        logs[c] = (alpha * Math.log(largest) - (1 - alpha) * Math.log(weightMax[c])) / Math.log(2);
        sum += logs[c];
        counted++;
      }
    }
    double mean = counted == 0 ? 0 : sum / counted;
    int[] exponents = new int[logs.length];
    for (int c = 0; c < logs.length; c++) {
      double exponent = Double.isNaN(logs[c]) ? 0 : Math.rint(logs[c] - mean);
      exponents[c] = (int) Math.max(-LARGEST_EXPONENT, Math.min(LARGEST_EXPONENT, exponent));
    }
    return exponents;
  }

  /** The error to be expected of the group's products, for given factors. */
  private record Estimate(Group group, ChannelStats stats, double[] weightSquares) {
    double error(int[] exponents) {
      double low = 0;
      double high = 0;
      double passedOn = 0;
      double squares = 0;
      for (int c = 0; c < exponents.length; c++) {
        double factor = Math.scalb(1.0, exponents[c]);
        low = Math.min(low, stats.min(c) / factor);
        high = Math.max(high, stats.max(c) / factor);
        passedOn += factor * factor * weightSquares[c];
        double mean = stats.mean(c);
        double magnitude = stats.sumOfMagnitudes(c) / stats.finiteCount(c);
        squares += Math.max(mean * mean, Math.PI / 2 * magnitude * magnitude) / (factor * factor);
      }
      double step =
          group.config().activation().scheme().isSymmetric()
              ? Math.max(-low, high) / 127
              : (high - low) / 255;
      return step * step / 12 * passedOn + weightSteps(exponents) / 12 * squares;
    }

    /** The sum of the columns' squared steps. */
    private double weightSteps(int[] exponents) {
      double sum = 0;
      for (float[] weight : group.weights()) {
        int columns = weight.length / exponents.length;
        double[] largest = new double[columns];
        for (int c = 0; c < exponents.length; c++) {
          double factor = Math.scalb(1.0, exponents[c]);
          for (int n = 0; n < columns; n++) {
            largest[n] = Math.max(largest[n], factor * Math.abs(weight[c * columns + n]));
          }
        }
        if (!group.config().weight().scheme().isPerChannel()) {
          Arrays.fill(largest, Arrays.stream(largest).max().orElse(0));
        }
        sum += Arrays.stream(largest).map(l -> l / 127 * (l / 127)).sum();
      }
      return sum;
    }
  }

  private static Layer write(Graph graph, List<Node> nodes, Group group, Choice choice) {
    int channels = group.channels();
    float[] inverse = new float[channels];
    for (int c = 0; c < channels; c++) {
      inverse[c] = Math.scalb(1f, -choice.exponents()[c]);
    }
    String hash = String.format(Locale.ROOT, "%08x", Arrays.hashCode(choice.exponents()));
    String smoothed = graph.freshName(group.tensor() + "_smooth_" + hash);
    String factors = graph.freshName(smoothed + "_factors");
    graph.addConstant(Tensors.ofFloats(factors, new long[] {channels}, inverse));
    nodes.add(Node.of("Mul", smoothed, List.of(group.tensor(), factors), List.of(smoothed)));
    List<String> products = new ArrayList<>();
    for (int i = 0; i < group.products().size(); i++) {
      Node product = group.products().get(i);
      float[] weight = group.weights().get(i).clone();
      int columns = weight.length / channels;
      for (int k = 0; k < weight.length; k++) {
        weight[k] = Math.scalb(weight[k], choice.exponents()[k / columns]);
      }
      String name = graph.freshName(product.input(1) + "_smooth");
      graph.addConstant(Tensors.ofFloats(name, new long[] {channels, columns}, weight));
      product.setInput(0, smoothed);
      product.setInput(1, name);
      products.add(product.label());
    }
    return new Layer(group.tensor(), smoothed, choice.alpha(), choice.gain(), products);
  }

  /** The state of both passes: tensors of the float model, and those that have factors. */
  public static CalibrationState join(CalibrationState first, CalibrationState second) {
    SortedMap<String, TensorStats> tensors = new TreeMap<>(first.tensors());
    tensors.putAll(second.tensors());
    return new CalibrationState(first.modelDigest(), first.slice(), first.rows(), tensors);
  }
}
