package org.tare.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.tare.onnx.OnnxModel;
import org.tare.train.torch.Libtorch;
import org.tare.train.torch.Tensors;

/** Takes steps of training on one thread: the work of one worker in one round. */
public final class Trainer implements AutoCloseable {
  private final String name;
  private final TorchGraph graph;
  private final FrozenPart frozen;
  private final Places places;
  private final TrainingOptions options;
  private final NormalizedLayers normalized;

  /**
   * A trainer.
   *
   * @param model the float model with its weights as they were, which is the teacher
   */
  Trainer(String name, OnnxModel model, Places places, TrainingOptions options) {
    Libtorch.load();
    this.name = name;
    this.places = places;
    this.options = options;
    this.normalized = new NormalizedLayers(name, places);
    this.graph = new TorchGraph(model, places);
    this.frozen = new FrozenPart(name, model, places);
  }

  /** For a model in this process. */
  public static Trainer of(TrainedModel model, TrainingOptions options) {
    return new Trainer(model.name(), model.model(), model.places(), options);
  }

  /** For a model that was sent here. */
  public static Trainer of(SentModel model, TrainingOptions options) {
    return new Trainer(model.name(), model.read(), model.places(), options);
  }

  /** Gives the batches of a worker. */
  @FunctionalInterface
  public interface Batches {
    /**
     * The batch of a step, in parts of rows of one shape. Each weighs as many as it has rows.
     *
     * @param step counted from 0 since the beginning of training
     */
    List<TrainingBatch> parts(long step);
  }

  /**
   * What a round gives.
   *
   * @param losses of each step
   * @param failure what is no longer finite and at which step, after which nothing was done
   */
  public record Round(TrainingState state, double[] losses, Optional<String> failure) {}

  /**
   * Takes steps.
   *
   * @param from is not changed
   * @param steps how many now
   * @param all how many there are in all, for the learning rate
   */
  public Round run(TrainingState from, Grids grids, Batches batches, int steps, long all) {
    TrainingState state = from.copy();
    TrainedScales scales = TrainedScales.of(places, grids, options);
    double[] losses = new double[steps];
    for (int i = 0; i < steps; i++) {
      long step = from.step() + i;
      List<TrainingBatch> parts = batches.parts(step);
      double rows = parts.stream().mapToInt(part -> part.rows().size()).sum();
      float[][] gradients = new float[state.values().length][];
      for (TrainingBatch part : parts) {
        try (PointerScope scope = new PointerScope()) {
          float[][] ofPart = new float[gradients.length][];
          NormalizedLayers.Step normalization =
              options.normalizes(step, all)
                  ? normalized.withBatchStatistics(state)
                  : normalized.withRunningStatistics(state);
          double share = part.rows().size() / rows;
          losses[i] += share * step(normalization, scales.begin(state, step, all), part, ofPart);
          add(gradients, ofPart, (float) share);
        }
      }
      if (!Double.isFinite(losses[i])) {
        return new Round(
            from, losses, Optional.of("the loss is " + losses[i] + " at step " + (step + 1)));
      }
      Optimizer.step(
          options, state, places::isDecayed, gradients, step + 1, options.rate(step, all));
    }
    long last = from.step() + steps;
    if (!state.isFinite()) {
      return new Round(from, losses, Optional.of("a weight is not finite after step " + last));
    }
    return new Round(
        new TrainingState(last, state.values(), state.first(), state.second()),
        losses,
        Optional.empty());
  }

  private static void add(float[][] sums, float[][] gradients, float share) {
    for (int i = 0; i < sums.length; i++) {
      float[] gradient = gradients[i];
      if (gradient == null) {
        continue;
      }
      if (sums[i] == null) {
        sums[i] = new float[gradient.length];
      }
      for (int k = 0; k < gradient.length; k++) {
        sums[i][k] += share * gradient[k];
      }
    }
  }

  private double step(
      NormalizedLayers.Step normalization,
      TrainedScales.Step scales,
      TrainingBatch batch,
      float[][] gradients) {
    Grids grids = scales.grids();
    Map<String, Tensor> inputs = frozen.inputs(batch);
    Map<String, Tensor> expected;
    try (NoGradGuard guard = new NoGradGuard()) {
      expected = graph.run(inputs);
    }
    List<Tensor> leaves = new ArrayList<>();
    List<boolean[]> insides = new ArrayList<>();
    List<float[]> rounded = new ArrayList<>();
    float[][] folded = normalized.folded(normalization.state());
    Map<String, Tensor> given = new HashMap<>();
    for (int p = 0; p < places.parameters().size(); p++) {
      String parameter = places.parameters().get(p);
      float[] values = folded[p];
      long[] shape = graph.shapeOf(parameter);
      boolean[] inside = null;
      Grids.Grid grid = grids.constants().get(parameter);
      if (grid != null) {
        inside = new boolean[values.length];
        values = grid.round(values, shape, inside);
      }
      float[] used = values;
      Tensor leaf =
          normalization
              .given(p, shape)
              .orElseGet(() -> Tensors.tensor(used, shape).set_requires_grad(true));
      leaves.add(leaf);
      insides.add(inside);
      rounded.add(values);
      given.put(parameter, leaf);
    }
    Map<String, Tensor> actual =
        graph.run(
            inputs, given, Optional.of(grids), scales.rounding(), normalization.after(rounded));
    Tensor loss = Losses.of(name, options, expected, actual, batch);
    loss.backward();
    for (int p = 0; p < leaves.size(); p++) {
      float[] gradient = gradient(leaves.get(p), folded[p].length);
      String parameter = places.parameters().get(p);
      scales.backward(parameter, folded[p], graph.shapeOf(parameter), gradient);
      gradients[p] = inside(gradient, insides.get(p));
    }
    normalization.backward(gradients);
    scales.addTo(gradients);
    return loss.item_float();
  }

  /** Zero where nothing depends on the parameter. */
  private static float[] gradient(Tensor leaf, int length) {
    Tensor found = leaf.grad();
    return found.defined() ? Tensors.floats(found) : new float[length];
  }

  /** Zero where a value lies outside of its grid. */
  private static float[] inside(float[] gradient, boolean[] inside) {
    if (inside != null) {
      for (int i = 0; i < gradient.length; i++) {
        gradient[i] = inside[i] ? gradient[i] : 0f;
      }
    }
    return gradient;
  }

  /** The outputs of the float model, or with grids those of its quantized form. */
  public Map<String, float[]> outputs(
      TrainingBatch batch, TrainingState state, Optional<Grids> grids) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      float[][] folded = normalized.folded(state);
      Map<String, Tensor> given = new HashMap<>();
      for (int p = 0; p < places.parameters().size(); p++) {
        String parameter = places.parameters().get(p);
        float[] values = folded[p];
        long[] shape = graph.shapeOf(parameter);
        Grids.Grid grid = grids.map(all -> all.constants().get(parameter)).orElse(null);
        given.put(
            parameter,
            Tensors.tensor(
                grid == null ? values : grid.round(values, shape, new boolean[values.length]),
                shape));
      }
      Map<String, float[]> outputs = new HashMap<>();
      graph
          .run(frozen.inputs(batch), given, grids, ActivationRounding.FIXED)
          .forEach(
              (output, tensor) -> {
                if (Tensors.isFloat(tensor)) {
                  outputs.put(output, Tensors.floats(tensor));
                }
              });
      return outputs;
    }
  }

  @Override
  public void close() {
    frozen.close();
    graph.close();
  }
}
