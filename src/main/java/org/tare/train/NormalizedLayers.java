package org.tare.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;
import org.tare.train.torch.Tensors;

/**
 * The BatchNormalizations that are kept in training, as PyTorch's ConvBn keeps them: three arrays
 * of a state for each, gamma, running mean and running variance, which follow its weights and
 * biases.
 *
 * <pre>
 *   factor = gamma / sqrt(running variance + epsilon)
 *   y = batch norm(layer(x, round(weight * factor)) / factor + bias)
 * </pre>
 *
 * <p>The batch norm takes the statistics of the batch, and the running ones follow them by {@value
 * #MOMENTUM}. Once they are frozen, the layer is computed as it is written: with the folded weight
 * and the folded bias.
 */
final class NormalizedLayers {
  /** What the newest batch counts, as PyTorch has it. */
  private static final double MOMENTUM = 0.1;

  /** Arrays of a state for each layer. */
  static final int ARRAYS = 3;

  private final String model;
  private final Places places;
  private final List<NormalizedLayer> layers;

  NormalizedLayers(String model, Places places) {
    this.model = model;
    this.places = places;
    this.layers = places.normalized();
  }

  private float[] gamma(int layer, float[][] of) {
    return of[array(layer)];
  }

  private float[] mean(int layer, TrainingState state) {
    return state.values()[array(layer) + 1];
  }

  private float[] variance(int layer, TrainingState state) {
    return state.values()[array(layer) + 2];
  }

  private int array(int layer) {
    return places.parameters().size() + ARRAYS * layer;
  }

  private double[] factorsOf(int layer, TrainingState state) {
    double[] factors = layers.get(layer).deviations(variance(layer, state));
    float[] gamma = gamma(layer, state.values());
    for (int c = 0; c < factors.length; c++) {
      factors[c] = gamma[c] / factors[c];
    }
    return factors;
  }

  /** The parameters as the graph has them: normalizations are folded, as without training. */
  float[][] folded(TrainingState state) {
    float[][] values = java.util.Arrays.copyOf(state.values(), places.parameters().size());
    for (int i = 0; i < layers.size(); i++) {
      NormalizedLayer layer = layers.get(i);
      double[] factors = factorsOf(i, state);
      float[] weight = values[layer.weight()].clone();
      for (int k = 0; k < weight.length; k++) {
        weight[k] = (float) (weight[k] * factors[layer.channels().of(k)]);
      }
      float[] bias = values[layer.bias()].clone();
      float[] mean = mean(i, state);
      for (int c = 0; c < bias.length; c++) {
        bias[c] = (float) ((layer.offsets()[c] - mean[c]) * factors[c] + bias[c]);
      }
      values[layer.weight()] = weight;
      values[layer.bias()] = bias;
    }
    return values;
  }

  /** One step with running statistics, which stay. */
  Step withRunningStatistics(TrainingState state) {
    return new Step(state);
  }

  /** One step with the statistics of the batch; the running ones in the state follow. */
  Step withBatchStatistics(TrainingState state) {
    return layers.isEmpty() ? new Step(state) : new OfBatch(state);
  }

  /** One step. */
  class Step {
    private final TrainingState state;

    /** Those of the beginning: running statistics may follow before the gradients are there. */
    private final List<double[]> deviations = new ArrayList<>();

    private final List<double[]> factors = new ArrayList<>();

    Step(TrainingState state) {
      this.state = state;
      for (int i = 0; i < layers.size(); i++) {
        deviations.add(layers.get(i).deviations(variance(i, state)));
        factors.add(factorsOf(i, state));
      }
    }

    final TrainingState state() {
      return state;
    }

    final double[] deviations(int layer) {
      return deviations.get(layer);
    }

    final double[] factors(int layer) {
      return factors.get(layer);
    }

    /** What a parameter is in this step, where it is not the folded one. */
    Optional<Tensor> given(int parameter, long[] shape) {
      return Optional.empty();
    }

    /**
     * What is done with the results of nodes, by their places.
     *
     * @param rounded the parameters with which they are computed
     */
    Map<Integer, UnaryOperator<Tensor>> after(List<float[]> rounded) {
      return Map.of();
    }

    /** Makes gradients of folded parameters those of the state's arrays. */
    void backward(float[][] gradients) {
      for (int i = 0; i < layers.size(); i++) {
        NormalizedLayer layer = layers.get(i);
        float[] ofBias = gradients[layer.bias()];
        float[] mean = mean(i, state);
        double[] ofGamma = new double[mean.length];
        for (int c = 0; c < ofGamma.length; c++) {
          ofGamma[c] = ofBias[c] * (layer.offsets()[c] - mean[c]) / deviations(i)[c];
        }
        weightBackward(i, ofGamma, gradients);
      }
    }

    /** Takes the gradient of a folded weight back to weight and gamma. */
    final void weightBackward(int i, double[] ofGamma, float[][] gradients) {
      NormalizedLayer layer = layers.get(i);
      float[] weight = state.values()[layer.weight()];
      float[] ofWeight = gradients[layer.weight()];
      for (int k = 0; k < weight.length; k++) {
        int c = layer.channels().of(k);
        ofGamma[c] += ofWeight[k] * (double) weight[k] / deviations(i)[c];
        ofWeight[k] = (float) (ofWeight[k] * factors(i)[c]);
      }
      float[] gamma = new float[ofGamma.length];
      for (int c = 0; c < gamma.length; c++) {
        gamma[c] = (float) ofGamma[c];
      }
      gradients[array(i)] = gamma;
    }
  }

