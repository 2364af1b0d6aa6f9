package org.tare.settings;

import java.util.List;
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.quant.QuantSpec;
import org.tare.range.RangeMethod;

/**
 * What the settings below {@code plot} mean, as typed values.
 *
 * @param specs one for each panel
 * @param bins from the least to the greatest value
 */
public record PlotSettings(RangeMethod method, List<QuantSpec> specs, int bins) {
  /**
   * All of them.
   *
   * @throws org.tare.TareException if a name means nothing
   */
  public static PlotSettings of(Settings settings) {
    String scheme = settings.require("plot.scheme");
    List<QuantSpec> specs =
        switch (scheme) {
          case "affine" -> List.of(spec(settings, false));
          case "symmetric" -> List.of(spec(settings, true));
          default -> List.of(spec(settings, false), spec(settings, true));
        };
    return new PlotSettings(
        RangeMethod.parse(settings.require("plot.method")), specs, settings.whole("plot.bins"));
  }

  private static QuantSpec spec(Settings settings, boolean isSymmetric) {
    DType dtype =
        settings.find("plot.dtype").map(DType::of).orElse(isSymmetric ? DType.INT8 : DType.UINT8);
    return QParamsRule.ONNXRUNTIME.spec(dtype, isSymmetric);
  }
}
