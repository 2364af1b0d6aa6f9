package org.tare.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.quant.LearnableFakeQuantize;
import org.tare.quant.QParams;
import org.tare.train.torch.Tensors;

/**
 * The scales that change in training: arrays of a state that follow those of weights, biases and
 * normalizations.
 *
 * <p>Learned ones are held as factors of those that training begins with, one for each channel of a
 * weight and one for each activation, so that a step of the optimizer means the same for scales of
 * every size. Their gradients are those of LSQ, with its factor 1 / sqrt(values * quantMax). Zero
 * points stay, or those of activations are learned too: each as its way from the first, in lengths
 * of the range of integers, so that a step moves both ends of the range as far as a step of the
 * scale does. Observed ones are held as the least and the greatest value of each activation.
 */
final class TrainedScales {
  /** What the newest batch counts in a moving average, as PyTorch has it. */
  private static final float AVERAGING = 0.01f;

  /** No scale becomes smaller than this share of the first. */
  private static final float LEAST_FACTOR = 0.01f;

  private final Grids begin;
  private final TrainingOptions options;
  private final int before;
  private final List<String> weights = new ArrayList<>();
  private final List<String> roots = new ArrayList<>();

  private TrainedScales(Places places, Grids begin, TrainingOptions options) {
    this.begin = begin;
    this.options = options;
    this.before = places.arrays();
    if (options.scales() == TrainingOptions.Scales.LEARNED) {
      for (String parameter : places.parameters()) {
        if (begin.constants().containsKey(parameter) && !begin.biases().containsKey(parameter)) {
          weights.add(parameter);
        }
      }
    }
    if (options.scales() != TrainingOptions.Scales.FIXED) {
      roots.addAll(new TreeSet<>(begin.specs().keySet()));
    }
  }

  static TrainedScales of(Places places, Grids begin, TrainingOptions options) {
    return new TrainedScales(places, begin, options);
  }

  /** The arrays before the first step. */
  List<float[]> initial() {
    List<float[]> arrays = new ArrayList<>();
    for (String weight : weights) {
      float[] factors = new float[begin.constants().get(weight).scales().length];
      java.util.Arrays.fill(factors, 1f);
      arrays.add(factors);
    }
    for (String root : roots) {
      Grids.Grid grid = begin.activations().get(root);
      float scale = grid.scales()[0];
      int zero = grid.zeroPoints()[0];
      arrays.add(
          options.scales() == TrainingOptions.Scales.LEARNED
              ? (learnsZeroPoint(root) ? new float[] {1f, 0f} : new float[] {1f})
              : new float[] {(grid.quantMin() - zero) * scale, (grid.quantMax() - zero) * scale});
    }
    return arrays;
  }

  /** The scales of a state. */
  Grids at(TrainingState state) {
    if (options.scales() == TrainingOptions.Scales.FIXED) {
      return begin;
    }
    Map<String, float[]> ofWeights = new HashMap<>();
    for (int i = 0; i < weights.size(); i++) {
      float[] first = begin.constants().get(weights.get(i)).scales();
      ofWeights.put(weights.get(i), scaled(first, state.values()[before + i]));
    }
    Map<String, Grids.Grid> ofRoots = new HashMap<>();
    for (int i = 0; i < roots.size(); i++) {
      ofRoots.put(roots.get(i), grid(roots.get(i), state.values()[place(i)]));
    }
    return begin.with(ofRoots, ofWeights);
  }

  private int place(int root) {
    return before + weights.size() + root;
  }

  private boolean learnsZeroPoint(String root) {
    return options.zeroPoints() == TrainingOptions.ZeroPoints.LEARNED
        && !begin.specs().get(root).symmetric();
  }

  private static int length(Grids.Grid grid) {
    return grid.quantMax() - grid.quantMin();
  }

