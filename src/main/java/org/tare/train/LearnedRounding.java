package org.tare.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.train.torch.Libtorch;
import org.tare.train.torch.Tensors;
import org.tare.train.torch.TorchOperators;

/**
 * AdaRound (Nagel et al., 2020): whether a weight is rounded up or down is learned, layer by layer,
 * so that the layer's output comes near that of the float model.
 *
 * <pre>
 *   w' = scale * clamp(floor(w / scale) + h(v)), h(v) = clamp(1.2 sigmoid(v) - 0.1, 0, 1)
 *   loss = |f(x', w') - f(x, w)|^2 / that of nearest rounding + share * mean(1 - |2 h - 1|^beta)
 * </pre>
 *
 * <p>x' are the inputs that the layer gets where all before it is rounded, x those of the float
 * model; f is the layer with the Relu or Clip behind it. The second term, which comes after a fifth
 * of the steps, brings h to 0 or 1 as beta falls from 20 to 2. Afterwards the bias takes the mean
 * of the error that is left.
 */
public final class LearnedRounding implements AutoCloseable {
  private static final double WARM_UP = 0.2;
  private static final double SHARE = 0.5;
  private static final double FIRST_BETA = 20;
  private static final double LAST_BETA = 2;
  private static final double RATE = 0.02;

  private final String name;
  private final TorchGraph graph;
  private final Places places;
  private final RoundingOptions options;

  private LearnedRounding(String name, OnnxModel model, Places places, RoundingOptions options) {
    Libtorch.load();
    this.name = name;
    this.graph = new TorchGraph(model, places);
    this.places = places;
    this.options = options;
  }

  /** For a model that was sent here. */
  public static LearnedRounding of(SentModel model, RoundingOptions options) {
    return new LearnedRounding(model.name(), model.read(), model.places(), options);
  }

  /** A tensor outside of libtorch. */
  private record Kept(float[] values, long[] shape) {
    static Kept of(Tensor tensor) {
      return new Kept(Tensors.floats(tensor), tensor.shape());
    }

    Tensor tensor() {
      return Tensors.tensor(values, shape);
    }
  }

  /** What a layer reads, and what it is to give, for one batch. */
  private record Example(Kept input, Kept wanted) {}

  /** A layer with what is learned of it. */
  private record Layer(Node node, Optional<Node> after, String weight, Grids.Grid grid) {}

  /**
   * Learns the rounding of every weight that is quantized.
   *
   * @param from the weights and biases as they were
   * @param rows to learn on
   * @return weights that lie on their grids, and biases that fit them
   */
  public TrainingState run(TrainingState from, Grids grids, List<TrainingRow> rows) {
    TrainingState state = from.copy();
    List<TrainingBatch> batches = new ArrayList<>();
    for (int i = 0; i < rows.size(); i += options.batch()) {
      int end = Math.min(rows.size(), i + options.batch());
      batches.addAll(new TrainingBatch(rows.subList(i, end)).parts());
    }
    List<String> done = new ArrayList<>();
    for (int i = 0; i < graph.nodes().size(); i++) {
      Optional<Layer> layer = layer(i, grids).filter(one -> !done.contains(one.weight()));
      if (layer.isPresent()) {
        List<Example> examples = new ArrayList<>();
        for (TrainingBatch batch : batches) {
          examples.add(example(i, layer.get(), from, state, grids, batch));
        }
        learn(layer.get(), examples, state);
        done.add(layer.get().weight());
      }
    }
    return state;
  }

  private Optional<Layer> layer(int index, Grids grids) {
    Node node = graph.nodes().get(index);
    // What reads more than its input, weight and bias, as attention with a mask, stays as it is.
    boolean isLayer =
        places.quantized().contains(index)
            && node.inputs().size() <= 3
            && places.parameters().contains(node.input(1))
            && grids.constants().containsKey(node.input(1));
    if (!isLayer) {
      return Optional.empty();
    }
    Optional<Node> after =
        graph
            .soleReader(node)
            .filter(reader -> reader.opType().equals("Relu") || reader.opType().equals("Clip"));
    return Optional.of(new Layer(node, after, node.input(1), grids.constants().get(node.input(1))));
  }

