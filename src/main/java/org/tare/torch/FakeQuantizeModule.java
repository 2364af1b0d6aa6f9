package org.tare.torch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.tare.TareException;
import org.tare.quant.DynamicQParams;
import org.tare.quant.FakeQuantize;
import org.tare.quant.LearnableFakeQuantize;
import org.tare.quant.QuantSpec;
import org.tare.quant.TorchQParams;

/**
 * A fake quantization with state, step by step as PyTorch's modules: each forward pass observes the
 * batch, renews the qparams, and fake-quantizes. Observing and quantizing can be switched off.
 */
public final class FakeQuantizeModule {
  private final FakeQuantizeConfig config;
  private final QuantSpec spec;
  private final TorchObserver observer;
  private List<TorchQParams> qparams = List.of(TorchQParams.NOTHING);
  private boolean observes = true;
  private boolean quantizes = true;

  /**
   * @throws TareException if PyTorch would refuse the arguments
   */
  public FakeQuantizeModule(FakeQuantizeConfig config) {
    ObserverConfig observed = config.observer();
    if (observed.kind().isPerChannel() && observed.axis() < 0) {
      throw TareException.usage(
          "ch_axis %d cannot be used: fake quantization counts axes from 0", observed.axis());
    }
    this.config = config;
    this.spec = config.observer().spec();
    this.observer = new TorchObserver(config.observer());
  }

  /** Switches observing on or off: {@code enable_observer}, {@code disable_observer}. */
  public void setObserving(boolean on) {
    observes = on;
  }

  /** Switches quantizing on or off: {@code enable_fake_quant}, {@code disable_fake_quant}. */
  public void setQuantizing(boolean on) {
    quantizes = on;
  }

  /** The observer inside. */
  public TorchObserver observer() {
    return observer;
  }

  /** The qparams now in use, one or one per channel. */
  public List<TorchQParams> qparams() {
    return qparams;
  }

  /**
   * What a forward pass gives; with quantizing off, the input, and every gradient passes.
   *
   * @throws TareException if the tensor holds a NaN, or does not have the channels of those before
   */
  public FakeQuantize.Result forward(float[] x, long... shape) {
    if (observes) {
      observer.observe(x, shape);
      qparams = renewed();
    }
    if (!quantizes) {
      boolean[] mask = new boolean[x.length];
      Arrays.fill(mask, true);
      return new FakeQuantize.Result(x.clone(), mask);
    }
    checkChannels(shape);
    return fakeQuantize().forward(x, shape);
  }

  private void checkChannels(long... shape) {
    boolean fits = axis() < 0 || (axis() < shape.length && shape[axis()] == qparams.size());
    if (!fits) {
      throw TareException.badInput(
          "Cannot fake-quantize a tensor of shape %s: there are qparams of %d channels along axis %d",
          Arrays.toString(shape), qparams.size(), axis());
    }
  }

  private FakeQuantize fakeQuantize() {
    float[] scales = scales();
    int[] zeroPoints = new int[scales.length];
    for (int c = 0; c < scales.length; c++) {
      zeroPoints[c] = (int) qparams.get(c).zeroPoint();
    }
    return axis() < 0
        ? FakeQuantize.perTensor(scales[0], zeroPoints[0], spec.quantMin(), spec.quantMax())
        : FakeQuantize.perChannel(scales, zeroPoints, axis(), spec.quantMin(), spec.quantMax());
  }

  private float[] scales() {
    float[] scales = new float[qparams.size()];
    for (int c = 0; c < scales.length; c++) {
      scales[c] = qparams.get(c).scale();
    }
    return scales;
  }

  private int axis() {
    return config.observer().kind().isPerChannel() ? config.observer().axis() : -1;
  }

  /** The learnable form of the qparams now in use. */
  public LearnableFakeQuantize learnable() {
    float[] zeroPoints = new float[qparams.size()];
    for (int c = 0; c < zeroPoints.length; c++) {
      zeroPoints[c] = spec.symmetric() ? 0 : (float) qparams.get(c).zeroPoint();
    }
    return new LearnableFakeQuantize(
        scales(), zeroPoints, spec.quantMin(), spec.quantMax(), axis());
  }

  private List<TorchQParams> renewed() {
    if (config.kind() != FakeQuantizeConfig.Kind.FUSED_MOVING_AVERAGE) {
      return observer.qparams();
    }
    float[] min = observer.min();
    float[] max = observer.max();
    List<TorchQParams> found = new ArrayList<>();
    for (int c = 0; c < min.length; c++) {
      DynamicQParams q =
          spec.symmetric()
              ? DynamicQParams.choosePreservingSparsity(
                  min[c], max[c], spec.quantMin(), spec.quantMax())
              : DynamicQParams.choose(min[c], max[c], spec.quantMin(), spec.quantMax());
      found.add(new TorchQParams((float) q.scale(), q.zeroPoint()));
    }
    return found;
  }
}
