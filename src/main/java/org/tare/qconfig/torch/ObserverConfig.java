package org.tare.qconfig.torch;

import java.util.Optional;
import java.util.OptionalInt;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.quant.TorchQParams;
import org.tare.range.torch.TorchHistogram;
import org.tare.range.torch.TorchVersion;
import org.tare.stats.MovingAverage;

/**
 * An observer with PyTorch's arguments, as {@code Observer.with_args(…)} holds them. Each {@code
 * with…} method gives a copy with one argument changed.
 *
 * @param dtype empty where the tensor stays float
 * @param reduceRange leaves one bit unused
 * @param quantMin counts only together with {@code quantMax}
 * @param eps the least scale
 * @param averagingConstant of the moving averages
 * @param axis that counts the channels; negative ones count from the end
 * @param bins of the histogram
 * @param upsampleRate of the histogram, before 2.5
 * @param version whose histogram it is
 * @param fixed of FixedQParamsObserver
 */
public record ObserverConfig(
    ObserverKind kind,
    Optional<DType> dtype,
    QScheme scheme,
    boolean reduceRange,
    OptionalInt quantMin,
    OptionalInt quantMax,
    float eps,
    float averagingConstant,
    int axis,
    int bins,
    int upsampleRate,
    TorchVersion version,
    Optional<TorchQParams> fixed) {
  /** PyTorch's defaults for quint8. */
  public static ObserverConfig of(ObserverKind kind) {
    return new ObserverConfig(
        kind,
        Optional.of(DType.UINT8),
        kind.isPerChannel() ? QScheme.PER_CHANNEL_AFFINE : QScheme.PER_TENSOR_AFFINE,
        false,
        OptionalInt.empty(),
        OptionalInt.empty(),
        TorchQParams.EPS,
        MovingAverage.DEFAULT_CONSTANT,
        0,
        TorchHistogram.DEFAULT_BINS,
        TorchHistogram.DEFAULT_UPSAMPLE_RATE,
        TorchVersion.TORCH_2_5,
        Optional.empty());
  }

  /** Given qparams over quint8's whole range. */
  public static ObserverConfig fixed(float scale, int zeroPoint) {
    ObserverConfig c = of(ObserverKind.FIXED_QPARAMS).withRange(0, 255);
    return new ObserverConfig(
        c.kind,
        c.dtype,
        c.scheme,
        c.reduceRange,
        c.quantMin,
        c.quantMax,
        c.eps,
        c.averagingConstant,
        c.axis,
        c.bins,
        c.upsampleRate,
        c.version,
        Optional.of(new TorchQParams(scale, zeroPoint)));
  }

  /** An observer of a tensor that stays float. */
  public static ObserverConfig ofFloat(ObserverKind kind) {
    return of(kind).with(Optional.empty(), QScheme.PER_TENSOR_AFFINE);
  }

  public ObserverConfig with(DType type, QScheme newScheme) {
    return with(Optional.of(type), newScheme);
  }

  private ObserverConfig with(Optional<DType> type, QScheme newScheme) {
    return new ObserverConfig(
        kind,
        type,
        newScheme,
        reduceRange,
        quantMin,
        quantMax,
        eps,
        averagingConstant,
        axis,
        bins,
        upsampleRate,
        version,
        fixed);
  }

  public ObserverConfig withReducedRange() {
    return new ObserverConfig(
        kind,
        dtype,
        scheme,
        true,
        quantMin,
        quantMax,
        eps,
        averagingConstant,
        axis,
        bins,
        upsampleRate,
        version,
        fixed);
  }

  public ObserverConfig withRange(int min, int max) {
    return withRange(OptionalInt.of(min), OptionalInt.of(max));
  }

  /** Limits of which one alone does not count. */
  public ObserverConfig withRange(OptionalInt min, OptionalInt max) {
    return new ObserverConfig(
        kind,
        dtype,
        scheme,
        reduceRange,
        min,
        max,
        eps,
        averagingConstant,
        axis,
        bins,
        upsampleRate,
        version,
        fixed);
  }

  public ObserverConfig withEps(float newEps) {
    return new ObserverConfig(
        kind,
        dtype,
        scheme,
        reduceRange,
        quantMin,
        quantMax,
        newEps,
        averagingConstant,
        axis,
        bins,
        upsampleRate,
        version,
        fixed);
  }

  public ObserverConfig withAveragingConstant(float constant) {
    return new ObserverConfig(
        kind,
        dtype,
        scheme,
        reduceRange,
        quantMin,
        quantMax,
        eps,
        constant,
        axis,
        bins,
        upsampleRate,
        version,
        fixed);
  }

  public ObserverConfig withAxis(int newAxis) {
    return new ObserverConfig(
        kind,
        dtype,
        scheme,
        reduceRange,
        quantMin,
        quantMax,
        eps,
        averagingConstant,
        newAxis,
        bins,
        upsampleRate,
        version,
        fixed);
  }

  public ObserverConfig withHistogram(TorchVersion newVersion, int newBins, int newUpsampleRate) {
    return new ObserverConfig(
        kind,
        dtype,
        scheme,
        reduceRange,
        quantMin,
        quantMax,
        eps,
        averagingConstant,
        axis,
        newBins,
        newUpsampleRate,
        newVersion,
        fixed);
  }

  /**
   * Checks the arguments as PyTorch's constructors do.
   *
   * @return what qparams are computed with
   * @throws TareException if PyTorch would refuse them
   */
  public QuantSpec spec() {
    DType type =
        dtype.orElseThrow(() -> TareException.usage("%s has no quantized type", kind.className()));
    if (kind.observes() && kind.isPerChannel() != scheme.isPerChannel()) {
      throw TareException.usage(
          "%s cannot take the scheme %s: it observes %s",
          kind.className(),
          scheme.id(),
          kind.isPerChannel() ? "each channel by itself" : "the whole tensor");
    }
    if (reduceRange && scheme.isSymmetric() && type == DType.UINT8) {
      throw TareException.usage("%s cannot reduce the range of symmetric uint8", kind.className());
    }
    QuantSpec spec =
        QParamsRule.PYTORCH.spec(type, scheme.isSymmetric(), reduceRange, quantMin, quantMax, eps);
    if (spec.customized() && type == DType.INT8 && spec.steps() > 255) {
      throw TareException.usage(
          "quant_min %d and quant_max %d cannot be used: int8 has 256 values",
          spec.quantMin(), spec.quantMax());
    }
    return spec;
  }
}