  private Example example(
      int index,
      Layer layer,
      TrainingState from,
      TrainingState state,
      Grids grids,
      TrainingBatch batch) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      Map<String, Tensor> inputs = batch.tensors(name);
      TorchGraph.Running plain =
          graph
          .new Running(
              inputs, given(from, Optional.empty()), Optional.empty(), ActivationRounding.FIXED);
      TorchGraph.Running rounded =
          graph
          .new Running(
              inputs,
              given(state, Optional.of(grids)),
              Optional.of(grids),
              ActivationRounding.FIXED);
      for (int i = 0; i < index; i++) {
        plain.step(i);
        rounded.step(i);
      }
      Tensor wanted = after(layer, plain.step(index).get(0));
      return new Example(Kept.of(rounded.inputs(index).get(0)), Kept.of(wanted));
    }
  }

  private Map<String, Tensor> given(TrainingState state, Optional<Grids> grids) {
    Map<String, Tensor> given = new HashMap<>();
    for (int p = 0; p < places.parameters().size(); p++) {
      String parameter = places.parameters().get(p);
      float[] values = state.values()[p];
      long[] shape = graph.shapeOf(parameter);
      Grids.Grid grid = grids.map(all -> all.constants().get(parameter)).orElse(null);
      given.put(
          parameter,
          Tensors.tensor(
              grid == null ? values : grid.round(values, shape, new boolean[values.length]),
              shape));
    }
    return given;
  }

  private Tensor after(Layer layer, Tensor output) {
    if (layer.after().isEmpty()) {
      return output;
    }
    List<Tensor> read = new ArrayList<>();
    for (String input : layer.after().get().inputs()) {
      boolean isOutput = input.equals(layer.node().outputs().get(0));
      read.add(isOutput ? output : input.isEmpty() ? null : graph.constant(input));
    }
    return TorchOperators.run(layer.after().get(), read).get(0);
  }

  /** The layer's own weights and bias, which are changed. */
  private void learn(Layer layer, List<Example> examples, TrainingState state) {
    int weight = places.parameters().indexOf(layer.weight());
    long[] shape = graph.shapeOf(layer.weight());
    String biasName = layer.node().input(2);
    int bias = places.parameters().indexOf(biasName);
    SoftRounding soft = new SoftRounding(layer.grid(), state.values()[weight], shape);
    float[] biases =
        bias >= 0
            ? state.values()[bias]
            : biasName.isEmpty() ? null : Tensors.floats(graph.constant(biasName));
    long[] biasShape = biasName.isEmpty() ? null : graph.shapeOf(biasName);
    double nearest = 0;
    float[] rounded = layer.grid().round(state.values()[weight], shape, new boolean[soft.size()]);
    for (Example one : examples) {
      nearest += loss(layer, one, rounded, shape, biases, biasShape, null, null) / examples.size();
    }
    if (!(nearest > 0) || !Double.isFinite(nearest)) {
      return;
    }
    Random random = new Random(options.seed());
    float[] gradient = new float[soft.size()];
    for (int step = 0; step < options.steps(); step++) {
      Example one = examples.get(random.nextInt(examples.size()));
      loss(layer, one, soft.values(), shape, biases, biasShape, gradient, null);
      double progress = (step - WARM_UP * options.steps()) / ((1 - WARM_UP) * options.steps());
      double beta =
          LAST_BETA
              + 0.5
                  * (FIRST_BETA - LAST_BETA)
                  * (1 + Math.cos(Math.PI * Math.max(0, Math.min(1, progress))));
      soft.step(gradient, 1 / nearest, progress < 0 ? 0 : SHARE, beta, RATE, step + 1);
    }
    float[] hard = soft.hardValues();
    double reached = 0;
    float[] shift = bias >= 0 ? new float[biases.length] : null;
    for (Example one : examples) {
      reached += loss(layer, one, hard, shape, biases, biasShape, null, shift) / examples.size();
    }
    if (reached < nearest) {
      state.values()[weight] = hard;
      if (shift != null) {
        for (int i = 0; i < shift.length; i++) {
          biases[i] -= shift[i] / examples.size();
        }
      }
    }
  }

  /**
   * The mean squared error of a layer's output.
   *
   * @param gradient gets that of the weight, if it is not null
   * @param shift what is added to: the mean error of each channel of the bias, if it is not null
   */
  private double loss(
      Layer layer,
      Example one,
      float[] weight,
      long[] shape,
      float[] bias,
      long[] biasShape,
      float[] gradient,
      float[] shift) {
    try (PointerScope scope = new PointerScope()) {
      Tensor w = Tensors.tensor(weight, shape).set_requires_grad(gradient != null);
      Tensor b = null;
      if (bias != null) {
        b = Tensors.tensor(bias, biasShape).set_requires_grad(shift != null);
      }
      List<Tensor> inputs = new ArrayList<>(Arrays.asList(one.input().tensor(), w));
      if (b != null) {
        inputs.add(b);
      }
      Tensor y = after(layer, TorchOperators.run(layer.node(), inputs).get(0));
      Tensor error = y.sub(one.wanted().tensor());
      Tensor mean = error.mul(error).mean();
      if (gradient != null) {
        mean.backward();
        System.arraycopy(Tensors.floats(w.grad()), 0, gradient, 0, gradient.length);
      } else if (shift != null) {
        // The gradient of half the sum of squares is the sum of errors, of each channel.
        error.mul(error).sum().mul(new Scalar(0.5)).backward();
        float[] sums = Tensors.floats(b.grad());
        double count = (double) y.numel() / shift.length;
        for (int i = 0; i < shift.length; i++) {
          shift[i] += (float) (sums[i] / count);
        }
      }
      return mean.item_float();
    }
  }

  @Override
  public void close() {
    graph.close();
  }
}
