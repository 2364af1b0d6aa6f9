package org.tare.settings;

import java.util.Optional;
import org.tare.job.ObserveOptions;
import org.tare.job.Observer;
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.range.RangeMethod;
import org.tare.stats.MovingAverage;

/** What the settings below {@code observe} mean, as typed values. */
public final class ObserveSettings {
  private ObserveSettings() {}

  /**
   * All of them.
   *
   * @throws org.tare.TareException if they contradict each other
   */
  public static ObserveOptions of(Settings settings) {
    Observer observer = Observer.of(settings.require("observe.observer"));
    QScheme scheme = scheme(settings, observer);
    float constant = (float) settings.number("observe.averaging-constant");
    MovingAverage.checkConstant(constant);
    return new ObserveOptions(
        settings.texts("observe.column"),
        observer,
        spec(settings, observer, scheme),
        scheme,
        method(settings, observer, constant),
        constant,
        settings.flag("observe.reduce-range"),
        settings.whole("batch"),
        settings.texts("calibrate.by"));
  }

  private static QScheme scheme(Settings settings, Observer observer) {
    QScheme scheme =
        QScheme.of(
            settings
                .find("observe.scheme")
                .orElse(observer.isPerChannel() ? "per_channel_affine" : "per_tensor_affine"));
    if (scheme.isPerChannel() != observer.isPerChannel()) {
      throw settings.wrong(
          "observe.scheme",
          scheme.id(),
          (observer.isPerChannel() ? "one per channel" : "one per tensor")
              + " with the observer "
              + observer.id());
    }
    return scheme;
  }

  private static QuantSpec spec(Settings settings, Observer observer, QScheme scheme) {
    String dtype = settings.require("observe.dtype");
    QParamsRule rule =
        settings
            .find("observe.rule")
            .map(QParamsRule::of)
            .orElse(
                observer.isTorch() || dtype.startsWith("q")
                    ? QParamsRule.PYTORCH
                    : QParamsRule.ONNXRUNTIME);
    if (observer.isTorch() && rule != QParamsRule.PYTORCH) {
      throw settings.wrong("observe.rule", rule.id(), "pytorch with the observer " + observer.id());
    }
    return rule.spec(DType.of(dtype), scheme.isSymmetric(), settings.flag("observe.reduce-range"));
  }

  private static RangeMethod method(Settings settings, Observer observer, float constant) {
    Optional<String> given = settings.find("observe.method");
    if (given.isPresent() && observer != Observer.HISTOGRAM) {
      throw settings.wrong(
          "observe.method", given.get(), "left out: only the observer histogram takes a method");
    }
    if (given.map(RangeMethod::parse).orElse(null) instanceof RangeMethod.MovingAverageMinMax) {
      throw settings.wrong(
          "observe.method", given.get(), "another one; moving-average is an observer");
    }
    return switch (observer) {
      case MINMAX, RECORDING -> new RangeMethod.MinMax();
      case MOVING_AVERAGE -> new RangeMethod.MovingAverageMinMax(constant);
      default -> given.map(RangeMethod::parse).orElse(new RangeMethod.Mse());
    };
  }
}
