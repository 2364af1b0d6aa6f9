package org.tare.torch;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;
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
    return of(ObserverKind.FIXED_QPARAMS)
        .withRange(0, 255)
        .edited(draft -> draft.fixed = Optional.of(new TorchQParams(scale, zeroPoint)));
  }

  public ObserverConfig with(DType newType, QScheme newScheme) {
    return edited(
        draft -> {
          draft.dtype = Optional.of(newType);
          draft.scheme = newScheme;
        });
  }

  public ObserverConfig withReducedRange() {
    return edited(draft -> draft.reduceRange = true);
  }

  public ObserverConfig withRange(int min, int max) {
    return withRange(OptionalInt.of(min), OptionalInt.of(max));
  }

  /** Limits of which one alone does not count. */
  public ObserverConfig withRange(OptionalInt min, OptionalInt max) {
    return edited(
        draft -> {
          draft.quantMin = min;
          draft.quantMax = max;
        });
  }

  public ObserverConfig withEps(float newEps) {
    return edited(draft -> draft.eps = newEps);
  }

  public ObserverConfig withAveragingConstant(float constant) {
    return edited(draft -> draft.averagingConstant = constant);
  }

  public ObserverConfig withAxis(int newAxis) {
    return edited(draft -> draft.axis = newAxis);
  }

  public ObserverConfig withHistogram(TorchVersion newVersion, int newBins, int newUpsampleRate) {
    return edited(
        draft -> {
          draft.version = newVersion;
          draft.bins = newBins;
          draft.upsampleRate = newUpsampleRate;
        });
  }

  private ObserverConfig edited(Consumer<Draft> edit) {
    Draft draft = new Draft(this);
    edit.accept(draft);
    return new ObserverConfig(
        kind,
        draft.dtype,
        draft.scheme,
        draft.reduceRange,
        draft.quantMin,
        draft.quantMax,
        draft.eps,
        draft.averagingConstant,
        draft.axis,
        draft.bins,
        draft.upsampleRate,
        draft.version,
        draft.fixed);
  }

  /** The arguments while one of them changes. */
  private static final class Draft {
    private Optional<DType> dtype;
    private QScheme scheme;
    private boolean reduceRange;
    private OptionalInt quantMin;
    private OptionalInt quantMax;
    private float eps;
    private float averagingConstant;
    private int axis;
    private int bins;
    private int upsampleRate;
    private TorchVersion version;
    private Optional<TorchQParams> fixed;

    Draft(ObserverConfig from) {
      dtype = from.dtype;
      scheme = from.scheme;
      reduceRange = from.reduceRange;
      quantMin = from.quantMin;
      quantMax = from.quantMax;
      eps = from.eps;
      averagingConstant = from.averagingConstant;
      axis = from.axis;
      bins = from.bins;
      upsampleRate = from.upsampleRate;
      version = from.version;
      fixed = from.fixed;
    }
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