  /** One step with the statistics of the batch. */
  private final class OfBatch extends Step {
    private final Map<Integer, Integer> biases = new HashMap<>();
    private final List<Tensor> gammas = new ArrayList<>();
    private final List<Tensor> betas = new ArrayList<>();

    OfBatch(TrainingState state) {
      super(state);
      for (int i = 0; i < layers.size(); i++) {
        NormalizedLayer layer = layers.get(i);
        biases.put(layer.bias(), i);
        gammas.add(leaf(gamma(i, state.values())));
        betas.add(leaf(state.values()[layer.bias()]));
      }
    }

    private static Tensor leaf(float[] values) {
      return Tensors.tensor(values, values.length).set_requires_grad(true);
    }

    /** The layer is computed without a bias: the normalization adds its own. */
    @Override
    Optional<Tensor> given(int parameter, long[] shape) {
      return Optional.ofNullable(biases.get(parameter))
          .map(i -> Tensors.tensor(new float[layers.get(i).offsets().length], shape));
    }

    @Override
    Map<Integer, UnaryOperator<Tensor>> after(List<float[]> rounded) {
      Map<Integer, UnaryOperator<Tensor>> after = new HashMap<>();
      for (int i = 0; i < layers.size(); i++) {
        int layer = i;
        float[] weight = rounded.get(layers.get(i).weight());
        after.put(layers.get(i).node(), y -> normalized(layer, y, weight));
      }
      return after;
    }

    private Tensor normalized(int i, Tensor y, float[] weight) {
      NormalizedLayer layer = layers.get(i);
      int channels = layer.offsets().length;
      if (y.numel() <= channels) {
        throw TareException.badInput(
            "Cannot train %s: %s has one value for each channel in a batch of %d, which has no"
                + " variance; set train.batch to 2 or more, or train.batch-normalization=folded",
            model, layer.label(), y.size(0));
      }
      boolean[] speaks = speaks(i, weight);
      float[] deviations = new float[channels];
      float[] ones = new float[channels];
      float[] silent = new float[channels];
      float[] offsets = new float[channels];
      for (int c = 0; c < channels; c++) {
        deviations[c] = speaks[c] ? (float) deviations(i)[c] : 0f;
        ones[c] = speaks[c] ? 1f : 0f;
        silent[c] = 1 - ones[c];
        offsets[c] = (float) layer.offsets()[c];
      }
      long[] shape = new long[(int) y.dim()];
      java.util.Arrays.fill(shape, 1);
      shape[1] = channels;
      // 1 in the place of a gamma that cannot be divided by.
      Tensor gamma =
          gammas.get(i).mul(Tensors.tensor(ones, channels)).add(Tensors.tensor(silent, channels));
      Tensor inverse = Tensors.tensor(deviations, channels).div(gamma);
      Tensor plain =
          y.mul(inverse.reshape(shape)).add(Tensors.tensor(offsets, channels).reshape(shape));
      Tensor mean = Tensors.tensor(mean(i, state()), channels);
      Tensor variance = Tensors.tensor(variance(i, state()), channels);
      Tensor normalized =
          torch.batch_norm(
              plain,
              new TensorOptional(gammas.get(i)),
              new TensorOptional(betas.get(i)),
              new TensorOptional(mean),
              new TensorOptional(variance),
              true,
              MOMENTUM,
              layer.epsilon(),
              false);
      follow(mean(i, state()), Tensors.floats(mean), speaks);
      follow(variance(i, state()), Tensors.floats(variance), speaks);
      return normalized;
    }

    /** Channels without a weight, or with a gamma of 0, say nothing of the batch. */
    private boolean[] speaks(int i, float[] weight) {
      NormalizedLayer layer = layers.get(i);
      boolean[] speaks = new boolean[layer.offsets().length];
      for (int k = 0; k < weight.length; k++) {
        int c = layer.channels().of(k);
        speaks[c] |= weight[k] != 0 && Math.abs(factors(i)[c]) >= Float.MIN_NORMAL;
      }
      return speaks;
    }

    private static void follow(float[] running, float[] newest, boolean[] speaks) {
      for (int c = 0; c < running.length; c++) {
        running[c] = speaks[c] ? newest[c] : running[c];
      }
    }

    @Override
    void backward(float[][] gradients) {
      for (int i = 0; i < layers.size(); i++) {
        NormalizedLayer layer = layers.get(i);
        gradients[layer.bias()] = gradient(betas.get(i));
        float[] direct = gradient(gammas.get(i));
        double[] ofGamma = new double[direct.length];
        for (int c = 0; c < direct.length; c++) {
          ofGamma[c] = direct[c];
        }
        weightBackward(i, ofGamma, gradients);
      }
    }

    /** Zero where nothing depends on it. */
    private static float[] gradient(Tensor leaf) {
      Tensor found = leaf.grad();
      return found.defined() ? Tensors.floats(found) : new float[(int) leaf.numel()];
    }
  }
}