  private static float[] scaled(float[] first, float[] factors) {
    float[] scales = new float[first.length];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = first[i] * Math.max(LEAST_FACTOR, factors[i]);
    }
    return scales;
  }

  private Grids.Grid grid(String root, float[] values) {
    Grids.Grid first = begin.activations().get(root);
    if (options.scales() == TrainingOptions.Scales.LEARNED) {
      Grids.Grid grid = first.with(scaled(first.scales(), values));
      return values.length > 1 ? grid.withZeroPoints(zeroPoint(first, values[1])) : grid;
    }
    QParams q = begin.specs().get(root).qparams(values[0], values[1]);
    return new Grids.Grid(
        -1, new float[] {q.scale()}, new int[] {q.zeroPoint()}, q.quantMin(), q.quantMax());
  }

  /** Rounded, and within the range of integers: 0 has an integer. */
  private static int zeroPoint(Grids.Grid first, float way) {
    double moved = Math.rint(first.zeroPoints()[0] + (double) way * length(first));
    return (int) Math.max(first.quantMin(), Math.min(first.quantMax(), moved));
  }

  /**
   * How activations are rounded in one step.
   *
   * @param state its observed ranges are changed
   * @param all steps of the whole training
   */
  Step begin(TrainingState state, long step, long all) {
    return switch (options.scales()) {
      case FIXED -> new Step(state, ActivationRounding.FIXED);
      case LEARNED -> new Learned(state);
      case OBSERVED ->
          options.observes(step, all)
              ? new Step(state, (root, grid, x) -> observed(state, root, x))
              : new Step(state, ActivationRounding.FIXED);
    };
  }

  private Tensor observed(TrainingState state, String root, Tensor x) {
    int index = roots.indexOf(root);
    if (index < 0) {
      return ActivationRounding.FIXED.round(root, begin.activations().get(root), x);
    }
    float[] range = state.values()[place(index)];
    try (NoGradGuard guard = new NoGradGuard()) {
      T_TensorTensor_T ends = torch.aminmax(x, new LongOptional(), false);
      range[0] = moved(range[0], ends.get0().item_float());
      range[1] = moved(range[1], ends.get1().item_float());
    }
    // What is not finite shows in the loss, which ends training.
    boolean isFinite = Float.isFinite(range[0]) && Float.isFinite(range[1]);
    return isFinite ? ActivationRounding.FIXED.round(root, grid(root, range), x) : x;
  }

  static float moved(float average, float newest) {
    return average + AVERAGING * (newest - average);
  }

  /** One step. */
  class Step {
    private final Grids grids;
    private final ActivationRounding rounding;

    Step(TrainingState state, ActivationRounding rounding) {
      this.grids = at(state);
      this.rounding = rounding;
    }

    Grids grids() {
      return grids;
    }

    ActivationRounding rounding() {
      return rounding;
    }

    /** Takes the gradient of a rounded parameter, which may be one of its scales too. */
    void backward(String parameter, float[] values, long[] shape, float[] gradient) {}

    /** Adds the gradients of scales, behind those of the parameters. */
    void addTo(float[][] gradients) {}
  }

  /** One step in which scales are trained. */
  private final class Learned extends Step {
    private final Map<String, Tensor> factors = new HashMap<>();
    private final Map<String, Tensor> ways = new HashMap<>();
    private final Map<String, Double> shares = new HashMap<>();
    private final Map<String, float[]> ofWeights = new HashMap<>();

    Learned(TrainingState state) {
      super(state, ActivationRounding.FIXED);
      for (int i = 0; i < roots.size(); i++) {
        float[] values = state.values()[place(i)];
        float[] factor = {Math.max(LEAST_FACTOR, values[0])};
        factors.put(roots.get(i), Tensors.tensor(factor, 1).set_requires_grad(true));
        if (values.length > 1) {
          float[] way = {values[1]};
          ways.put(roots.get(i), Tensors.tensor(way, 1).set_requires_grad(true));
        }
      }
    }

    @Override
    ActivationRounding rounding() {
      return this::round;
    }

    /**
     * The scale is 1 times its factor r: what rounding gives grows by (y - x) / r where x lies
     * within the range, and by y / r where it does not. There it shrinks by the scale as the zero
     * point grows.
     */
    private Tensor round(String root, Grids.Grid grid, Tensor x) {
      Tensor factor = factors.get(root);
      if (factor == null) {
        return ActivationRounding.FIXED.round(root, grid, x);
      }
      T_TensorTensor_T found =
          torch.fake_quantize_per_tensor_affine_cachemask(
              x, grid.scales()[0], grid.zeroPoints()[0], grid.quantMin(), grid.quantMax());
      Tensor y = found.get0();
      float now = factor.item_float();
      Tensor slope;
      try (NoGradGuard guard = new NoGradGuard()) {
        slope = y.sub(x.mul(found.get1())).mul(new Scalar(1.0 / now));
      }
      shares.putIfAbsent(root, 1 / Math.sqrt((double) x.numel() * Math.max(1, grid.quantMax())));
      Tensor rounded = y.add(slope.mul(factor.sub(new Scalar((double) now))));
      Tensor way = ways.get(root);
      if (way == null) {
        return rounded;
      }
      Tensor outside;
      try (NoGradGuard guard = new NoGradGuard()) {
        double each = (double) grid.scales()[0] * length(grid);
        outside = found.get1().logical_not().to(torch.ScalarType.Float).mul(new Scalar(-each));
      }
      return rounded.add(outside.mul(way.sub(new Scalar((double) way.item_float()))));
    }

    @Override
    void backward(String parameter, float[] values, long[] shape, float[] gradient) {
      Grids.Grid grid = grids().constants().get(parameter);
      if (!weights.contains(parameter)) {
        return;
      }
      float[] zeros = new float[grid.zeroPoints().length];
      for (int i = 0; i < zeros.length; i++) {
        zeros[i] = grid.zeroPoints()[i];
      }
      double share = 1 / Math.sqrt((double) values.length / zeros.length * grid.quantMax());
      double[] slopes =
          new LearnableFakeQuantize(
                  grid.scales(), zeros, grid.quantMin(), grid.quantMax(), grid.axis())
              .backward(values, gradient, share, shape)
              .scale();
      float[] first = begin.constants().get(parameter).scales();
      float[] ofFactors = new float[slopes.length];
      for (int i = 0; i < slopes.length; i++) {
        ofFactors[i] = (float) (slopes[i] * first[i]);
      }
      ofWeights.put(parameter, ofFactors);
    }

    @Override
    void addTo(float[][] gradients) {
      for (int i = 0; i < weights.size(); i++) {
        gradients[before + i] = ofWeights.get(weights.get(i));
      }
      for (int i = 0; i < roots.size(); i++) {
        String root = roots.get(i);
        float ofFactor = slope(root, factors);
        gradients[place(i)] =
            ways.containsKey(root)
                ? new float[] {ofFactor, slope(root, ways)}
                : new float[] {ofFactor};
      }
    }

    private float slope(String root, Map<String, Tensor> leaves) {
      Tensor found = leaves.get(root).grad();
      float slope = found.defined() ? Tensors.floats(found)[0] : 0f;
      return (float) (slope * shares.getOrDefault(root, 0.0));
    }
  }
}
